//go:build e2e

package e2e

import (
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// meet lets one gateway's user follow another's invitation.
func (u *gatewayUser) meet(other *gatewayUser) {
	u.t.Helper()
	i, err := other.Invite(u.t.Context(), "")
	must(u.t, err)
	_, err = u.Accept(u.t.Context(), i.Link())
	must(u.t, err)
	u.awaitJoin()
	u.verified(other.user.Address)
	other.verified(u.user.Address)
}

// TestMixedGroup is a group of four: two have gateways, one Delta Chat, one writes
// with gpg and knows nothing of groups. Each of them writes to all, and all read it.
func TestMixedGroup(t *testing.T) {
	t.Parallel()
	r := start(t, "--accounts", "4")
	alice, bob := r.gatewayUser(t, r.Accounts[0]), r.gatewayUser(t, r.Accounts[1])
	carol, dave := newCore(t).device(r, r.Accounts[2]), r.Accounts[3]
	g := newGnuPG(t, []account{dave})
	bob.meet(alice)
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	var chat int
	carol.call(&chat, "secure_join", carol.id, i.Link())
	carol.awaitDone("SecurejoinJoinerProgress")
	cert, err := pgp.ParseCert([]byte(run(t, "", g.env, "gpg", "--armor", "--export", dave.Address)))
	must(t, err)
	must(t, alice.Contacts().Import(addr.MustParse(dave.Address), cert, time.Now()))

	_, err = alice.NewGroup(t.Context(), "Family", addr.MustParse(bob.user.Address), addr.MustParse(carol.user.Address), addr.MustParse(dave.Address))
	must(t, err)
	alice.send([]string{"family@group.local"}, "Subject: hello\r\n", "said Alice")
	bob.await("INBOX", "said Alice")
	atCarol := carol.inGroup("said Alice", "Family", 4)
	first := r.awaitGPG(t, g, dave, 1)
	if !strings.Contains(first.text, "said Alice") {
		t.Fatalf("gpg reads %q", first.text)
	}

	bob.send([]string{"family@group.local"}, "Subject: Re: hello\r\n", "said Bob")
	alice.await("INBOX", "said Bob")
	carol.receiveSaid("said Bob")
	r.awaitGPG(t, g, dave, 2)

	carol.write(atCarol, "said Carol")
	alice.await("INBOX", "said Carol")
	bob.await("INBOX", "said Carol")
	r.awaitGPG(t, g, dave, 3)

	first.importKeys(t, g)
	to, msg := first.reply(t, g, dave, "said Dave")
	must(t, r.smtp(t, dave).SendMail(dave.Address, to, strings.NewReader(msg)))
	for _, u := range []*gatewayUser{alice, bob} {
		if to := u.await("INBOX", "said Dave").Header.Get("To"); to != `"Family" <family@group.local>` {
			t.Errorf("%s would answer %q", u.user.Address, to)
		}
	}
	if m := carol.receiveSaid("said Dave"); m.ChatID != atCarol {
		t.Errorf("Dave's mail is in chat %d, want %d", m.ChatID, atCarol)
	}
}

// gpgMail is a mail that gpg has opened: its protected header and its text.
type gpgMail struct {
	header mail.Header
	text   string
}

// awaitGPG waits until an account has n mails, and opens the last one.
func (r *relay) awaitGPG(t *testing.T, g gnupg, a account, n uint32) gpgMail {
	t.Helper()
	c := r.imap(t, a)
	late := time.After(patience)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		box, err := c.Select("INBOX", nil).Wait()
		must(t, err)
		if box.NumMessages >= n {
			break
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("%s has %d mails, want %d", a.Address, box.NumMessages, n)
		}
	}
	whole := &imap.FetchItemBodySection{}
	got, err := c.Fetch(imap.SeqSetNum(n), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	must(t, err)
	inner := g.read(t, string(got[0].FindBodySection(whole))) // the key comes with the mail
	m, err := mail.ReadMessage(strings.NewReader(inner))
	must(t, err)
	return gpgMail{m.Header, inner}
}

// importKeys takes the keys that came with the mail, its sender's and the gossip, as
// mail clients do.
func (m gpgMail) importKeys(t *testing.T, g gnupg) {
	t.Helper()
	for _, name := range []string{"Autocrypt", "Autocrypt-Gossip"} {
		for _, value := range m.header[name] {
			a, err := pgp.ParseAutocrypt(value)
			must(t, err)
			file := filepath.Join(t.TempDir(), "key")
			must(t, os.WriteFile(file, a.Cert.Bytes(), 0o600))
			run(t, "", g.env, "gpg", "--batch", "--quiet", "--import", file)
		}
	}
}

// reply answers to all with gpg, and protects the header as Thunderbird does: what
// stands only outside, Delta Chat (2.62) does not look at.
func (m gpgMail) reply(t *testing.T, g gnupg, from account, text string) (to []string, msg string) {
	t.Helper()
	args := []string{"--batch", "--quiet", "--trust-model", "always", "--armor", "--encrypt", "--sign", "--local-user", from.Address}
	for _, field := range []string{"From", "To"} {
		list, err := m.header.AddressList(field)
		must(t, err)
		for _, a := range list {
			args = append(args, "--recipient", a.Address)
			if a.Address != from.Address {
				to = append(to, a.Address)
			}
		}
	}
	id := m.header.Get("Message-ID")
	header := fmt.Sprintf("From: <%s>\nTo: <%s>\nSubject: Re: hello\nMessage-ID: <answer@client.invalid>\nIn-Reply-To: %s\nReferences: %s\nDate: %s\n",
		from.Address, strings.Join(to, ">, <"), id, id, time.Now().Format(time.RFC1123Z))
	inner := header + "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\n\n" + text + "\n"
	armored := run(t, inner, g.env, "gpg", args...)
	msg = fmt.Sprintf("%sMIME-Version: 1.0\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"b1\"\n\n"+
		"--b1\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b1\nContent-Type: application/octet-stream\n\n%s\n--b1--\n",
		strings.Replace(header, "Re: hello", "...", 1), armored)
	return to, strings.ReplaceAll(msg, "\n", "\r\n")
}
