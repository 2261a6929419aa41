package gateway

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// client is the user's mail client, logged in to the gateway's submission server.
func (h *home) client(t *testing.T, ln net.Listener) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Auth(sasl.NewPlainClient("", h.Local().User, h.Local().Password)); err != nil {
		t.Fatal(err)
	}
	return c
}

// submit starts the submission server and sends one mail through it.
func (h *home) submit(t *testing.T, to []string, mail string) error {
	t.Helper()
	ln := listenLoopback(t)
	defer serve(t, func(ctx context.Context) error { return h.ServeSubmission(ctx, ln) })()
	c := h.client(t, ln)
	defer c.Close()
	return c.SendMail(h.account.Address, to, strings.NewReader(mail))
}

// flush sends what is in the outbox, at once.
func (h *home) flush(t *testing.T) {
	t.Helper()
	if _, err := h.sender.round(t.Context(), true); err != nil {
		t.Fatal(err)
	}
}

// plain is a mail as a client without OpenPGP writes it.
func plain(from, to, extra, text string) string {
	return "From: Alice Archer <" + from + ">\r\nTo: " + to + "\r\n" + extra +
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 23 Nov 2026 09:00:00 +0500\r\nMessage-ID: <one@client.test>\r\n" +
		"User-Agent: marker-agent\r\nX-Mailer: marker-mailer\r\nReceived: from marker-host\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n"
}

// TestSend: a mail from a client without OpenPGP reaches the recipient through a
// real relay: signed, encrypted, with its header, and nothing more than that.
func TestSend(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	bobAccount := relay.account(t, "bob")
	bob, bobKey := generate(t, bobAccount.Address)
	h := newHome(t, relay.account(t, "alice"))
	h.knows(t, bob.String(), bobKey.Cert())

	mail := plain(h.account.Address, "Bob <bob@relay.test>", "", "marker-text")
	if err := h.submit(t, []string{bob.String()}, mail); err != nil {
		t.Fatal(err)
	}
	h.flush(t)

	inbox := relay.inbox(t, bobAccount)
	if len(inbox) != 1 {
		t.Fatalf("got %d mails, want 1", len(inbox))
	}
	got := openMail(t, inbox[0], bobKey, h.key.Cert())
	if got.Signature != pgp.GoodSignature || !got.Protected || !strings.Contains(got.text, "\r\n\r\nmarker-text\r\n") {
		t.Errorf("signature %v, protected %v, text %q", got.Signature, got.Protected, got.text)
	}
	for name, want := range map[string]string{
		"From": "Alice Archer <alice@relay.test>", "To": "Bob <bob@relay.test>", "Subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
		"Message-ID": "<one@client.test>", "Date": "Mon, 23 Nov 2026 04:00:00 +0000", "User-Agent": "", "X-Mailer": "", "Received": "",
	} {
		if got.get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.get(name), want)
		}
	}
	if a, ok := pgp.FindAutocrypt(got.Header, addr.MustParse(h.account.Address)); !ok || a.Cert.Fingerprint() != h.key.Fingerprint() {
		t.Error("the sender's certificate is not in the protected header")
	}
	for _, secret := range []string{"marker", "Archer", "Gr=C3", "bob@relay.test"} {
		if strings.Contains(got.raw, secret) {
			t.Errorf("the relay saw %q", secret)
		}
	}
	if openMail(t, inbox[0], h.key).OpenedBy != h.key.Fingerprint() {
		t.Error("the sender can't read the mail")
	}
	if left, err := h.Outbox(); err != nil || len(left) != 0 {
		t.Errorf("the outbox has %d mails, %v", len(left), err)
	}
}

// TestBcc: those in Bcc get a message each, and the others' has no trace of them.
func TestBcc(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	h := newHome(t, relay.account(t, "alice"))
	accounts, people := map[string]Account{}, map[string]*pgp.Key{}
	for _, name := range []string{"bob", "carol", "dave", "erin"} {
		accounts[name] = relay.account(t, name)
		_, people[name] = generate(t, accounts[name].Address)
		h.knows(t, accounts[name].Address, people[name].Cert())
	}
	mail := plain(h.account.Address, "bob@relay.test", "Cc: carol@relay.test\r\nBcc: dave@relay.test\r\n", "hello")
	to := []string{"bob@relay.test", "carol@relay.test", "dave@relay.test", "erin@relay.test"}
	if err := h.submit(t, to, mail); err != nil {
		t.Fatal(err)
	}
	h.flush(t)

	var raws []string
	for _, name := range []string{"bob", "carol", "dave", "erin"} {
		inbox := relay.inbox(t, accounts[name])
		if len(inbox) != 1 {
			t.Fatalf("%s has %d mails, want 1", name, len(inbox))
		}
		got := openMail(t, inbox[0], people[name], h.key.Cert())
		outer, _, _ := strings.Cut(got.raw, "BEGIN PGP")
		all := outer + got.text
		// With a character that base64 has not: keys are random.
		for _, hidden := range []string{"dave@", "erin@", "Bcc:"} {
			if strings.Contains(all, hidden) {
				t.Errorf("%s's mail shows %q", name, hidden)
			}
		}
		want := 2 * 2 // keys of the recipient and of the sender
		if name == "bob" || name == "carol" {
			want = 3 * 2
		}
		if got.Recipients != want || got.Anonymous != want {
			t.Errorf("%s's mail opens with %d keys, %d unnamed, want %d", name, got.Recipients, got.Anonymous, want)
		}
		var gossip []string
		for _, g := range pgp.FindGossip(got.Header) {
			gossip = append(gossip, g.Addr.String())
		}
		if diff := cmp.Diff(gossip, []string{"bob@relay.test", "carol@relay.test"}); diff != "" {
			t.Errorf("%s learns of keys: got - want +\n%s", name, diff)
		}
		_, armor, _ := strings.Cut(got.raw, "BEGIN PGP")
		raws = append(raws, armor)
	}
	if raws[0] != raws[1] || raws[0] == raws[2] || raws[2] == raws[3] {
		t.Error("Bob and Carol must get one message, Dave and Erin one each")
	}
}

// TestRefused: what can't be sent to all is sent to none, and the answer says why.
func TestRefused(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	h := newHome(t, relay.account(t, "alice"))
	_, bob := generate(t, "bob@relay.test")
	_, other := generate(t, "held@relay.test")
	_, newer := generate(t, "held@relay.test")
	h.knows(t, "bob@relay.test", bob.Cert())
	h.knows(t, "held@relay.test", other.Cert())
	h.knows(t, "held@relay.test", newer.Cert())
	alice := h.account.Address
	encrypted := "From: <" + alice + ">\r\nTo: bob@relay.test\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/encrypted; boundary=x\r\n\r\n--x\r\n\r\n--x--\r\n"
	tests := []struct {
		name string
		to   []string
		mail string
		code int
		say  []string
	}{
		{"no key", []string{"bob@relay.test", "carol@x.test", "dave@y.test"}, plain(alice, "bob@relay.test", "", "x"), 523,
			[]string{"Nothing was sent", "carol@x.test, dave@y.test", "invitation"}},
		{"a changed key", []string{"held@relay.test", "bob@relay.test"}, plain(alice, "held@relay.test", "", "x"), 523,
			[]string{"held@relay.test has changed", "accept"}},
		{"both", []string{"held@relay.test", "carol@x.test"}, plain(alice, "held@relay.test", "", "x"), 523,
			[]string{"held@relay.test", "carol@x.test"}},
		{"somebody else's address", []string{"bob@relay.test"}, plain("eve@relay.test", "bob@relay.test", "", "x"), 550, []string{"sender"}},
		{"encrypted by the client", []string{"bob@relay.test"}, encrypted, 554, []string{"encrypted already"}},
		{"two senders", []string{"bob@relay.test"}, "From: eve@relay.test\r\n" + plain(alice, "bob@relay.test", "", "x"), 550, []string{"sender"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := h.submit(t, tt.to, tt.mail)
			var answer *smtp.SMTPError
			if !errors.As(err, &answer) || answer.Code != tt.code {
				t.Fatalf("got %v, want %d", err, tt.code)
			}
			for _, say := range tt.say {
				if !strings.Contains(answer.Message, say) {
					t.Errorf("the answer %q does not say %q", answer.Message, say)
				}
			}
			if strings.Contains(answer.Message, "bob@") {
				t.Errorf("the answer %q names Bob, whose key is there", answer.Message)
			}
		})
	}
	if items, err := h.Outbox(); err != nil || len(items) != 0 {
		t.Errorf("the outbox has %d mails, %v", len(items), err)
	}
}

// TestClientLogin: only who has the generated password can send.
func TestClientLogin(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	ln := listenLoopback(t)
	serve(t, func(ctx context.Context) error { return h.ServeSubmission(ctx, ln) })
	dial := func() *smtp.Client {
		c, err := smtp.Dial(ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	user, password := h.Local().User, h.Local().Password
	if len(password) < 26 {
		t.Errorf("the password %q is short", password)
	}
	for name, login := range map[string]sasl.Client{
		"PLAIN": sasl.NewPlainClient("", user, password), "LOGIN": sasl.NewLoginClient(user, password),
	} {
		if err := dial().Auth(login); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var answer *smtp.SMTPError
	if err := dial().Auth(sasl.NewPlainClient("", user, "wrong")); !errors.As(err, &answer) || answer.Code != 535 {
		t.Errorf("wrong password: got %v, want 535", err)
	}
	if err := dial().Mail(user, nil); !errors.As(err, &answer) || answer.Code/100 != 5 {
		t.Errorf("no login: got %v, want a refusal", err)
	}
	c := dial()
	if err := c.Auth(sasl.NewPlainClient("", user, password)); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail("eve@relay.test", nil); !errors.As(err, &answer) || answer.Code != 550 {
		t.Errorf("another sender: got %v, want 550", err)
	}
}

// TestOutboxSurvives: a mail that was accepted while the provider could not be
// reached is sealed on disk, is there after a restart, and is sent once.
func TestOutboxSurvives(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	bobAccount := relay.account(t, "bob")
	_, bobKey := generate(t, bobAccount.Address)
	account := relay.account(t, "alice")
	account.SMTPS = "127.0.0.1:1" // nobody listens there
	h := newHome(t, account)
	h.knows(t, bobAccount.Address, bobKey.Cert())
	if err := h.submit(t, []string{bobAccount.Address}, plain(account.Address, bobAccount.Address, "", "marker-text")); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	items, err := h.Outbox()
	if err != nil || len(items) != 1 || items[0].Attempts != 1 || items[0].Trouble == "" || !items[0].Next.After(items[0].Accepted) {
		t.Fatalf("got %+v, %v, want one mail that was tried once", items, err)
	}
	h.scan(t, "marker", "bob@relay.test", "alice@relay.test", account.Password, h.Local().Password)

	account.SMTPS = relay.smtps
	if err := SaveAccount(h.vault, account); err != nil {
		t.Fatal(err)
	}
	h.reopen(t)
	h.flush(t)
	h.flush(t)
	if n := len(relay.inbox(t, bobAccount)); n != 1 {
		t.Errorf("Bob has %d mails, want 1", n)
	}
	if items, err = h.Outbox(); err != nil || len(items) != 0 {
		t.Errorf("the outbox has %d mails, %v", len(items), err)
	}
	h.scan(t, "marker", "bob@relay.test", "alice@relay.test", account.Password, h.Local().Password)
}

// scan looks for secrets in everything that the gateway has on disk.
func (h *home) scan(t *testing.T, secrets ...string) {
	t.Helper()
	files := 0
	for _, dir := range []string{h.dir, h.options.Dir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			b, err := os.ReadFile(path)
			for _, s := range secrets {
				if bytes.Contains(b, []byte(s)) || strings.Contains(path, s) {
					t.Errorf("%s shows %q", filepath.Base(path), s)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Errorf("only %d files were looked at", files)
	}
}

// TestLost: a mail that the provider refuses for good comes back to the user, as it
// was written, and nobody has it.
func TestLost(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	bobAccount := relay.account(t, "bob")
	_, bobKey := generate(t, bobAccount.Address)
	_, nobody := generate(t, "nobody@relay.test")
	h := newHome(t, relay.account(t, "alice"))
	h.knows(t, bobAccount.Address, bobKey.Cert())
	h.knows(t, "nobody@relay.test", nobody.Cert())
	mail := plain(h.account.Address, "bob@relay.test, nobody@relay.test", "", "what I wrote")
	if err := h.submit(t, []string{"bob@relay.test", "nobody@relay.test"}, mail); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	if n := len(relay.inbox(t, bobAccount)); n != 0 {
		t.Errorf("Bob has %d mails, want none", n)
	}
	if items, err := h.Outbox(); err != nil || len(items) != 0 {
		t.Errorf("the outbox has %d mails, %v", len(items), err)
	}
	inbox := mailIn(t, h.Local().Session, mailbox.Inbox)
	if len(inbox) != 1 {
		t.Fatalf("the user has %d mails, want the report", len(inbox))
	}
	for _, want := range []string{
		"Subject: Not sent: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "X-Restante-Status: not-sent",
		"the provider refused nobody@relay.test", "what I wrote", "Content-Type: message/rfc822",
	} {
		if !strings.Contains(string(inbox[0]), want) {
			t.Errorf("the report does not say %q:\n%s", want, inbox[0])
		}
	}
}

// TestRunSends: what the client submits leaves by itself, without a wait for the
// next round.
func TestRunSends(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	bobAccount := relay.account(t, "bob")
	_, bobKey := generate(t, bobAccount.Address)
	h := newHome(t, relay.account(t, "alice"))
	h.knows(t, bobAccount.Address, bobKey.Cert())
	session, err := relay.service.Login(t.Context(), mailbox.Login{User: bobAccount.Address, Secret: bobAccount.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	arrived := make(chan struct{}, 10)
	defer session.Notify(func() { arrived <- struct{}{} })()
	serve(t, h.Run)
	if err := h.submit(t, []string{bobAccount.Address}, plain(h.account.Address, bobAccount.Address, "", "hi")); err != nil {
		t.Fatal(err)
	}
	late := time.After(testTimeout)
	for len(relay.inbox(t, bobAccount)) == 0 { // a hint may be of something else
		select {
		case <-arrived:
		case <-late:
			t.Fatal("the mail did not arrive")
		}
	}
	if n := len(relay.inbox(t, bobAccount)); n != 1 {
		t.Errorf("Bob has %d mails, want 1", n)
	}
}

// TestSweepOutbox: messages that a crash left without their item are removed, and
// those of items stay.
func TestSweepOutbox(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	a := addr.MustParse(h.account.Address)
	mail := plain(a.String(), a.String(), "", "to myself")
	if err := h.Send(t.Context(), []addr.Address{a}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	if err := h.vault.PutBlob(outgoKind, "left", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	h.reopen(t)
	if _, err := h.vault.OpenBlob(outgoKind, "left"); err == nil {
		t.Error("the message without an item is still there")
	}
	items, err := h.Outbox()
	if err != nil || len(items) != 1 {
		t.Fatalf("got %d items, %v, want 1", len(items), err)
	}
	b, err := h.vault.OpenBlob(outgoKind, items[0].Parts[0].Blob)
	if err != nil {
		t.Fatalf("the item's message is gone: %v", err)
	}
	b.Close()
	if !slices.Equal(items[0].Parts[0].To, []string{a.String()}) {
		t.Errorf("got recipients %v", items[0].Parts[0].To)
	}
}

// TestLostAndDamaged: a mail that can be neither sent nor read is reported all the same.
func TestLostAndDamaged(t *testing.T) {
	t.Parallel()
	h := newHome(t, Account{Address: "alice@relay.test", SMTPS: "127.0.0.1:1"})
	a := addr.MustParse(h.account.Address)
	if err := h.Send(t.Context(), []addr.Address{a}, strings.NewReader(plain(a.String(), a.String(), "", "x"))); err != nil {
		t.Fatal(err)
	}
	items, err := h.Outbox()
	if err != nil || len(items) != 1 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	if err := h.vault.Delete(outgoKind, items[0].Parts[0].Blob); err != nil {
		t.Fatal(err)
	}
	h.sender.now = func() time.Time { return items[0].Accepted.Add(giveUpAfter) }
	h.flush(t)
	inbox := mailIn(t, h.Local().Session, mailbox.Inbox)
	if len(inbox) != 1 || !strings.Contains(string(inbox[0]), "can't be read any more") {
		t.Errorf("got %d mails %q, want the report", len(inbox), inbox)
	}
}
