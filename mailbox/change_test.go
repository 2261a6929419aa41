package mailbox_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// open opens a mailbox until the end of the test.
func open(tb testing.TB, x *mailbox.Session, mbox mailbox.MailboxID) *mailbox.Table {
	tb.Helper()
	table, err := x.Open(tb.Context(), mbox)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(table.Close)
	return table
}

// see brings the table up to date and returns its UIDs.
func see(tb testing.TB, table *mailbox.Table) []mailbox.UID {
	tb.Helper()
	if err := table.Refresh(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return table.View().UIDs
}

func TestTwoSessionsOnOneMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	y := w.login(t, c)
	node := w.newService(t) // and one at another node
	defer node.Close()
	z, err := node.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		w.deliver(t, message(fmt.Sprint("m", i), 0), "b@example.org")
	}
	ours, theirs, far := open(t, x, mailbox.Inbox), open(t, y, mailbox.Inbox), open(t, z, mailbox.Inbox)
	if ours != theirs || ours == far {
		t.Error("sessions of one account must share their tables, and those of two nodes can't")
	}
	before := ours.View()
	if _, err := x.StoreFlags(t.Context(), mailbox.Inbox, mailbox.FlagChange{Set: []mailbox.UIDRange{{2, 3}}, Mode: mailbox.AddFlags, Flags: mailbox.Deleted}); err != nil {
		t.Fatal(err)
	}
	for _, table := range []*mailbox.Table{theirs, far} {
		see(t, table)
		if got := table.ChangedSince(before.Mailbox.HighestModSeq); len(got) != 2 || got[0].UID != 2 || got[0].Flags != mailbox.Deleted {
			t.Errorf("changed: %v", got)
		}
	}
	e, err := y.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), false)
	if err != nil || !slices.Equal(e.UIDs, []mailbox.UID{2, 3}) {
		t.Errorf("expunged %v, %v", e, err)
	}
	w.deliver(t, message("last", 0), "b@example.org")
	for _, table := range []*mailbox.Table{ours, far} {
		if got, want := see(t, table), []mailbox.UID{1, 4, 5}; !slices.Equal(got, want) {
			t.Errorf("UIDs %v, want %v", got, want)
		}
	}
	if want := []mailbox.UID{1, 2, 3, 4}; !slices.Equal(before.UIDs, want) {
		t.Errorf("a view from before has changed to %v", before.UIDs)
	}
	changes, err := z.Changes(t.Context(), mailbox.Inbox, before.Mailbox.HighestModSeq)
	if err != nil || !slices.Equal(changes.Vanished, []mailbox.UIDRange{{2, 3}}) {
		t.Errorf("changes %+v, %v", changes, err)
	}
}

func TestRefreshReadsOnlyAfterAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	table := open(t, x, mailbox.Inbox)
	// A closed service gets no hints any more, like a node that lost its line.
	deaf := w.newService(t)
	y, err := deaf.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
	if err != nil {
		t.Fatal(err)
	}
	lost := open(t, y, mailbox.Inbox)
	deaf.Close()
	w.deliver(t, message("x", 0), "b@example.org")
	if got := see(t, table); len(got) != 1 {
		t.Errorf("with a hint: %v", got)
	}
	if got := see(t, lost); len(got) != 0 {
		t.Errorf("without a hint it read the store: %v", got)
	}
	w.clock.advance(30 * time.Second)
	if got := see(t, lost); len(got) != 1 {
		t.Errorf("without a hint, after 30 s: %v", got)
	}
}

func TestTablesLinger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.Limits.IdleTables = 2 })
	x, _ := w.owner(t, "b@example.org")
	open1 := func(mbox mailbox.MailboxID) *mailbox.Table {
		table, err := x.Open(t.Context(), mbox)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	first := open1(mailbox.Inbox)
	first.Close()
	if again := open1(mailbox.Inbox); again != first {
		t.Error("a table just closed must be there still")
	} else {
		again.Close()
	}
	for mbox := mailbox.Inbox; mbox <= 5; mbox++ {
		open1(mbox).Close()
	}
	if _, _, idle := w.TestOnlyOpen(); idle != 2 {
		t.Errorf("%d tables without a user, want 2", idle)
	}
	w.clock.advance(30 * time.Second)
	w.TestOnlySweep(t.Context())
	if _, _, idle := w.TestOnlyOpen(); idle != 0 {
		t.Errorf("%d tables without a user after 30 s", idle)
	}
	if again := open1(mailbox.Inbox); again == first {
		t.Error("a table that was dropped came back")
	} else {
		again.Close()
	}
	x.Close()
	w.clock.advance(30 * time.Second)
	w.TestOnlySweep(t.Context())
	if owners, _, idle := w.TestOnlyOpen(); owners != 0 || idle != 0 {
		t.Errorf("%d accounts and %d tables are left", owners, idle)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	if _, err := x.Open(t.Context(), 99); !errors.Is(err, mailbox.ErrNoMailbox) {
		t.Errorf("open: %v, want ErrNoMailbox", err)
	}
	m, err := x.Create(t.Context(), "short-lived", mailbox.NoUse)
	if err != nil {
		t.Fatal(err)
	}
	table := open(t, x, m.ID)
	if err := x.Delete(t.Context(), "short-lived"); err != nil {
		t.Fatal(err)
	}
	if err := table.Refresh(t.Context()); !errors.Is(err, mailbox.ErrNoMailbox) {
		t.Errorf("refresh after delete: %v, want ErrNoMailbox", err)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	text := message("draft", 0)
	one, two := w.receive(t, text), w.receive(t, message("large", 5000))
	for range 2 { // the same message twice is two messages
		receipts, err := x.Append(t.Context(), mailbox.Inbox, mailbox.Append{Message: one, Flags: mailbox.Draft}, mailbox.Append{Message: two})
		if err != nil || len(receipts) != 2 || receipts[0].Duplicate || receipts[1].UID != receipts[0].UID+1 {
			t.Fatalf("receipts %+v, %v", receipts, err)
		}
	}
	table := open(t, x, mailbox.Inbox)
	row, ok := table.Row(3)
	if !ok || row.Flags != mailbox.Draft || texts(t, x, mailbox.Inbox)[3] != text {
		t.Errorf("row %+v, %v", row, ok)
	}
	if _, err := x.Append(t.Context(), 99, mailbox.Append{Message: one}); !errors.Is(err, mailbox.ErrNoMailbox) {
		t.Errorf("append to nowhere: %v, want ErrNoMailbox", err)
	}
	if got := len(see(t, table)); got != 4 {
		t.Errorf("%d messages, want 4", got)
	}
}

func TestAppendWithinQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *mailbox.Options) { o.DefaultQuota.Messages = 2 })
	x, _ := w.owner(t, "b@example.org")
	m := mailbox.Append{Message: w.receive(t, message("x", 0))}
	if _, err := x.Append(t.Context(), mailbox.Inbox, m, m, m); !errors.Is(err, mailbox.ErrOverQuota) {
		t.Errorf("three at once: %v, want ErrOverQuota", err)
	}
	if _, err := x.Append(t.Context(), mailbox.Inbox, m, m); err != nil {
		t.Error(err)
	}
	quota, used, err := x.Usage(t.Context())
	if err != nil || quota.Messages != 2 || used.Messages != 2 || used.Bytes == 0 {
		t.Errorf("quota %+v, used %+v, %v", quota, used, err)
	}
}

func TestStoreFlags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	w.deliver(t, message("1", 0), "b@example.org")
	w.deliver(t, message("2", 0), "b@example.org")
	table := open(t, x, mailbox.Inbox)
	seq := table.View().Mailbox.HighestModSeq
	first := mailbox.FlagChange{Set: []mailbox.UIDRange{{1, 1}}, Mode: mailbox.AddFlags, Flags: mailbox.Seen}
	if _, err := x.StoreFlags(t.Context(), mailbox.Inbox, first); err != nil {
		t.Fatal(err)
	}
	r, err := x.StoreFlags(t.Context(), mailbox.Inbox, mailbox.FlagChange{Set: mailbox.AllUIDs(), Flags: mailbox.Flagged, UnchangedSince: &seq})
	if err != nil || !slices.Equal(r.Modified, []mailbox.UID{1}) || len(r.Rows) != 1 || r.Rows[0].Flags != mailbox.Flagged {
		t.Errorf("result %+v, %v", r, err)
	}
	see(t, table)
	if row, _ := table.Row(1); row.Flags != mailbox.Seen {
		t.Errorf("flags %b", row.Flags)
	}
	if uid, err := x.TakeRecent(t.Context(), mailbox.Inbox); err != nil || uid != 1 {
		t.Errorf("recent from %d, %v", uid, err)
	}
	if uid, err := x.TakeRecent(t.Context(), mailbox.Inbox); err != nil || uid != 3 {
		t.Errorf("recent from %d, %v, want 3", uid, err)
	}
}

func TestCopyAndMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	small, large := message("small", 0), message("large", 5000)
	w.deliver(t, small, "b@example.org")
	w.deliver(t, large, "b@example.org")
	f, err := x.Folder(t.Context(), "Archive")
	if err != nil {
		t.Fatal(err)
	}
	for _, move := range []bool{false, true} {
		r, err := x.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: f.ID, Set: mailbox.AllUIDs(), Move: move})
		if err != nil || !slices.Equal(r.Source, []mailbox.UID{1, 2}) || len(r.Dest) != 2 {
			t.Fatalf("move %v: %+v, %v", move, r, err)
		}
	}
	if got := texts(t, x, mailbox.Inbox); len(got) != 0 {
		t.Errorf("%d messages are left", len(got))
	}
	if diff := cmp.Diff(map[mailbox.UID]string{1: small, 2: large, 3: small, 4: large}, texts(t, x, f.ID)); diff != "" {
		t.Error(diff)
	}
	ids := map[mailbox.UID]string{}
	err = x.Fetch(t.Context(), f.ID, mailbox.AllUIDs(), func(i *mailbox.Item) error { ids[i.UID] = i.ID(); return nil })
	if err != nil || ids[1] != ids[3] || ids[1] == ids[2] {
		t.Errorf("identities %v, %v", ids, err)
	}
	if w.stages(t, x, f.ID)[mailbox.StageSealed] != 0 {
		t.Error("copied messages are not bound to their place")
	}
	if _, err := x.Copy(t.Context(), mailbox.CopyRequest{From: f.ID, To: 99, Set: mailbox.AllUIDs()}); !errors.Is(err, mailbox.ErrNoMailbox) {
		t.Errorf("copy to nowhere: %v, want ErrNoMailbox", err)
	}
}

// stages counts the messages of a mailbox by stage.
func (w *world) stages(tb testing.TB, x *mailbox.Session, mbox mailbox.MailboxID) map[mailbox.Stage]int {
	tb.Helper()
	rows, err := w.store.Messages(tb.Context(), x.Account(), mbox, mailbox.AllUIDs(), 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	n := map[mailbox.Stage]int{}
	for _, m := range rows {
		n[m.Stage]++
	}
	return n
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	const n = 20
	for i := range n {
		w.deliver(t, message(fmt.Sprint("m", i), 0), "b@example.org")
	}
	if got := w.stages(t, x, mailbox.Inbox); got[mailbox.StageSealed] != n {
		t.Fatalf("stages as it arrived: %v", got)
	}
	before := texts(t, x, mailbox.Inbox)
	table := open(t, x, mailbox.Inbox)
	until(t, func() bool { return w.stages(t, x, mailbox.Inbox)[mailbox.StageWrapped] == n })
	if diff := cmp.Diff(before, texts(t, x, mailbox.Inbox)); diff != "" {
		t.Error(diff)
	}
	if got := table.ChangedSince(table.View().Mailbox.HighestModSeq); len(got) != 0 {
		t.Errorf("re-wrapping changed %v", got)
	}
	for i := range n {
		w.deliver(t, message(fmt.Sprint("later", i), 0), "b@example.org")
	}
	// It takes a listing of many to begin again.
	until(t, func() bool {
		texts(t, x, mailbox.Inbox)
		return w.stages(t, x, mailbox.Inbox)[mailbox.StageWrapped] == 2*n
	})
	err := x.Fetch(t.Context(), mailbox.Inbox, []mailbox.UIDRange{{2 * n, 2 * n}}, func(i *mailbox.Item) error {
		info, err := i.Info()
		if err == nil && info.Envelope.Subject != fmt.Sprint("later", n-1) {
			t.Errorf("subject %q", info.Envelope.Subject)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	m := w.receive(t, message("x", 0))
	batch := make([]mailbox.Append, 600) // more than two batches of rows
	for i := range batch {
		batch[i] = mailbox.Append{Message: m}
	}
	if _, err := x.Append(t.Context(), mailbox.Inbox, batch...); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Expunge(t.Context(), mailbox.Inbox, []mailbox.UIDRange{{100, 299}}, true); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		set  []mailbox.UIDRange
		want []mailbox.UIDRange
	}{
		{"all", mailbox.AllUIDs(), []mailbox.UIDRange{{1, 99}, {300, 600}}},
		{"one", []mailbox.UIDRange{{42, 42}}, []mailbox.UIDRange{{42, 42}}},
		{"some", []mailbox.UIDRange{{5, 7}, {90, 400}, {599, 700}}, []mailbox.UIDRange{{5, 7}, {90, 99}, {300, 400}, {599, 600}}},
		{"gone", []mailbox.UIDRange{{100, 200}}, nil},
		{"none", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want, got []mailbox.UID
			for _, r := range tt.want {
				for uid := r.Low; uid <= r.High; uid++ {
					want = append(want, uid)
				}
			}
			err := x.Fetch(t.Context(), mailbox.Inbox, tt.set, func(i *mailbox.Item) error { got = append(got, i.UID); return nil })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%d messages, %v, want %d", len(got), err, len(want))
			}
		})
	}
	enough, n := errors.New("enough"), 0
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(*mailbox.Item) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("after the caller's error: %d messages, %v", n, err)
	}
}

func TestBodyOfExpunged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	w.deliver(t, message("x", 0), "b@example.org")
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		if _, err := x.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), true); err != nil {
			return err
		}
		_, err := i.Body(t.Context())
		return err
	})
	if !errors.Is(err, mailbox.ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}
