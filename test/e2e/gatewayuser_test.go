//go:build e2e

package e2e

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/pgp"
)

// gatewayUser is somebody whose mail client knows no OpenPGP: a running gateway, and
// the two connections of a mail client to it.
type gatewayUser struct {
	*gateway.Gateway
	t    *testing.T
	user account
	smtp string // where the mail client sends
	imap *imapclient.Client

	imapAt string // where it reads
}

// gatewayUser starts a gateway for an account of the relay, with a new key.
func (r *relay) gatewayUser(t *testing.T, a account) *gatewayUser {
	t.Helper()
	key, err := pgp.Generate(addr.MustParse(a.Address), pgp.KeyOptions{})
	must(t, err)
	return r.gatewayUserWith(t, a, key)
}

// gatewayUserWith starts a gateway for an account of the relay, with a key that is there.
func (r *relay) gatewayUserWith(t *testing.T, a account, key *pgp.Key) *gatewayUser {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Create(vault.Options{
		Dir: filepath.Join(dir, "vault"), Passphrase: func() (string, error) { return "x", nil },
		Stretch: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	})
	must(t, err)
	ca, err := os.ReadFile(r.CAFile)
	must(t, err)
	must(t, gateway.SaveAccount(v, gateway.Account{Address: a.Address, Password: a.Password, SMTPS: r.SMTPS, IMAPS: r.IMAPS, CA: ca}))
	must(t, gateway.AddKey(v, addr.MustParse(a.Address), key, time.Now()))
	store, err := sqlstore.Open(context.WithoutCancel(t.Context()), sqlstore.Options{
		Path: filepath.Join(dir, "mail.db"),
		KeyCheck: func(id seal.StoreID) seal.KeyCheck {
			k, err := gateway.StoreKey(v, id)
			must(t, err)
			return k.Check()
		},
	})
	must(t, err)
	g, err := gateway.Open(t.Context(), gateway.Options{Vault: v, Store: store, TempDir: dir, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	u := &gatewayUser{Gateway: g, t: t, user: a}
	t.Cleanup(func() {
		for _, c := range []io.Closer{g, store, v} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	u.serve()
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs the gateway until the test ends, and logs the mail client in.
func (u *gatewayUser) serve() {
	u.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(u.t.Context()))
	group, ctx := errgroup.WithContext(ctx)
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(u.t, err)
		return ln
	}
	submission, inbox := listen(), listen()
	u.smtp, u.imapAt = submission.Addr().String(), inbox.Addr().String()
	group.Go(func() error { return u.ServeSubmission(ctx, submission) })
	group.Go(func() error { return u.ServeIMAP(ctx, inbox) })
	group.Go(func() error { return u.Run(ctx) })
	var err error
	u.imap, err = imapclient.DialInsecure(inbox.Addr().String(), nil)
	must(u.t, err)
	must(u.t, u.imap.Login(u.Local().User, u.Local().Password).Wait())
	stopped := context.AfterFunc(ctx, func() { u.imap.Close() })
	u.t.Cleanup(func() {
		stopped()
		_ = u.imap.Close()
		cancel()
		if err := group.Wait(); err != nil {
			u.t.Error(err)
		}
	})
}

// send submits a mail as the user's mail client does.
func (u *gatewayUser) send(to []string, header, text string) {
	u.t.Helper()
	must(u.t, u.trySend(to, header, text))
}

func (u *gatewayUser) trySend(to []string, header, text string) error {
	host, _ := hostPort(u.t, u.smtp)
	auth := smtp.PlainAuth("", u.Local().User, u.Local().Password, host)
	msg := "From: <" + u.user.Address + ">\r\nTo: " + strings.Join(to, ", ") + "\r\nDate: " + time.Now().Format(time.RFC1123Z) + "\r\n" +
		header + "MIME-Version: 1.0\r\n"
	if !strings.Contains(header, "Content-Type") {
		msg += "Content-Type: text/plain; charset=utf-8\r\n"
	}
	return smtp.SendMail(u.smtp, auth, u.user.Address, to, []byte(msg+"\r\n"+text+"\r\n"))
}

// shown is a mail as the user's mail client gets it.
type shown struct {
	uid imap.UID
	*mail.Message
	text string
}

// await waits until a mailbox has a mail with that text in it, and returns it.
func (u *gatewayUser) await(mailbox, text string) shown {
	u.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		if m, ok := u.find(mailbox, text); ok {
			return m
		}
		select {
		case <-look.C:
		case <-late:
			status, err := u.Status()
			u.t.Fatalf("no mail with %q in %s of %s within %v; status %+v, %v", text, mailbox, u.user.Address, patience, status, err)
		}
	}
}

func (u *gatewayUser) find(mailbox, text string) (shown, bool) {
	u.t.Helper()
	if _, err := u.imap.Select(mailbox, nil).Wait(); err != nil {
		return shown{}, false // it is made with the first mail
	}
	found, err := u.imap.UIDSearch(&imap.SearchCriteria{Body: []string{text}}, nil).Wait()
	must(u.t, err)
	uids := found.AllUIDs()
	if len(uids) == 0 {
		return shown{}, false
	}
	whole := &imap.FetchItemBodySection{}
	got, err := u.imap.Fetch(imap.UIDSetNum(uids[0]), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	must(u.t, err)
	if len(got) != 1 {
		return shown{}, false
	}
	raw := string(got[0].FindBodySection(whole))
	m, err := mail.ReadMessage(strings.NewReader(raw))
	must(u.t, err)
	_, body, _ := strings.Cut(raw, "\r\n\r\n")
	return shown{uids[0], m, body}, true
}

// move moves a mail of the mailbox that was looked at last.
func (u *gatewayUser) move(m shown, to string) {
	u.t.Helper()
	_, err := u.imap.Move(imap.UIDSetNum(m.uid), to).Wait()
	must(u.t, err)
}

// awaitJoin waits until the invitation that the user followed has come to its end.
func (u *gatewayUser) awaitJoin() {
	u.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		joins, err := u.Joins()
		must(u.t, err)
		if len(joins) > 0 && joins[len(joins)-1].State == gateway.JoinDone {
			return
		}
		select {
		case <-look.C:
		case <-late:
			u.t.Fatalf("the invitation did not come to its end within %v: %+v", patience, joins)
		}
	}
}
