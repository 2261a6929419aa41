package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// lookedAt is a store that tells when somebody has looked at all accounts.
type lookedAt struct {
	mailbox.Store
	done chan struct{}
}

func (s lookedAt) Accounts(ctx context.Context, f func(mailbox.Account) error) error {
	err := s.Store.Accounts(ctx, f)
	s.done <- struct{}{}
	return err
}

// ageing is a relay whose clock the test puts forward.
type ageing struct {
	*testRelay
	day    atomic.Int64
	looked chan struct{}
}

func newAgeing(t *testing.T) *ageing {
	t.Helper()
	a, start := &ageing{looked: make(chan struct{})}, time.Now()
	a.testRelay = newRelay(t, func(o *mailbox.Options) {
		o.Terms = mailbox.DefaultTerms()
		o.Now = func() time.Time { return start.AddDate(0, 0, int(a.day.Load())) }
		o.Store = lookedAt{o.Store, a.looked}
	})
	return a
}

// pass lets days go by, one at a time, or the relay does not believe its clock.
func (a *ageing) pass(t *testing.T, days int) {
	t.Helper()
	for range days {
		a.day.Add(1)
		stop := serve(t, a.service.KeepTerms)
		<-a.looked
		stop()
	}
}

// TestRestoreAfter91Days: the relay has let the inbox go by then, and even accounts that
// nobody uses. From the recovery code alone a new machine has the key, contacts, trust, the
// group and the mail that was filed, and goes on with all of them.
func TestRestoreAfter91Days(t *testing.T) {
	t.Parallel()
	relay := newAgeing(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	must(t, alice.Contacts().Verify(addr.MustParse("bob@relay.test"), bob.key.Cert(), time.Now()))
	bob.knows(t, "alice@relay.test", alice.key.Cert())
	must(t, bob.Contacts().Welcome(addr.MustParse("alice@relay.test")))
	_, err := alice.NewGroup(t.Context(), "Family", addr.MustParse("bob@relay.test"))
	must(t, err)
	alice.toGroup(t, "family", "mail-1", alice, bob)
	bob.toGroup(t, "family", "mail-2", bob, alice)
	r := other(t, alice.account)
	must(t, r.create("Letters"))
	alice.put(t, r, "Letters", 3)
	must(t, r.close())
	backUp(t, alice)
	backUp(t, bob)
	code := recoveryCode(t, alice)

	relay.account(t, "control") // it keeps no backup
	relay.pass(t, 91)
	if _, err := relay.service.FindAccount(t.Context(), "control@relay.test"); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Fatalf("after 91 days the other account is still there: %v", err)
	}
	if got := relay.inbox(t, alice.account); len(got) != 0 {
		t.Errorf("after 91 days there are %d mails in INBOX, want none", len(got))
	}
	anew := restored(t, alice.account, code)
	if diff := cmp.Diff(settled(t, anew), settled(t, alice)); diff != "" {
		t.Errorf("restored, and what was saved:\n%s", diff)
	}
	anew.sync(t)
	anew.wantHere(t, state{"Letters": {"mail-3"}})
	anew.toGroup(t, "family", "mail-4", anew, bob)
	bob.toGroup(t, "family", "mail-5", bob, anew)
	anew.wantHere(t, state{"Letters": {"mail-3"}, inboxName: {"mail-5"}})
	here, gone := bob.here(t)
	if diff := cmp.Diff([]state{here, gone}, []state{{inboxName: {"mail-4"}}, {inboxName: {"mail-1"}}}); diff != "" {
		t.Errorf("Bob has, and has kept: got - want +\n%s", diff)
	}
	if got := anew.group(t, "family"); got != "Family: alice bob" {
		t.Errorf("the group is %q", got)
	}
}
