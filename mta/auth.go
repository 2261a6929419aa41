package mta

import (
	"bytes"
	"errors"

	"github.com/emersion/go-sasl"

	"github.com/restante/restante/internal/scram"
	"github.com/restante/restante/mailbox"
)

var (
	errAuthNotHere   = errors.New("mta: no AUTH on this listener")
	errAuthMechanism = errors.New("mta: unknown SASL mechanism")
	errAuthInMail    = errors.New("mta: AUTH inside a transaction")
	errAuthSyntax    = errors.New("mta: malformed SASL response")
	errAuthTries     = errors.New("mta: too many failed logins")
)

// mechanisms lists what AUTH offers, best first: logins that keep the password at
// home, tied to the connection if that is offered; and those in which it travels.
func mechanisms(bound bool) []string {
	list := []string{scram.Name, sasl.Plain, sasl.Login}
	if bound {
		return append([]string{scram.NamePlus}, list...)
	}
	return list
}

// auth begins an AUTH exchange (RFC 4954). It is refused outside TLS, where
// secrets could be read on the way.
func (s *session) auth(mechanism string) (sasl.Server, error) {
	if !s.mu.TryLock() {
		return nil, errAuthInMail // BDAT is under way
	}
	defer s.mu.Unlock()
	switch {
	case s.policy.role != submission:
		return nil, errAuthNotHere
	case !s.wire.isSecure():
		return nil, errTLSFirst
	case s.tx.begun:
		return nil, errAuthInMail
	}
	switch mechanism {
	case scram.Name:
		return s.scram(false), nil
	case scram.NamePlus:
		return s.scram(true), nil
	case sasl.Plain:
		return &plain{login: s.tryLogin}, nil
	case sasl.Login:
		return &login{login: s.tryLogin}, nil
	}
	return nil, errAuthMechanism
}

// tryLogin opens the account. After Limits.AuthAttempts failures the connection
// ends: whoever guesses has to connect again, where the limits of the listener
// apply.
func (s *session) tryLogin(user, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.server.service.Login(s.ctx, mailbox.Login{User: user, Secret: secret, Peer: s.wire.peer})
	if err != nil {
		return s.failedLogin(err)
	}
	return s.loggedIn(x)
}

// loggedIn makes the session that of its owner.
func (s *session) loggedIn(x *mailbox.Session) error {
	at := x.ChangeCount()
	own, err := x.Addresses(s.ctx)
	if err != nil {
		x.Close()
		return err
	}
	s.login, s.policy.own, s.ownAt = x, own, at
	s.wire.setLoggedIn()
	s.log = s.log.With("account", x.Account())
	s.log.Debug("logged in")
	return nil
}

// failedLogin counts a login that was refused for what the client sent.
func (s *session) failedLogin(err error) error {
	if !errors.Is(err, mailbox.ErrAuth) && !errors.Is(err, scram.ErrBinding) {
		return err
	}
	s.failed++
	if s.failed >= s.server.limits.AuthAttempts {
		return errAuthTries
	}
	return err
}

// plain is the server side of PLAIN (RFC 4616).
type plain struct {
	login func(user, secret string) error
	asked bool
}

// Next implements sasl.Server. Nobody may act for somebody else, so that an
// authorization identity must be the user itself.
func (p *plain) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil && !p.asked {
		p.asked = true
		return []byte{}, false, nil
	}
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return nil, false, errAuthSyntax
	}
	if identity := parts[0]; len(identity) > 0 && !bytes.EqualFold(identity, parts[1]) {
		return nil, false, mailbox.ErrAuth
	}
	return nil, true, p.login(string(parts[1]), string(parts[2]))
}

// login is the server side of LOGIN (draft-murchison-sasl-login-00), which old
// clients know instead of PLAIN.
type login struct {
	login func(user, secret string) error
	asked int
	user  string
}

// Next implements sasl.Server. The user may come as an initial response, which
// the draft does not have but Delta Chat and others send.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch {
	case l.asked == 1 && response == nil:
		return []byte("Username:"), false, nil
	case l.user == "":
		if len(response) == 0 {
			return nil, false, errAuthSyntax
		}
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.login(l.user, string(response))
}
