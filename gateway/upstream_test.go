package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/listen"
)

// newStartTLS is a provider with TLS after STARTTLS only, whose user names are no
// addresses, as some are.
func newStartTLS(t *testing.T) Account {
	t.Helper()
	certs, err := listen.OpenTLS(listen.TLSOptions{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	memory := imapmemserver.New()
	memory.AddUser(imapmemserver.NewUser("alice", "secret"))
	in := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}}, TLSConfig: certs.Config("imap"),
	})
	out := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return authOnly{}, nil }))
	out.TLSConfig, out.ErrorLog = certs.Config("smtp"), engineLog{Options{}.withDefaults().Log}
	inLn, outLn := listenLoopback(t), listenLoopback(t)
	for _, s := range []interface {
		io.Closer
		run() error
	}{runner{in, func() error { return in.Serve(inLn) }}, runner{out, func() error { return out.Serve(outLn) }}} {
		done := make(chan struct{})
		go func() { defer close(done); _ = s.run() }() // it ends with an error by Close
		t.Cleanup(func() { _ = s.Close(); <-done })
	}
	return Account{Address: "alice@foreign.test", User: "alice", Password: "secret", CA: certs.CA(),
		IMAPS: inLn.Addr().String(), SMTPS: outLn.Addr().String(), IMAPStartTLS: true, SMTPStartTLS: true}
}

type runner struct {
	io.Closer
	serve func() error
}

func (r runner) run() error { return r.serve() }

// authOnly is submission as far as logging in.
type authOnly struct{ smtp.Session }

func (authOnly) AuthMechanisms() []string { return []string{sasl.Plain} }
func (authOnly) Logout() error            { return nil }
func (authOnly) Reset()                   {}
func (authOnly) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "alice" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func TestCheck(t *testing.T) {
	t.Parallel()
	ours := newRelay(t).account(t, "alice")
	foreign := newStartTLS(t)
	with := func(a Account, f func(*Account)) Account { f(&a); return a }
	for _, c := range []struct {
		name    string
		account Account
		want    func(error) bool
	}{
		{"our relay", ours, func(err error) bool { return err == nil }},
		{"STARTTLS and a user name", foreign, func(err error) bool { return err == nil }},
		{"a wrong password", with(ours, func(a *Account) { a.Password = "wrong" }), func(err error) bool { return errors.Is(err, ErrPassword) }},
		{"a wrong password there", with(foreign, func(a *Account) { a.User = "bob" }), func(err error) bool { return errors.Is(err, ErrPassword) }},
		{"an authority that is not trusted", with(foreign, func(a *Account) { a.CA = nil }), func(err error) bool {
			var bad *tls.CertificateVerificationError
			return errors.As(err, &bad)
		}},
		{"nobody there", with(ours, func(a *Account) { a.IMAPS = "127.0.0.1:1" }), func(err error) bool { return err != nil && !errors.Is(err, ErrPassword) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u, err := c.account.Upstream()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			if err := u.Check(ctx); !c.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
