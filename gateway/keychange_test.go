package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// TestKeyChangeHolds: somebody writes with another key than before. Mail to them is held
// back, with a word on what to do, until the user accepts the key.
func TestKeyChangeHolds(t *testing.T) {
	t.Parallel()
	_, alice, bob, _ := friends(t)
	again := newHome(t, bob.account) // Bob on a new machine, with a new key
	again.knows(t, alice.account.Address, alice.key.Cert())
	again.mails(t, alice, "mail-1")
	if got := alice.mailHere(t, inboxName); len(got) != 1 || !strings.Contains(got[0], "\r\nSubject: [KEY CHANGED] mail-1\r\n") {
		t.Errorf("Alice reads %q", got)
	}
	write := func() error {
		return alice.submit(t, []string{"bob@relay.test"}, plain("alice@relay.test", "bob@relay.test", "", "x"))
	}
	err := write()
	if err == nil || !strings.Contains(err.Error(), "bob@relay.test has changed") || !strings.Contains(err.Error(), "restante gateway accept") {
		t.Errorf("got %v, want what to do about the key", err)
	}
	if left, err := alice.Outbox(); err != nil || len(left) != 0 {
		t.Errorf("the outbox has %d mails, %v", len(left), err)
	}
	must(t, alice.Contacts().Accept(addr.MustParse("bob@relay.test"), again.key.Fingerprint()))
	must(t, write())
	exchange(t, alice, again)
	if got := again.mailHere(t, inboxName); len(got) != 1 && len(again.mailHere(t, requestsName)) != 1 {
		t.Errorf("Bob has %d mails, want 1", len(got))
	}
}

// TestKeyTransition: the pinned key itself names its successor, and nothing is held.
func TestKeyTransition(t *testing.T) {
	t.Parallel()
	r := newReading(t)
	bob, old := generate(t, "bob@x.test")
	_, next := generate(t, "bob@x.test")
	r.read(t, r.compose(t, testMail{from: "bob@x.test", key: old, autocrypt: old, date: time.Now().Add(-time.Hour)}))
	must(t, r.contacts.Welcome(bob))
	v, _ := r.read(t, r.compose(t, testMail{from: "bob@x.test", key: old, autocrypt: next}))
	if v.State != Good || v.Signer != old.Fingerprint() {
		t.Errorf("got %+v, want good", v)
	}
	if c, standing, err := r.contacts.Cert(bob, time.Now()); err != nil || c.Fingerprint() != next.Fingerprint() || standing != Pinned {
		t.Errorf("got standing %v, %v, want the new key, pinned", standing, err)
	}
	v, _ = r.read(t, r.compose(t, testMail{from: "bob@x.test", key: next, autocrypt: next}))
	if v.State != Good || v.Signer != next.Fingerprint() {
		t.Errorf("by the new key: got %+v, want good", v)
	}
}
