package mta

import (
	"errors"
	"slices"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

var (
	errRecipientPath = errors.New("mta: recipient is not an address")
	errApart         = errors.New("mta: a recipient who takes cleartext, and others in one transaction")
	errBlocked       = errors.New("mta: the recipient has blocked the sender")
)

// rcpt takes one recipient (RFC 5321, 4.1.1.3). Everything that can be known
// before the message comes is decided here: whether the mailbox exists and has
// room for the announced size, or whether there is a way to another domain. One
// that is named twice gets the message once.
func (s *session) rcpt(path string, o *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, err := parsePath(path)
	if err != nil {
		return errRecipientPath
	}
	if err := s.policy.recipient(to); err != nil {
		return err
	}
	operator := s.policy.mayBeClear(to)
	if s.policy.forOperator(to) {
		to = s.policy.operator
	}
	if s.tx.has(to) {
		return nil
	}
	if err := s.policy.budget(s.tx.recipients(), s.tx.size); err != nil {
		return err
	}
	if !s.policy.local(to) {
		s.tx.away.To = append(s.tx.away.To, addressee(to, o))
		return nil
	}
	return s.rcptHere(to, operator)
}

// rcptHere takes a recipient who has a mailbox here.
func (s *session) rcptHere(to addr.Address, operator bool) error {
	r, err := s.server.service.Recipient(s.ctx, to, s.tx.size)
	if err != nil {
		return err
	}
	blocked, err := s.server.service.Blocks(s.ctx, r, s.tx.from)
	if err != nil {
		return err
	}
	if blocked {
		return errBlocked
	}
	clear := s.clearFor(r, operator)
	if s.tx.recipients() > 0 && (clear || s.tx.clear) {
		return errApart
	}
	s.tx.to, s.tx.clear = append(s.tx.to, r), clear
	return nil
}

// has reports whether a recipient was named before.
func (t *transaction) has(to addr.Address) bool {
	return slices.ContainsFunc(t.to, func(r mailbox.Recipient) bool { return r.Address.Equal(to) }) ||
		slices.ContainsFunc(t.away.To, func(a mailbox.Addressee) bool { return a.Address == to })
}
