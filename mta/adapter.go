package mta

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// errPanic stands for a broken invariant; the connection does not go on.
var errPanic = errors.New("mta: internal error")

// An adapter stands between the engine and a session. The engine shows the text
// of any error but its own to the client and does not unwrap; so nothing but
// *smtp.SMTPError, made by reply.go, leaves these methods. A panic ends the
// connection, and not the process.
type adapter struct{ s *session }

var _ smtp.AuthSession = adapter{}

// NewSession is called by the engine at the first EHLO of a connection.
func (e *endpoint) NewSession(c *smtp.Conn) (smtp.Session, error) {
	w, ok := c.Conn().(*wire)
	if !ok {
		panic("restante: internal error: the engine has a connection that is not ours")
	}
	return adapter{newSession(e, w, c.Hostname)}, nil
}

func (a adapter) Reset() { a.s.reset() }

func (a adapter) Logout() error {
	a.s.logout()
	return nil
}

func (a adapter) Mail(from string, o *smtp.MailOptions) error {
	return a.s.guard(func() error { return a.s.mail(from, o) }, outcomes)
}

func (a adapter) Rcpt(to string, o *smtp.RcptOptions) error {
	return a.s.guard(func() error { return a.s.rcpt(to, o) }, outcomes)
}

// Data always returns an error for the engine: the success is one of our
// replies too.
func (a adapter) Data(r io.Reader) error {
	a.s.wire.beginMessage()
	message, finish := a.s.wire.message(r)
	outcome := replyKept
	if refused, ok := a.s.run(func() error { return a.s.data(message) }, outcomes); !ok {
		outcome = refused
	}
	a.s.wire.endMessage(outcome)
	finish()
	return outcome.smtpError()
}

func (a adapter) AuthMechanisms() []string { return mechanisms(a.s.wire.offersBinding()) }

func (a adapter) Auth(mechanism string) (sasl.Server, error) {
	var server sasl.Server
	err := a.s.guard(func() (err error) { server, err = a.s.auth(mechanism); return err }, loginOutcomes, outcomes)
	if err != nil {
		return nil, err
	}
	return saslAdapter{a.s, server}, nil
}

// A saslAdapter does for a SASL exchange what adapter does for commands.
type saslAdapter struct {
	s      *session
	server sasl.Server
}

func (a saslAdapter) Next(response []byte) (challenge []byte, done bool, err error) {
	err = a.s.guard(func() (err error) { challenge, done, err = a.server.Next(response); return err }, loginOutcomes, outcomes)
	return challenge, done, err
}

// guard runs f and returns nil or an *smtp.SMTPError.
func (s *session) guard(f func() error, tables ...[]outcome) error {
	if r, ok := s.run(f, tables...); !ok {
		return r.smtpError()
	}
	return nil
}

// run runs f and returns the reply to its error, or that there is none.
func (s *session) run(f func() error, tables ...[]outcome) (r reply, ok bool) {
	err := s.recovering(f)
	s.debug(err, tables)
	if err == nil {
		return reply{}, true
	}
	r = replyTo(err, tables...)
	if r != replyInternal {
		s.log.Debug("refused", "code", r.code, "error", err)
		if s.policy.role == exchange && r.code >= 500 {
			s.server.tempo.refused(s.server.serving, string(s.wire.peer))
		}
		return r, false
	}
	id := newID()
	s.log.Error("request failed", "reference", id, "error", err)
	return r.withID(id), false
}

// debug logs what came of a command of an account that the operator wants to see.
func (s *session) debug(err error, tables [][]outcome) {
	if s.login == nil || !s.login.Debugged() {
		return
	}
	code := replyKept.code
	if err != nil {
		code = replyTo(err, tables...).code
	}
	s.log.Info("smtp command", "code", code, "recipients", s.tx.recipients())
}

// recovering runs f and turns a panic into errPanic. The value of the panic may
// hold what a client sent, so that only its type is logged.
func (s *session) recovering(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic in a session", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return f()
}

// An engineLog takes what the engine would print. Its texts hold error strings
// of connections, which we do not want, and the stack of its own panics, which
// we do.
type engineLog struct{ log *slog.Logger }

var _ smtp.Logger = engineLog{}

func (l engineLog) Printf(format string, args ...any) {
	if !strings.HasPrefix(format, "panic") || len(args) == 0 {
		l.log.Debug("engine", "format", format)
		return
	}
	l.log.Error("panic in the SMTP engine", "stack", fmt.Sprintf("%s", args[len(args)-1]))
}

func (l engineLog) Println(...any) { l.log.Debug("engine") }
