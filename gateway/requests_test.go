package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

func TestDecisionOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		from    string
		fromUse mailbox.SpecialUse
		to      string
		toUse   mailbox.SpecialUse
		want    decision
	}{
		{"accepted", requestsName, 0, inboxName, 0, wanted},
		{"accepted into another mailbox", requestsName, 0, "Archive", mailbox.UseArchive, wanted},
		{"blocked", requestsName, 0, "Junk", mailbox.UseJunk, unwanted},
		{"deleted", requestsName, 0, "Trash", mailbox.UseTrash, undecided},
		{"copied where it is", requestsName, 0, requestsName, 0, undecided},
		{"pardoned", "Junk", mailbox.UseJunk, inboxName, 0, pardoned},
		{"junk deleted", "Junk", mailbox.UseJunk, "Trash", mailbox.UseTrash, undecided},
		{"junk asked about", "Junk", mailbox.UseJunk, requestsName, 0, undecided},
		{"a mail that is junk, of somebody known", inboxName, 0, "Junk", mailbox.UseJunk, undecided},
		{"filed", inboxName, 0, "Work", 0, undecided},
	}
	for _, tt := range tests {
		if got := decisionOf(tt.from, tt.fromUse, tt.to, tt.toUse); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// strangers are a relay with Alice, who has the gateway under test, and Bob, who knows
// her key and whom she does not know.
func strangers(t *testing.T) (relay *testRelay, alice, bob *home) {
	t.Helper()
	relay = newRelay(t)
	alice, bob = newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	bob.knows(t, alice.account.Address, alice.key.Cert())
	return relay, alice, bob
}

// mails lets Bob write, and Alice fetch.
func (h *home) mails(t *testing.T, to *home, subject string) {
	t.Helper()
	mail := plain(h.account.Address, to.account.Address, "", "x")
	mail = strings.Replace(mail, "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", subject, 1)
	mail = strings.Replace(mail, "<one@client.test>", "<"+subject+"@client.test>", 1)
	mail = strings.Replace(mail, "Mon, 23 Nov 2026 09:00:00 +0500", time.Now().Format(time.RFC1123Z), 1)
	must(t, h.submit(t, []string{to.account.Address}, mail))
	h.flush(t)
	to.sync(t)
}

func (h *home) wantHere(t *testing.T, want state) {
	t.Helper()
	got, _ := h.here(t)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
}

// TestRequests: the mail of a stranger waits in Requests, here and at the provider, and
// where the user puts it decides about the next ones.
func TestRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, to string
		next     string // where the next mail goes
		last     string // and the one after the next was moved to INBOX
	}{
		{"accepted", inboxName, inboxName, inboxName},
		{"blocked", "Junk", "Junk", inboxName},
		{"deleted", "Trash", requestsName, inboxName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, alice, bob := strangers(t)
			bob.mails(t, alice, "mail-1")
			alice.wantHere(t, state{requestsName: {"mail-1"}})
			if got := alice.mailHere(t, requestsName); len(got) != 1 || !strings.HasPrefix(got[0], "X-Restante-Status: new-key; ") {
				t.Errorf("the request is %q", got)
			}
			r := other(t, alice.account)
			alice.same(t, r, state{requestsName: {"mail-1"}})

			alice.copyHere(t, requestsName, "mail-1", tt.to, true)
			alice.sync(t)
			bob.mails(t, alice, "mail-2")
			want := state{}
			want[tt.to] = append(want[tt.to], "mail-1")
			want[tt.next] = append(want[tt.next], "mail-2")
			alice.wantHere(t, want)

			if tt.next != inboxName {
				alice.copyHere(t, tt.next, "mail-2", inboxName, true)
				alice.sync(t)
			}
			bob.mails(t, alice, "mail-3")
			here, _ := alice.here(t)
			if got := here[tt.last]; len(got) == 0 || got[len(got)-1] != "mail-3" {
				t.Errorf("after that: got %v, want mail-3 in %s", here, tt.last)
			}
		})
	}
}

// TestRequestsElsewhere: the user decides on another device, which moves the mail at
// the provider.
func TestRequestsElsewhere(t *testing.T) {
	t.Parallel()
	_, alice, bob := strangers(t)
	bob.mails(t, alice, "mail-1")
	r := other(t, alice.account)
	_, err := r.copy(requestsName, uidThere(t, r, requestsName), inboxName, true)
	must(t, err)
	alice.sync(t)
	bob.mails(t, alice, "mail-2")
	alice.wantHere(t, state{inboxName: {"mail-1", "mail-2"}})
}

// TestRequestsByAnswer: who was written to, or was introduced by somebody who was, is
// no stranger.
func TestRequestsByAnswer(t *testing.T) {
	t.Parallel()
	relay, alice, bob := strangers(t)
	bob.mails(t, alice, "mail-1")
	must(t, alice.submit(t, []string{"bob@relay.test"}, plain("alice@relay.test", "bob@relay.test", "", "x")))
	bob.mails(t, alice, "mail-2")
	alice.wantHere(t, state{inboxName: {"mail-2"}, requestsName: {"mail-1"}})

	carol := newHome(t, relay.account(t, "carol"))
	bob.knows(t, carol.account.Address, carol.key.Cert())
	both := strings.Replace(plain("bob@relay.test", "alice@relay.test, carol@relay.test", "", "x"), "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "mail-3", 1)
	must(t, bob.submit(t, []string{"alice@relay.test", "carol@relay.test"}, both))
	bob.flush(t)
	alice.sync(t)
	carol.knows(t, alice.account.Address, alice.key.Cert())
	carol.mails(t, alice, "mail-4")
	alice.wantHere(t, state{inboxName: {"mail-2", "mail-3", "mail-4"}, requestsName: {"mail-1"}})
	if got := alice.stands(t, carol.account.Address); got != Pinned {
		t.Errorf("Carol stands as %v, want pinned", got)
	}
}

// TestGossipOfStrangers: a stranger introduces nobody.
func TestGossipOfStrangers(t *testing.T) {
	t.Parallel()
	relay, alice, bob := strangers(t)
	carol := newHome(t, relay.account(t, "carol"))
	bob.knows(t, carol.account.Address, carol.key.Cert())
	both := strings.Replace(plain("bob@relay.test", "alice@relay.test, carol@relay.test", "", "x"), "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "mail-1", 1)
	must(t, bob.submit(t, []string{"alice@relay.test", "carol@relay.test"}, both))
	bob.flush(t)
	alice.sync(t)
	carol.knows(t, alice.account.Address, alice.key.Cert())
	carol.mails(t, alice, "mail-2")
	alice.wantHere(t, state{requestsName: {"mail-1", "mail-2"}})
}

// TestWelcome: decisions by command.
func TestWelcome(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	c := NewContacts(v)
	bob := addr.MustParse("bob@x.test")
	for _, step := range []struct {
		do                func(addr.Address) error
		accepted, blocked bool
	}{{c.Block, false, true}, {c.Block, false, true}, {c.Welcome, true, false}, {c.Welcome, true, false}, {c.Block, false, true}} {
		must(t, step.do(bob))
		if p, err := c.Peer(bob); err != nil || p.Accepted != step.accepted || p.Blocked != step.blocked {
			t.Errorf("got %v, %v, %v, want %v, %v", p.Accepted, p.Blocked, err, step.accepted, step.blocked)
		}
	}
}
