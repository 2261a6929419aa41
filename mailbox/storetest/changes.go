package storetest

import (
	"context"

	"github.com/restante/restante/mailbox"
)

var changeCases = []testCase{
	{"changes/all", changesAll},
	{"changes/since", changesSince},
	{"changes/vanished", changesVanished},
	{"changes/floor", changesFloor},
	{"changes/no mailbox", changesNoMailbox},
}

var messageCases = []testCase{
	{"messages/sets", messagesSets},
	{"messages/unwrapped", messagesUnwrapped},
	{"messages/rewrap", messagesRewrap},
}

func changesAll(e *env) {
	e.account(alice)
	got := e.changes(inbox, 0)
	equal(e, "changes of an empty mailbox", got, mailbox.Changes{Mailbox: e.getMailbox(inbox), Complete: true})
	e.accept(e.message(0), e.message(mailbox.Seen), e.message(mailbox.Draft))
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(2)})
	e.must(err)
	equal(e, "all messages", e.changes(inbox, 0), mailbox.Changes{
		Mailbox:  e.getMailbox(inbox),
		Rows:     []mailbox.Row{{UID: 1, ModSeq: 2}, {UID: 3, Flags: mailbox.Draft, ModSeq: 4}},
		Complete: true,
	})
}

func changesSince(e *env) {
	e.account(alice)
	e.fill(inbox, 5) // mod-sequences 2 to 6
	first := e.getMailbox(inbox).HighestModSeq
	_, err := e.s.StoreFlags(e.ctx, alice, inbox, mailbox.FlagChange{Set: set(2, 4), Flags: mailbox.Answered})
	e.must(err)
	top := e.getMailbox(inbox).HighestModSeq
	equal(e, "changes since the flags", e.changes(inbox, first).Rows, []mailbox.Row{
		{UID: 2, Flags: mailbox.Answered, ModSeq: top}, {UID: 4, Flags: mailbox.Answered, ModSeq: top},
	})
	equal(e, "changes since mod-sequence 5", e.changes(inbox, 5).Rows, []mailbox.Row{
		{UID: 2, Flags: mailbox.Answered, ModSeq: top}, {UID: 4, Flags: mailbox.Answered, ModSeq: top}, {UID: 5, ModSeq: 6},
	})
	for _, since := range []mailbox.ModSeq{top, top + 1, 1 << 62} {
		equal(e, "changes since the newest", e.changes(inbox, since), mailbox.Changes{Mailbox: e.getMailbox(inbox), Complete: true})
	}
}

func changesVanished(e *env) {
	e.account(alice)
	e.fill(inbox, 20)
	start := e.getMailbox(inbox).HighestModSeq
	expunge := func(us ...mailbox.UID) mailbox.ModSeq {
		e.Helper()
		x, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(us...)})
		e.must(err)
		equal(e, "expunged", x.UIDs, us)
		return x.ModSeq
	}
	one := expunge(3, 4, 5, 9)
	two := expunge(1, 2, 6)
	three := expunge(20)
	for _, c := range []struct {
		since mailbox.ModSeq
		want  []mailbox.UIDRange
	}{
		{start, []mailbox.UIDRange{{Low: 1, High: 6}, {Low: 9, High: 9}, {Low: 20, High: 20}}},
		{one, []mailbox.UIDRange{{Low: 1, High: 2}, {Low: 6, High: 6}, {Low: 20, High: 20}}},
		{two, []mailbox.UIDRange{{Low: 20, High: 20}}},
		{three, nil},
	} {
		got := e.changes(inbox, c.since)
		equal(e, "vanished", got.Vanished, c.want)
		if !got.Complete || len(got.Rows) != 0 {
			e.Errorf("since %d: got complete %v and %d rows", c.since, got.Complete, len(got.Rows))
		}
	}
	e.fill(inbox, 1)
	equal(e, "UIDs", e.uids(inbox)[11:], []mailbox.UID{19, 21}) // 20 is not given again
}

// changesFloor concerns engines that forget expunges.
func changesFloor(e *env) {
	forgetful, ok := e.s.(interface {
		TrimVanished(ctx context.Context, keep int) error
	})
	if !ok {
		return
	}
	e.account(alice)
	e.fill(inbox, 6)
	var at []mailbox.ModSeq
	for _, us := range [][]mailbox.UID{{1}, {2, 4}, {3}} {
		x, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(us...)})
		e.must(err)
		at = append(at, x.ModSeq)
	}
	e.must(forgetful.TrimVanished(e.ctx, 2)) // cuts between 2 and 4: the whole expunge goes
	m := e.getMailbox(inbox)
	if m.VanishFloor != at[1] {
		e.Errorf("got floor %d, want %d", m.VanishFloor, at[1])
	}
	all := []mailbox.Row{{UID: 5, ModSeq: 6}, {UID: 6, ModSeq: 7}}
	equal(e, "changes below the floor", e.changes(inbox, at[0]), mailbox.Changes{Mailbox: m, Rows: all})
	equal(e, "changes at the floor", e.changes(inbox, at[1]), mailbox.Changes{
		Mailbox: m, Vanished: []mailbox.UIDRange{{Low: 3, High: 3}}, Complete: true})
	equal(e, "all", e.changes(inbox, 0), mailbox.Changes{Mailbox: m, Rows: all, Complete: true})
}

func changesNoMailbox(e *env) {
	e.account(alice)
	_, err := e.s.Changes(e.ctx, alice, 99, 0)
	e.wantErr(err, mailbox.ErrNoMailbox)
	_, err = e.s.Changes(e.ctx, bob, inbox, 5)
	e.wantErr(err, mailbox.ErrNoMailbox)
}

func messagesSets(e *env) {
	e.account(alice)
	e.fill(inbox, 30)
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 10, High: 19}}})
	e.must(err)
	for _, c := range []struct {
		name  string
		set   []mailbox.UIDRange
		limit int
		want  []mailbox.UID
	}{
		{"single", set(7), 10, []mailbox.UID{7}},
		{"gone", set(10, 12), 10, nil},
		{"none", nil, 10, nil},
		{"across a gap", []mailbox.UIDRange{{Low: 9, High: 20}}, 10, []mailbox.UID{9, 20}},
		{"ranges", []mailbox.UIDRange{{Low: 2, High: 3}, {Low: 28, High: 1<<32 - 1}}, 10, []mailbox.UID{2, 3, 28, 29, 30}},
		{"limit inside a range", mailbox.AllUIDs(), 11, []mailbox.UID{1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21}},
		{"limit across ranges", set(1, 3, 5), 2, []mailbox.UID{1, 3}},
		{"limit zero", set(1), 0, nil},
	} {
		ms, err := e.s.Messages(e.ctx, alice, inbox, c.set, c.limit)
		e.must(err)
		var got []mailbox.UID
		for _, m := range ms {
			got = append(got, m.UID)
			equal(e, "key", m.Key, keyOf(m.Blob))
			equal(e, "envelope", m.Envelope, envelopeOf(m.Blob))
		}
		equal(e, c.name, got, c.want)
	}
}

func (e *env) unwrapped(after mailbox.UID, limit int) []mailbox.UID {
	e.Helper()
	ms, err := e.s.Unwrapped(e.ctx, alice, inbox, after, limit)
	e.must(err)
	var us []mailbox.UID
	for _, m := range ms {
		equal(e, "stage", m.Stage, mailbox.StageSealed)
		equal(e, "key", m.Key, keyOf(m.Blob))
		us = append(us, m.UID)
	}
	return us
}

func (e *env) rewrap(us ...mailbox.UID) {
	e.Helper()
	var rows []mailbox.Rewrapped
	for _, u := range us {
		rows = append(rows, mailbox.Rewrapped{UID: u, Key: []byte("new key"), Envelope: []byte("new envelope")})
	}
	e.must(e.s.Rewrap(e.ctx, alice, inbox, rows))
}

func messagesUnwrapped(e *env) {
	e.account(alice)
	equal(e, "of none", e.unwrapped(0, 10), nil)
	e.fill(inbox, 6)
	equal(e, "all", e.unwrapped(0, 10), upTo(6))
	equal(e, "some", e.unwrapped(2, 3), []mailbox.UID{3, 4, 5})
	e.rewrap(1, 2, 4)
	equal(e, "the rest", e.unwrapped(0, 10), []mailbox.UID{3, 5, 6})
	e.rewrap(3, 5, 6)
	equal(e, "none left", e.unwrapped(0, 10), nil)
}

func messagesRewrap(e *env) {
	e.account(alice)
	ds := e.fill(inbox, 3)
	before := e.getMailbox(inbox)
	rows := e.changes(inbox, 0).Rows
	e.rewrap(2, 99)
	equal(e, "mailbox", e.getMailbox(inbox), before)
	equal(e, "rows", e.changes(inbox, 0).Rows, rows)
	m := e.messages(inbox)
	equal(e, "stages", []mailbox.Stage{m[0].Stage, m[1].Stage, m[2].Stage},
		[]mailbox.Stage{mailbox.StageSealed, mailbox.StageWrapped, mailbox.StageSealed})
	equal(e, "key", string(m[1].Key), "new key")
	equal(e, "envelope", string(m[1].Envelope), "new envelope")
	equal(e, "key of the next", m[2].Key, keyOf(ds[2].Blob))
	e.must(e.s.Rewrap(e.ctx, alice, inbox, []mailbox.Rewrapped{{UID: 2, Key: []byte("late"), Envelope: []byte("late")}}))
	equal(e, "key after a second rewrap", string(e.messages(inbox)[1].Key), "new key")
	e.wantErr(e.s.Rewrap(e.ctx, alice, 99, nil), mailbox.ErrNoMailbox)
}
