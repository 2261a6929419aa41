package mta

import (
	"errors"
	"slices"

	"github.com/restante/restante/mailbox"
)

var errRecipientPath = errors.New("mta: recipient is not an address")

// rcpt takes one recipient (RFC 5321, 4.1.1.3). Everything that can be known
// before the message comes is decided here: whether the mailbox exists and has
// room for the announced size. One that is named twice gets the message once.
func (s *session) rcpt(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, err := parsePath(path)
	if err != nil {
		return errRecipientPath
	}
	if err := s.policy.recipient(to); err != nil {
		return err
	}
	same := func(r mailbox.Recipient) bool { return r.Address.Equal(to) }
	if slices.ContainsFunc(s.tx.to, same) {
		return nil
	}
	if err := s.policy.budget(len(s.tx.to), s.tx.size); err != nil {
		return err
	}
	r, err := s.server.service.Recipient(s.ctx, to, s.tx.size)
	if err != nil {
		return err
	}
	s.tx.to = append(s.tx.to, r)
	return nil
}
