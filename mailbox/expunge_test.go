package mailbox_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// raw is a message that is not sealed to anybody: for the store it is one as any.
func (w *world) raw(tb testing.TB, id mailbox.AccountID, mbox mailbox.MailboxID, change ...func(*mailbox.Delivery)) mailbox.Delivery {
	tb.Helper()
	d := mailbox.Delivery{
		Account: id, Mailbox: mbox, Generation: 1, Blob: seal.NewBlobID(), Key: []byte("key"), Envelope: []byte("envelope"),
		Size: 1000, Day: mailbox.DayOf(w.clock.Now()),
	}
	for _, f := range change {
		f(&d)
	}
	body, err := w.store.CreateBody(tb.Context(), id, d.Blob, 4)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := body.Write([]byte("body")); err != nil {
		tb.Fatal(err)
	}
	if err := body.Commit(); err != nil {
		tb.Fatal(err)
	}
	d.Body = body
	return d
}

// fill stores n raw messages at once.
func (w *world) fill(tb testing.TB, id mailbox.AccountID, mbox mailbox.MailboxID, n int, change ...func(*mailbox.Delivery)) {
	tb.Helper()
	var ds []mailbox.Delivery
	for range n {
		ds = append(ds, w.raw(tb, id, mbox, change...))
	}
	if _, err := w.store.Accept(tb.Context(), ds); err != nil {
		tb.Fatal(err)
	}
}

// commits counts the transactions that change the account while f runs.
func (w *world) commits(tb testing.TB, id mailbox.AccountID, f func() error) int {
	tb.Helper()
	before := w.row(tb, id).Change
	if err := f(); err != nil {
		tb.Fatal(err)
	}
	return int(w.row(tb, id).Change - before)
}

func (w *world) row(tb testing.TB, id mailbox.AccountID) mailbox.Account {
	tb.Helper()
	row, err := w.store.Account(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return row
}

// TestLargeExpunge: however many messages go at once, no transaction takes more than
// 500 of them.
func TestLargeExpunge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, c := w.owner(t, "b@example.org")
	if _, err := x.Create(t.Context(), "Large", mailbox.NoUse); err != nil {
		t.Fatal(err)
	}
	const n = 1100
	deleted := func(d *mailbox.Delivery) { d.Flags = mailbox.Deleted }
	for _, f := range []struct {
		name string
		mbox mailbox.MailboxID
		do   func() error
	}{
		{"expunge", mailbox.Inbox, func() error {
			e, err := x.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), false)
			if len(e.UIDs) != n || e.UIDs[n-1] != n {
				t.Errorf("%d UIDs were expunged, want %d", len(e.UIDs), n)
			}
			return err
		}},
		{"delete a mailbox", 2, func() error { return x.Delete(t.Context(), "Large") }},
	} {
		w.fill(t, c.Account, f.mbox, n, deleted)
		if got := w.commits(t, c.Account, f.do); got < 3 {
			t.Errorf("%s: %d messages went in %d transactions", f.name, n, got)
		}
	}
	w.fill(t, c.Account, mailbox.Inbox, n)
	hints := make(chan struct{}, n)
	defer w.store.Watch(func([]mailbox.AccountID) { hints <- struct{}{} })()
	if err := w.RemoveAccount(t.Context(), c.Account); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Account(t.Context(), c.Account); !errors.Is(err, mailbox.ErrNoAccount) || len(hints) < 5 {
		t.Errorf("the account went in %d transactions: %v", len(hints), err)
	}
}

// TestExpungeStopsWithItsCaller: what was deleted until then is gone, the rest stays.
func TestExpungeStopsWithItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	x, c := w.owner(t, "b@example.org")
	w.fill(t, c.Account, mailbox.Inbox, 1100)
	ctx, cancel := context.WithCancel(t.Context())
	defer w.store.Watch(func([]mailbox.AccountID) { cancel() })() // after the first commit
	if _, err := x.Expunge(ctx, mailbox.Inbox, mailbox.AllUIDs(), true); err == nil {
		t.Fatal("expunge went on although its caller had gone")
	}
	if got := w.row(t, c.Account).Used.Messages; got != 600 {
		t.Errorf("%d messages are left, want 600", got)
	}
}

// duringReset is a store that has something happen as soon as an account has its new
// keys.
type duringReset struct {
	mailbox.Store
	do func()
}

func (d duringReset) ReplaceCredentials(ctx context.Context, id mailbox.AccountID, drop []mailbox.CredentialID, add []mailbox.Credential, key *mailbox.KeyChange) error {
	if err := d.Store.ReplaceCredentials(ctx, id, drop, add, key); err != nil {
		return err
	}
	d.do()
	return nil
}

// TestResetKeepsNewMail: mail that comes for the new keys before the old mail is
// deleted stays.
func TestResetKeepsNewMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bare)
	b := w.account(t, "b@example.org")
	w.deliver(t, message("old", 3), "b@example.org")
	node := w.newService(t, bare, func(o *mailbox.Options) {
		o.Store = duringReset{w.store, func() { w.deliver(t, message("new", 3), "b@example.org") }}
	})
	defer node.Close()
	made, _, err := node.ResetAccount(t.Context(), b.Account, "")
	if err != nil {
		t.Fatal(err)
	}
	made.Address = b.Address
	got := texts(t, w.login(t, made), mailbox.Inbox)
	if want := map[mailbox.UID]string{2: message("new", 3)}; !maps.Equal(got, want) {
		t.Errorf("after the reset INBOX has %v", got)
	}
}
