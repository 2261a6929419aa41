package mta

import (
	"errors"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

var (
	errNested     = errors.New("mta: MAIL inside a transaction")
	errSenderPath = errors.New("mta: sender is not an address")
)

// mail begins a transaction (RFC 5321, 4.1.1.2). What its parameters ask of the
// next server is kept for it. BODY needs nothing done: bodies pass as they are.
func (s *session) mail(path string, o *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLogin(); err != nil {
		return err
	}
	if s.tx.begun {
		return errNested
	}
	from, err := parsePath(path)
	if err != nil && path != "" {
		return errSenderPath
	}
	if err := s.refreshOwn(from); err != nil {
		return err
	}
	if err := s.policy.sender(from); err != nil {
		return err
	}
	if s.policy.role == exchange {
		if err := s.server.tempo.fromNetwork(string(s.wire.peer)); err != nil {
			return err
		}
	}
	if o.RequireTLS && !s.wire.isSecure() {
		return errTLSFirst // RFC 8689, 3: only over TLS
	}
	if o.Size > s.server.limits.MaxMessage {
		return mailbox.ErrTooLarge
	}
	s.tx = transaction{begun: true, from: from, size: o.Size, hello: s.hello()}
	s.tx.away.RequireTLS, s.tx.away.EnvelopeID = o.RequireTLS, xtext(o.EnvelopeID)
	return nil
}

// refreshOwn reads again which addresses the account has, if anything of it has
// changed since: an alias may have come, or been given up. An account that gets much
// mail changes all the time, so what was read a moment ago will do, unless from is not
// among it.
func (s *session) refreshOwn(from addr.Address) error {
	if s.login == nil || s.login.ChangeCount() == s.ownAt {
		return nil
	}
	own, err := s.login.RecentAddresses(s.ctx)
	if err != nil {
		return err
	}
	s.policy.own = own
	if s.policy.owns(from) {
		return nil
	}
	at := s.login.ChangeCount()
	if own, err = s.login.Addresses(s.ctx); err != nil {
		return err
	}
	s.policy.own, s.ownAt = own, at
	return nil
}

// parsePath reads an address as the engine gives it: without the quotes of a
// quoted local part, so that they have to be put back where they are needed.
func parsePath(path string) (addr.Address, error) {
	a, err := addr.Parse(path)
	if err == nil || strings.Count(path, "@") != 1 {
		return a, err
	}
	local, domain, _ := strings.Cut(path, "@")
	return addr.Parse(quoted(local) + "@" + domain)
}

// quoted returns the quoted-string that means s (RFC 5321, 4.1.2).
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
