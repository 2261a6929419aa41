package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// exchange lets every home send and fetch, until nobody has anything to send.
func exchange(t *testing.T, homes ...*home) {
	t.Helper()
	for range 10 {
		waiting := 0
		for _, h := range homes {
			h.flush(t)
		}
		for _, h := range homes {
			h.sync(t)
			items, err := h.Outbox()
			must(t, err)
			waiting += len(items)
		}
		if waiting == 0 {
			return
		}
	}
	t.Error("they never come to an end")
}

// stands returns what an address is to a home.
func (h *home) stands(t *testing.T, address string) Standing {
	t.Helper()
	p, err := h.Contacts().Peer(addr.MustParse(address))
	must(t, err)
	_, standing, _ := p.Fingerprint()
	return standing
}

func (h *home) joinStates(t *testing.T) (states []JoinState) {
	t.Helper()
	joins, err := h.Joins()
	must(t, err)
	for _, x := range joins {
		states = append(states, x.State)
	}
	return states
}

// TestJoin: two gateways meet by an invitation, with restarts between the steps. Both
// have verified the other, and nothing of it is left in anybody's mailbox.
func TestJoin(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	x, err := bob.Accept(t.Context(), i.Link())
	must(t, err)
	if x.State != JoinAsked {
		t.Errorf("got %v, want asked", x.State)
	}
	for range 6 {
		for _, h := range []*home{bob, alice} {
			h.flush(t)
			h.reopen(t)
			h.sync(t)
		}
	}
	if diff := cmp.Diff(bob.joinStates(t), []JoinState{JoinDone}); diff != "" {
		t.Errorf("got - want +\n%s", diff)
	}
	for _, pair := range [][2]*home{{alice, bob}, {bob, alice}} {
		if got := pair[0].stands(t, pair[1].account.Address); got != Verified {
			t.Errorf("%s stands as %v, want verified", pair[1].account.Address, got)
		}
		if here, _ := pair[0].here(t); len(here) != 0 {
			t.Errorf("left here: %v", here)
		}
		if left := relay.inbox(t, pair[0].account); len(left) != 0 {
			t.Errorf("%d mails are left at the relay", len(left))
		}
	}
	must(t, bob.submit(t, []string{"alice@relay.test"}, plain("bob@relay.test", "alice@relay.test", "", "mail-1")))
	exchange(t, alice, bob)
	if got := alice.mailHere(t, "INBOX"); len(got) != 1 || !strings.HasPrefix(got[0], "X-Restante-Status: good; ") {
		t.Errorf("Alice reads %q", got)
	}
}

// mailHere returns the mail in a local mailbox.
func (h *home) mailHere(t *testing.T, box string) (list []string) {
	t.Helper()
	f, err := h.Local().Session.Folder(t.Context(), box)
	if err != nil {
		return nil // not made yet
	}
	for _, m := range mailIn(t, h.Local().Session, f.ID) {
		list = append(list, string(m))
	}
	return list
}

// TestJoinKnown: the inviter's key is known already. One step less is needed, and the
// key is verified at once.
func TestJoinKnown(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	bob.knows(t, alice.account.Address, alice.key.Cert())
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	x, err := bob.Accept(t.Context(), i.Link())
	must(t, err)
	if x.State != JoinIntroduced || bob.stands(t, alice.account.Address) != Verified {
		t.Errorf("got %v, standing %v", x.State, bob.stands(t, alice.account.Address))
	}
	exchange(t, alice, bob)
	if got := bob.joinStates(t); !slices.Equal(got, []JoinState{JoinDone}) {
		t.Errorf("got %v, want done", got)
	}
}

// TestJoinEnds: an invitation that was withdrawn, or is over a week old, opens nothing,
// and is not in the vault any more.
func TestJoinEnds(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"withdrawn", "old"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			relay := newRelay(t)
			alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
			i, err := alice.Invite(t.Context(), "")
			must(t, err)
			_, err = bob.Accept(t.Context(), i.Link())
			must(t, err)
			if how == "withdrawn" {
				must(t, alice.Withdraw(t.Context(), i))
			} else {
				later := func() time.Time { return time.Now().Add(invitationTerm + time.Minute) }
				alice.joins.now, bob.joins.now = later, later
				_, err := alice.Joins() // what is over is forgotten
				must(t, err)
			}
			exchange(t, alice, bob)
			if got := alice.stands(t, bob.account.Address); got != Unknown {
				t.Errorf("Bob stands as %v", got)
			}
			must(t, eachRecord(alice.vault, inviteKind, func(string, inviteRecord) error {
				t.Error("the invitation is still there")
				return nil
			}))
			if how == "old" && len(bob.joinStates(t)) != 0 {
				t.Error("Bob still waits")
			}
		})
	}
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice := newHome(t, relay.account(t, "alice"))
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	if _, err := alice.Accept(t.Context(), i.Link()); !errors.Is(err, ErrInvitation) {
		t.Errorf("one's own: got %v, want ErrInvitation", err)
	}
	if _, err := alice.Accept(t.Context(), "hello"); !errors.Is(err, ErrInvitation) {
		t.Errorf("no link: got %v, want ErrInvitation", err)
	}
	if _, err := alice.Invite(t.Context(), "nowhere"); !errors.Is(err, ErrNoGroup) {
		t.Errorf("no group: got %v, want ErrNoGroup", err)
	}
	for range maxInvitations - 1 {
		_, err := alice.Invite(t.Context(), "")
		must(t, err)
	}
	if _, err := alice.Invite(t.Context(), ""); !errors.Is(err, ErrTooManyInvitations) {
		t.Errorf("one too many: got %v, want ErrTooManyInvitations", err)
	}
}

// table is a joiner whose mail goes nowhere, at either side of a meeting.
type table struct {
	*joiner
	me    addr.Address
	key   *pgp.Key
	notes []note
}

func newTable(t *testing.T, name string) *table {
	t.Helper()
	v, _ := newVault(t)
	x := &table{}
	x.me, x.key = generate(t, name+"@x.test")
	own := &identities{main: &Identity{Address: x.me, Current: x.key}}
	x.joiner = &joiner{
		vault: v, contacts: NewContacts(v), own: func() *identities { return own }, now: time.Now,
		send: func(n note) error {
			x.notes = append(x.notes, n)
			return nil
		},
	}
	must(t, x.load())
	return x
}

// TestHandshakeAttacks: a step that does not prove what it must leads to nothing.
func TestHandshakeAttacks(t *testing.T) {
	t.Parallel()
	_, eve := generate(t, "bob@x.test")
	alice := newTable(t, "alice")
	bob, bobKey := generate(t, "bob@x.test")
	i := NewInvitation(alice.me, alice.key.Fingerprint(), "")
	must(t, alice.invite(i))
	theirs := newTable(t, "carol")
	xi := NewInvitation(theirs.me, theirs.key.Fingerprint(), "")
	_, err := alice.accept(xi, alice.own().main)
	must(t, err)
	alice.notes = nil

	autocrypt := func(a addr.Address, k *pgp.Key, name string) pgp.Field {
		value, err := pgp.Autocrypt{Addr: a, Cert: k.Cert()}.Value()
		must(t, err)
		return pgp.Field{Name: name, Value: value}
	}
	introduce := func(auth string, signer *pgp.Key) arrival {
		return arrival{from: bob, inner: bob, Opened: pgp.Opened{
			Result: pgp.Result{Signature: pgp.GoodSignature, Signer: signer.Fingerprint(), OpenedBy: alice.key.Fingerprint()},
			Header: append(step("vc-request-with-auth", auth),
				pgp.Field{Name: "Secure-Join-Fingerprint", Value: string(bobKey.Fingerprint())},
				autocrypt(bob, signer, "Autocrypt"), autocrypt(alice.me, alice.key, "Autocrypt-Gossip")),
		}}
	}
	answer := func(signer *pgp.Key) arrival {
		return arrival{from: xi.Address, inner: xi.Address, Opened: pgp.Opened{
			Result: pgp.Result{Signature: pgp.GoodSignature, Signer: signer.Fingerprint()},
			Header: append(step("vc-pubkey", xi.Auth), autocrypt(xi.Address, signer, "Autocrypt")),
		}}
	}
	with := func(a arrival, f func(*arrival)) arrival {
		f(&a)
		return a
	}
	tests := []struct {
		name string
		mail arrival
		done bool
	}{
		{"no secret", introduce("", bobKey), false},
		{"another secret", introduce(newToken(), bobKey), false},
		{"signed by another key than it says", introduce(i.Auth, eve), false},
		{"not signed", with(introduce(i.Auth, bobKey), func(a *arrival) { a.Signature = pgp.Unsigned }), false},
		{"opened by the secret only", with(introduce(i.Auth, bobKey), func(a *arrival) { a.OpenedBy = "" }), false},
		{"meant for others", with(introduce(i.Auth, bobKey), func(a *arrival) { a.Misdirected = true }), false},
		{"from another inside", with(introduce(i.Auth, bobKey), func(a *arrival) { a.inner = alice.me }), false},
		{"without our certificate", with(introduce(i.Auth, bobKey), func(a *arrival) { a.Header = a.Header[:len(a.Header)-1] }), false},
		{"the inviter's answer with another key", answer(eve), false},
		{"the answer to our key and not by the secret", with(answer(theirs.key), func(a *arrival) { a.OpenedBy = alice.key.Fingerprint() }), false},
		{"the answer, its signature bad", with(answer(theirs.key), func(a *arrival) { a.Signature = pgp.BadSignature }), false},
		{"a confirmation before its time", arrival{from: xi.Address, inner: xi.Address, Opened: pgp.Opened{
			Result: pgp.Result{Signature: pgp.GoodSignature, Signer: theirs.key.Fingerprint(), OpenedBy: alice.key.Fingerprint()},
			Header: append(step("vc-contact-confirm", ""), autocrypt(alice.me, alice.key, "Autocrypt-Gossip")),
		}}, false},
		{"an unknown step", arrival{from: bob, Opened: pgp.Opened{Header: step("vc-hello", i.Auth)}}, false},
		{"as it should be", introduce(i.Auth, bobKey), true},
		{"the inviter's answer as it should be", answer(theirs.key), true},
	}
	for _, tt := range tests { // one after another: the last two succeed
		done, err := alice.handle(tt.mail)
		must(t, err)
		if done != tt.done || (len(alice.notes) > 0) != tt.done {
			t.Errorf("%s: got %v and %d mails, want %v", tt.name, done, len(alice.notes), tt.done)
		}
		alice.notes = nil
	}
}

// TestJoinMail looks at the first mails of a meeting as the relay sees them: one says
// nothing of who wrote it but the address it must be answered to, and only those who
// have the link open either.
func TestJoinMail(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	_, err = bob.Accept(t.Context(), i.Link())
	must(t, err)
	bob.flush(t)
	ask := relay.inbox(t, alice.account)[0]
	alice.sync(t)
	alice.flush(t)
	answer := relay.inbox(t, bob.account)[0]
	for name, mail := range map[string][]byte{"the request": ask, "the answer": answer} {
		if _, err := pgp.Open(new(bytes.Buffer), bytes.NewReader(mail), pgp.DecryptOptions{Keys: []*pgp.Key{alice.key, bob.key}}); !errors.Is(err, pgp.ErrNoKey) {
			t.Errorf("%s: a key opens it: %v", name, err)
		}
		var text bytes.Buffer
		opened, err := pgp.Open(&text, bytes.NewReader(mail), pgp.DecryptOptions{Passphrases: [][]byte{i.secret()}, Certs: []*pgp.Cert{alice.key.Cert()}})
		must(t, err)
		want := map[string]string{"the request": "unsigned", "the answer": "good"}[name]
		if got := fmt.Sprint(opened.Signature); got != want {
			t.Errorf("%s: got signature %s, want %s", name, got, want)
		}
		if _, ok := findField(opened.Header, "Autocrypt"); ok != (name == "the answer") {
			t.Errorf("%s: has a certificate: %v", name, ok)
		}
		if bytes.Contains(mail, []byte(i.Auth)) {
			t.Errorf("%s shows the secret", name)
		}
	}
}
