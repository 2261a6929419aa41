package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// Limits of the local submission server. Its one client is the user's.
const (
	maxOutgoing     = 30 << 20
	maxRecipients   = 100
	clientTimeout   = 5 * time.Minute
	stopTimeout     = 10 * time.Second
	maxLine         = 12288 // RFC 4954, 4.5: a line of a SASL response
	localServerName = "restante.localhost"
)

var (
	errLogin   = errors.New("not logged in")
	errAddress = errors.New("not a mail address")
)

// submission is the local SMTP server: it takes mail from the user's client into
// the outbox.
type submission struct {
	local    *Local
	mayWrite func(from addr.Address) bool
	accept   func(ctx context.Context, to []addr.Address, r io.Reader) error
	peer     ClientPeer // nil on loopback
	log      *slog.Logger
}

// serve serves the connections of ln, which nobody on the way can read, until ctx ends.
// Then it closes ln, lets mail under way come to its end for ten seconds, closes
// what is left, and returns nil.
func (s *submission) serve(ctx context.Context, ln net.Listener) error {
	conns := &connSet{Listener: ln}
	sessions, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	engine := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return s.session(sessions, c.Conn()), nil
	}))
	engine.Domain = localServerName
	engine.MaxMessageBytes = maxOutgoing
	engine.MaxRecipients = maxRecipients
	engine.MaxLineLength = maxLine
	engine.ReadTimeout, engine.WriteTimeout = clientTimeout, clientTimeout
	engine.AllowInsecureAuth = true // on loopback, or on a connection that has TLS already
	engine.EnableSMTPUTF8 = true
	engine.ErrorLog = engineLog{s.log}
	served := make(chan error, 1)
	go func() { served <- engine.Serve(conns) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("local submission: %w", err), conns.closeAll())
	case <-ctx.Done():
	}
	end, done := context.WithTimeout(sessions, stopTimeout)
	defer done()
	// Its error is that the time was over, or that the listener is closed already.
	_ = engine.Shutdown(end)
	_ = conns.Close()
	<-served
	return conns.closeAll()
}

// submissionSession is one connection. The engine calls it from one goroutine, and
// passes no context, so that it has the server's.
type submissionSession struct {
	server *submission
	ctx    context.Context
	conn   net.Conn
	peer   mailbox.Peer
	login  *mailbox.Session
	forget func() // ends the wait for the login's revocation
	to     []addr.Address
}

func (s *submission) session(ctx context.Context, c net.Conn) *submissionSession {
	x := &submissionSession{server: s, ctx: ctx, conn: c}
	if s.peer != nil {
		x.peer = s.peer(c)
	}
	return x
}

var _ smtp.AuthSession = (*submissionSession)(nil)

func (x *submissionSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (x *submissionSession) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == sasl.Login {
		return &loginServer{check: x.logIn}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return x.logIn(user, password) }), nil
}

func (x *submissionSession) logIn(user, password string) error {
	login, err := x.server.local.Service.Login(x.ctx, mailbox.Login{User: user, Secret: password, Peer: x.peer})
	if err != nil {
		return x.answer(err)
	}
	x.login = login
	// A device that is revoked sends nothing more, in the midst of a mail either.
	x.forget = login.AfterRevoked(func() { _ = x.conn.Close() })
	return nil
}

// Mail takes the user's addresses, and no address at all: clients send receipts for
// reading so (RFC 8098, 2.1). The From of the mail is looked at in either case.
func (x *submissionSession) Mail(from string, _ *smtp.MailOptions) error {
	if from == "" && x.login != nil {
		return nil
	}
	a, err := addr.Parse(from)
	switch {
	case x.login == nil:
		return x.answer(errLogin)
	case err != nil || !x.server.mayWrite(a):
		return x.answer(errSender)
	}
	return nil
}

// Rcpt takes every recipient. Whether there is a key for all of them is decided at
// the end: clients that are refused one go on with the others.
func (x *submissionSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	a, err := addr.Parse(to)
	if err != nil {
		return x.answer(errAddress)
	}
	x.to = append(x.to, a)
	return nil
}

func (x *submissionSession) Data(r io.Reader) error {
	return x.answer(x.server.accept(x.ctx, x.to, r))
}

func (x *submissionSession) Reset() { x.to = nil }

func (x *submissionSession) Logout() error {
	if x.login != nil {
		x.forget()
		x.login.Close()
	}
	return nil
}

// answer is what the engine may tell the client of an error: it would show the text
// of any other.
func (x *submissionSession) answer(err error) error {
	if err == nil {
		return nil
	}
	reply, foreseen := replyTo(err)
	if !foreseen {
		x.server.log.Error("mail from the client was not taken", "error", err)
	}
	return reply
}

// engineLog takes what the engine would print, which may hold what a client sent.
type engineLog struct{ log *slog.Logger }

func (l engineLog) Printf(format string, _ ...any) { l.log.Debug("smtp engine", "format", format) }
func (l engineLog) Println(...any)                 { l.log.Debug("smtp engine") }
