//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// shared is an account that several mail programs use at once, with one OpenPGP key.
type shared struct {
	*relay
	g     gnupg
	alice account // with a device password for other programs than Delta Chat
	phone *device // Delta Chat, whose device password deletes for itself only
	bob   account // a friend, who writes with gpg
}

// besideDeltaChat makes an account by the pages of a relay, sets Delta Chat up for it,
// with a device password of its own and the account's key, and has it fetch what a
// friend writes.
func besideDeltaChat(t *testing.T, text string) shared {
	t.Helper()
	r := start(t)
	alice, secret := r.signUp(t)
	s := shared{relay: r, alice: alice, bob: r.Accounts[1], g: newGnuPG(t, []account{alice, r.Accounts[1]})}
	s.phone = newCore(t).blankDevice(r.keeper(t, alice.Address, secret))
	s.phone.call(nil, "import_self_keys", s.phone.id, write(t, t.TempDir(), "key.asc", s.secretKey(t)), nil)
	s.phone.configure(r)
	s.write(t, text)
	return s
}

// secretKey returns the key of the account.
func (s shared) secretKey(t *testing.T) string {
	t.Helper()
	return run(t, "", s.g.env, "gpg", "--batch", "--armor", "--export-secret-keys", s.alice.Address)
}

// write has the friend write to Alice, with his key in the header, by which Delta Chat
// knows it. When it returns, Delta Chat, which takes the inbox for a queue, has shown
// the message and deleted it, and the relay has hidden it from Delta Chat's sessions.
func (s shared) write(t *testing.T, text string) {
	t.Helper()
	key := run(t, "", s.g.env, "gpg", "--batch", "--export-options", "export-minimal", "--export", s.bob.Address)
	autocrypt := "Autocrypt: addr=" + s.bob.Address + "; keydata=" + base64.StdEncoding.EncodeToString([]byte(key)) + "\r\nMIME-Version:"
	mail := strings.Replace(s.g.discreet(t, s.bob, s.alice, text), "MIME-Version:", autocrypt, 1)
	mail = strings.Replace(mail, "@client.invalid", "."+strconv.Itoa(len(text))+"@client.invalid", 1)
	submit(t, s.relay, s.bob, s.alice, mail)
	s.phone.awaitShown(text)
	w := watch(t, s.relay, s.phone.user, "INBOX")
	w.wait("Delta Chat has fetched", "an empty inbox", func() bool {
		data, err := w.Select("INBOX", nil).Wait()
		w.must(err)
		return data.NumMessages == 0
	})
}

// kept returns how many messages are there for other programs.
func (s shared) kept(t *testing.T) int {
	t.Helper()
	return len(imapFlags(t, s.relay, s.alice, "INBOX"))
}

// TestDeltaChatBesideNeomutt: what Delta Chat has deleted is there for neomutt, which
// reads it with gpg.
func TestDeltaChatBesideNeomutt(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	s := besideDeltaChat(t, "to all my programs")
	x := newTerminal(t, s.g.env, "neomutt -e 'set sort=mailbox-order' -F "+neomuttConfig(t, s.relay, s.alice, t.TempDir()))
	x.await(fmt.Sprintf("Msgs:%d", s.kept(t)))
	x.keys("Enter")
	x.await("to all my programs")
	x.keys("q", "q")
	x.awaitEnd()
}

// TestDeltaChatBesideThunderbird: what Delta Chat has deleted is there for Thunderbird,
// before and while it runs.
func TestDeltaChatBesideThunderbird(t *testing.T) {
	s := besideDeltaChat(t, "to all my programs")
	b := newThunderbird(t, s.relay, s.alice)
	for action, key := range map[string]string{
		"takeKey": s.secretKey(t), "acceptKey": run(t, "", s.g.env, "gpg", "--armor", "--export", s.bob.Address),
	} {
		var fault string
		if b.act(&fault, action, key); fault != "" {
			t.Fatalf("%s: %s", action, fault)
		}
	}
	kept := s.kept(t)
	b.awaitFolder("INBOX", kept)
	b.read(s.bob, "to all my programs", "message-signed-verified.svg")
	s.write(t, "and one more")
	b.awaitFolder("INBOX", kept+1)
	if now := s.kept(t); now != kept+1 {
		t.Errorf("%d messages are kept, want %d", now, kept+1)
	}
}
