//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// TestNeomuttNoKey: neomutt, which knows no OpenPGP, writes to two people, one of whom has no key. Nothing leaves, and
// neomutt's user reads for whom a key is missing.
func TestNeomuttNoKey(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	r := start(t, "--accounts", "3")
	alice, bob, stranger := r.gatewayUser(t, r.Accounts[0]), r.gatewayUser(t, r.Accounts[1]), r.Accounts[2]
	bob.meet(alice)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	writer := newTerminal(t, nil, fmt.Sprintf("neomutt -F %s -d 1 -l %s -s hello -i %s %s %s", alice.neomutt(dir), log,
		write(t, dir, "text", "Dear both\n"), bob.user.Address, stranger.Address))
	writer.await("y:Send")
	writer.keys("y")
	awaitLine(t, log+"0", "No key for "+stranger.Address) // what it shows for a moment
	writer.keys("q", "n")                                 // and no draft of it
	writer.awaitEnd()
	if left, err := alice.Outbox(); err != nil || len(left) != 0 {
		t.Errorf("the outbox has %d mails, %v; want none", len(left), err)
	}
	alice.send([]string{bob.user.Address}, "Subject: alone\r\n", "Dear Bob alone")
	bob.await("INBOX", "Dear Bob alone")
	if m, ok := bob.find("INBOX", "Dear both"); ok {
		t.Errorf("the refused mail reached Bob: %q", m.text)
	}
}

// awaitLine waits until a file has a text in it.
func awaitLine(t *testing.T, file, text string) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		b, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(b), text) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("no %q in %s, %v:\n%s", text, file, err, b)
		}
	}
}

// TestGatewayKeyChanges: Bob, with Delta Chat, comes back with a new phone and so a new key. Alice's mail client shows
// that, mail to him is held with a word on what to do, and goes to the new key once she has accepted it.
func TestGatewayKeyChanges(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice, phone := r.gatewayUser(t, r.Accounts[0]), newCore(t).device(r, r.Accounts[1])
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	var chat int
	phone.call(&chat, "secure_join", phone.id, i.Link())
	phone.awaitDone("SecurejoinJoinerProgress")
	phone.write(chat, "said the old phone")
	alice.await("INBOX", "said the old phone")
	var card string
	phone.call(&card, "make_vcard", phone.id, []int{phone.contactOf(alice.user.Address)})
	phone.goOffline()

	next := newCore(t).device(r, r.Accounts[1])
	var contacts []int
	next.call(&contacts, "import_vcard_contents", next.id, card)
	next.call(&chat, "create_chat_by_contact_id", next.id, contacts[0])
	next.write(chat, "said the new phone")
	if subject := alice.await("INBOX", "said the new phone").Header.Get("Subject"); !strings.HasPrefix(subject, "[KEY CHANGED] ") {
		t.Errorf("Alice's client shows the subject %q", subject)
	}
	to := []string{phone.user.Address}
	err = alice.trySend(to, "Subject: Re: new phone\r\n", "is it you?")
	if err == nil || !strings.Contains(err.Error(), phone.user.Address+" has changed") || !strings.Contains(err.Error(), "restante gateway accept") {
		t.Fatalf("got %v, want that the key has changed and what to do", err)
	}
	bob := addr.MustParse(phone.user.Address)
	p, err := alice.Contacts().Peer(bob)
	must(t, err)
	must(t, alice.Contacts().Accept(bob, p.Proposed))
	alice.send(to, "Subject: Re: new phone\r\n", "it is you")
	next.receiveSaid("it is you")
}
