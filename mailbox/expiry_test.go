package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

const day = 24 * time.Hour

// withTerms makes a service keep the default terms.
func withTerms(o *mailbox.Options) { o.Terms = mailbox.DefaultTerms() }

// pass lets days pass, with the looks that a relay takes meanwhile.
func (w *world) pass(t *testing.T, days int) {
	t.Helper()
	for range days {
		w.clock.advance(day)
		w.TestOnlyCarryOut(t.Context())
	}
}

// left lists the UIDs in a mailbox.
func left(t *testing.T, x *mailbox.Session, mbox mailbox.MailboxID) []mailbox.UID {
	t.Helper()
	c, err := x.Changes(t.Context(), mbox, 0)
	if err != nil {
		t.Fatal(err)
	}
	var uids []mailbox.UID
	for _, r := range c.Rows {
		uids = append(uids, r.UID)
	}
	return uids
}

func wantLeft(t *testing.T, x *mailbox.Session, mbox mailbox.MailboxID, what string, want ...mailbox.UID) {
	t.Helper()
	if got := left(t, x, mbox); !slices.Equal(got, want) {
		t.Errorf("%s: UIDs %v are left, want %v", what, got, want)
	}
}

// TestExpiry: mail goes on its day and not before, and what is kept stays.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	own, err := x.Create(t.Context(), "Restante", mailbox.NoUse)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := x.Folder(t.Context(), "Archive")
	if err != nil {
		t.Fatal(err)
	}
	trash, err := x.Folder(t.Context(), "Trash")
	if err != nil {
		t.Fatal(err)
	}
	flagged := func(d *mailbox.Delivery) { d.Flags = mailbox.Flagged }
	large := func(d *mailbox.Delivery) { d.Size = 300 << 10 }
	w.fill(t, c.Account, mailbox.Inbox, 2)
	w.fill(t, c.Account, mailbox.Inbox, 1, flagged)
	w.fill(t, c.Account, mailbox.Inbox, 1, large)
	w.fill(t, c.Account, archive.ID, 1)
	w.fill(t, c.Account, own.ID, 1)
	w.pass(t, 6)
	wantLeft(t, x, mailbox.Inbox, "after 6 days", 1, 2, 3, 4)
	w.pass(t, 1)
	wantLeft(t, x, mailbox.Inbox, "after 7 days", 1, 2, 3)
	w.fill(t, c.Account, trash.ID, 1)
	w.pass(t, 12)
	wantLeft(t, x, mailbox.Inbox, "after 19 days", 1, 2, 3)
	w.pass(t, 1)
	wantLeft(t, x, mailbox.Inbox, "after 20 days", 3)
	wantLeft(t, x, trash.ID, "13 days in Trash", 1)
	w.pass(t, 40)
	wantLeft(t, x, trash.ID, "53 days in Trash")
	wantLeft(t, x, archive.ID, "after 60 days in Archive", 1)
	wantLeft(t, x, own.ID, "after 60 days among what devices keep", 1)
}

// TestExpiryIsSeen: sessions learn of it as of any expunge.
func TestExpiryIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, _ := w.owner(t, "b@example.org")
	w.deliver(t, message("one", 3), "b@example.org")
	table := open(t, x, mailbox.Inbox)
	before := table.View().Mailbox.HighestModSeq
	w.pass(t, 20)
	if uids := see(t, table); len(uids) != 0 {
		t.Errorf("the table still has %v", uids)
	}
	c, err := x.Changes(t.Context(), mailbox.Inbox, before)
	if err != nil || !slices.Equal(c.Vanished, []mailbox.UIDRange{{Low: 1, High: 1}}) {
		t.Errorf("vanished: %v, %v", c.Vanished, err)
	}
}

// TestExpiryInBatches: a mailbox of which much goes at once holds up nobody for long.
func TestExpiryInBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	w.fill(t, c.Account, mailbox.Inbox, 1200)
	got := w.commits(t, c.Account, func() error { w.pass(t, 20); return nil })
	if got != 3 {
		t.Errorf("1,200 messages went in %d transactions, want 3", got)
	}
	wantLeft(t, x, mailbox.Inbox, "after 20 days")
}

// TestQuotaExpiry: above three quarters of the quota the oldest mail goes, soon after
// a delivery that meets it, until 70 % are used.
func TestQuotaExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms, func(o *mailbox.Options) { o.DefaultQuota = mailbox.Quota{Messages: 20} })
	x, c := w.owner(t, "b@example.org")
	w.fill(t, c.Account, mailbox.Inbox, 15)
	w.pass(t, 1)
	if n := len(left(t, x, mailbox.Inbox)); n != 15 {
		t.Fatalf("%d of 15 messages are left at 75 %%", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var kept sync.WaitGroup
	kept.Go(func() {
		if err := w.KeepTerms(ctx); err != nil {
			t.Error(err)
		}
	})
	defer kept.Wait()
	defer cancel()
	w.fill(t, c.Account, mailbox.Inbox, 1)
	w.deliver(t, message("one more", 3), "b@example.org") // nobody need wait for the hour
	// The look may come just before that message is stored, or just after.
	until(t, func() bool { return len(left(t, x, mailbox.Inbox)) <= 15 })
	if uids := left(t, x, mailbox.Inbox); uids[0] != 17-mailbox.UID(len(uids))+1 || uids[len(uids)-1] != 17 || len(uids) < 14 {
		t.Errorf("the oldest should have gone; left are %v", uids)
	}
}

// TestClockLeap: a clock that goes wrong takes no mail with it, and mail that comes
// meanwhile is as young as it is.
func TestClockLeap(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 12 * 365 * day, "back": -30 * 365 * day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withTerms)
			x, c := w.owner(t, "b@example.org")
			w.pass(t, 1)
			w.deliver(t, message("before", 3), "b@example.org")
			w.clock.advance(off)
			for range 10 { // hours
				w.TestOnlyCarryOut(t.Context())
			}
			w.deliver(t, message("meanwhile", 3), "b@example.org")
			w.clock.advance(-off)
			w.pass(t, 19)
			wantLeft(t, x, mailbox.Inbox, "19 days later", 1, 2)
			w.pass(t, 1)
			wantLeft(t, x, mailbox.Inbox, "20 days later")
			if _, err := w.store.Account(t.Context(), c.Account); err != nil {
				t.Error(err)
			}
			if !strings.Contains(w.log.String(), "the clock has leapt") {
				t.Error("the log says nothing of the leap")
			}
		})
	}
}

// TestClockLeapAcrossRestart: the relay that starts with a wrong clock knows what day
// it was.
func TestClockLeapAcrossRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	w.pass(t, 1)
	w.fill(t, c.Account, mailbox.Inbox, 1)
	w.clock.advance(1000 * day)
	node := w.newService(t, withTerms)
	defer node.Close()
	for range 20 {
		node.TestOnlyCarryOut(t.Context())
	}
	wantLeft(t, x, mailbox.Inbox, "20 hours after the start", 1)
	for range 5 {
		node.TestOnlyCarryOut(t.Context())
	}
	if _, err := w.store.Account(t.Context(), c.Account); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("after a day it must be true that nobody came for 1,000 days: %v", err)
	}
}

// reminders collects the calls of Options.Remind.
type reminders struct {
	mu   sync.Mutex
	list []string
}

func (r *reminders) add(_ mailbox.AccountID, left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fmt.Sprint(left))
}

func (r *reminders) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.list, " ")
}

// TestIdleAccount: an account that nobody uses goes after 90 days, and its devices
// are reminded before; the owner who comes in time is told.
func TestIdleAccount(t *testing.T) {
	t.Parallel()
	r := &reminders{}
	w := newWorld(t, withTerms, func(o *mailbox.Options) { o.Remind = r.add })
	idle, late := w.account(t, "idle@example.org"), w.account(t, "late@example.org")
	w.TestOnlyCarryOut(t.Context())
	w.pass(t, 80)
	x := w.login(t, late)
	if !strings.Contains(x.Alert(), "80 days") {
		t.Errorf("at login after 80 days the owner is told %q", x.Alert())
	}
	w.TestOnlySweep(t.Context())
	x.Close()
	x = w.login(t, late)
	if x.Alert() != "" {
		t.Errorf("at the next login the owner is told %q", x.Alert())
	}
	x.Close()
	w.pass(t, 9)
	if got := r.String(); got != "14 14 3" {
		t.Errorf("reminders with %q days left, want 14 for both accounts and 3 for one", got)
	}
	if _, err := w.FindAccount(t.Context(), "idle"); err != nil {
		t.Errorf("after 89 days: %v", err)
	}
	w.pass(t, 1)
	if _, err := w.FindAccount(t.Context(), "idle"); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("after 90 days: %v", err)
	}
	if _, err := w.Login(t.Context(), mailbox.Login{User: "idle", Secret: idle.Secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("login after 90 days: %v", err)
	}
	if _, err := w.FindAccount(t.Context(), "late"); err != nil {
		t.Errorf("10 days after a login: %v", err)
	}
}

// TestIdleAccountWithBackup: whoever lost a device can come back with a recovery sheet
// for longer than that, and not for ever.
func TestIdleAccountWithBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "lost@example.org")
	box, err := x.Create(t.Context(), "Restante", mailbox.NoUse)
	if err != nil {
		t.Fatal(err)
	}
	w.fill(t, c.Account, box.ID, 1)
	w.TestOnlySweep(t.Context()) // the day is noted
	x.Close()
	w.clock.advance(time.Minute)
	w.TestOnlySweep(t.Context()) // the keys are gone from memory
	w.pass(t, 91)
	x = w.login(t, c)
	if !strings.Contains(x.Alert(), "400") {
		t.Errorf("at login after 91 days the owner is told %q", x.Alert())
	}
	wantLeft(t, x, box.ID, "the backup after 91 days", 1)
	w.TestOnlySweep(t.Context())
	x.Close()
	w.clock.advance(time.Minute)
	w.TestOnlySweep(t.Context())
	w.pass(t, 400)
	if _, err := w.FindAccount(t.Context(), "lost"); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("after 400 days: %v", err)
	}
}

// TestOpenSessionIsUse: a device that stays connected for a year has not left.
func TestOpenSessionIsUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	x, c := w.owner(t, "b@example.org")
	disabled := w.account(t, "c@example.org")
	if err := w.SetState(t.Context(), disabled.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		w.TestOnlySweep(t.Context())
		w.pass(t, 1)
	}
	if err := x.Subscribe(t.Context(), "still here", true); err != nil {
		t.Error(err)
	}
	w.TestOnlySweep(t.Context())
	if row := w.row(t, c.Account); row.Seen != mailbox.DayOf(w.clock.Now()) {
		t.Errorf("the account was seen on day %d, today is %d", row.Seen, mailbox.DayOf(w.clock.Now()))
	}
	if _, err := w.FindAccount(t.Context(), "c"); err != nil {
		t.Errorf("an account that the operator has disabled: %v", err)
	}
}

// TestNoTerms: without terms nothing goes, however long it is.
func TestNoTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.account(t, "b@example.org")
	w.fill(t, c.Account, mailbox.Inbox, 3)
	w.pass(t, 1000)
	if row := w.row(t, c.Account); row.Used.Messages != 3 {
		t.Errorf("%d messages are left", row.Used.Messages)
	}
}

func TestServiceOutlook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTerms)
	c := w.account(t, "b@example.org")
	w.fill(t, c.Account, mailbox.Inbox, 3)
	today := mailbox.DayOf(w.clock.Now())
	got, err := w.Outlook(t.Context(), c.Account)
	if want := (mailbox.Outlook{Mail: today + 20, Messages: 3, Account: today + 90}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := w.Outlook(t.Context(), 1); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("of no account: %v", err)
	}
}
