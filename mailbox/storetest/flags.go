package storetest

import (
	"github.com/restante/restante/mailbox"
)

var flagCases = []testCase{
	{"flags/modes", flagsModes},
	{"flags/mod-sequences", flagsModSeq},
	{"flags/unchanged since", flagsUnchangedSince},
	{"flags/counters", flagsCounters},
	{"flags/sets", flagsSets},
	{"flags/expected not to change", flagsIdle},
	{"flags/no mailbox", flagsNoMailbox},
}

func (e *env) storeFlags(c mailbox.FlagChange) mailbox.FlagResult {
	e.Helper()
	r, err := e.s.StoreFlags(e.ctx, alice, inbox, c)
	e.must(err)
	return r
}

func flagsModes(e *env) {
	e.account(alice)
	word := mailbox.KeywordFlag(mailbox.MaxKeywords - 1)
	for _, c := range []struct {
		name             string
		old, given, want mailbox.Flags
		mode             mailbox.FlagMode
	}{
		{"replace", mailbox.Seen | word, mailbox.Draft, mailbox.Draft, mailbox.ReplaceFlags},
		{"replace by none", mailbox.Seen | word, 0, 0, mailbox.ReplaceFlags},
		{"add", mailbox.Seen, mailbox.Draft | word, mailbox.Seen | mailbox.Draft | word, mailbox.AddFlags},
		{"add what is there", mailbox.Seen, mailbox.Seen, mailbox.Seen, mailbox.AddFlags},
		{"remove", mailbox.Seen | mailbox.Draft | word, word | mailbox.Seen, mailbox.Draft, mailbox.RemoveFlags},
		{"remove what isn't there", mailbox.Seen, word, mailbox.Seen, mailbox.RemoveFlags},
	} {
		u := e.accept(e.message(c.old))[0].UID
		got := e.storeFlags(mailbox.FlagChange{Set: set(u), Mode: c.mode, Flags: c.given}).Rows
		if len(got) != 1 || got[0].Flags != c.want {
			e.Errorf("%s: got %+v, want flags %b", c.name, got, c.want)
		}
		equal(e, c.name, e.messages(inbox, set(u)...)[0].Row, got[0])
	}
}

// flagsModSeq: the messages that change share one new mod-sequence, the others
// keep theirs.
func flagsModSeq(e *env) {
	e.account(alice)
	e.accept(e.message(0), e.message(mailbox.Seen), e.message(0))
	c := mailbox.FlagChange{Set: mailbox.AllUIDs(), Mode: mailbox.AddFlags, Flags: mailbox.Seen}
	want := []mailbox.Row{{UID: 1, Flags: 1, ModSeq: 5}, {UID: 2, Flags: 1, ModSeq: 3}, {UID: 3, Flags: 1, ModSeq: 5}}
	equal(e, "result", e.storeFlags(c), mailbox.FlagResult{Rows: want})
	equal(e, "rows", e.changes(inbox, 0).Rows, want)
	equal(e, "highest", e.getMailbox(inbox).HighestModSeq, 5)
	equal(e, "result of the same again", e.storeFlags(c), mailbox.FlagResult{Rows: want})
	equal(e, "highest", e.getMailbox(inbox).HighestModSeq, 5)
}

func flagsUnchangedSince(e *env) {
	e.account(alice)
	e.fill(inbox, 4) // mod-sequences 2 to 5
	since := mailbox.ModSeq(3)
	c := mailbox.FlagChange{Set: mailbox.AllUIDs(), Mode: mailbox.AddFlags, Flags: mailbox.Flagged, UnchangedSince: &since}
	equal(e, "result", e.storeFlags(c), mailbox.FlagResult{
		Rows:     []mailbox.Row{{UID: 1, Flags: mailbox.Flagged, ModSeq: 6}, {UID: 2, Flags: mailbox.Flagged, ModSeq: 6}},
		Modified: []mailbox.UID{3, 4},
	})
	none := mailbox.ModSeq(0) // RFC 7162, 3.1.3: fails for every message
	c.UnchangedSince = &none
	equal(e, "result with 0", e.storeFlags(c), mailbox.FlagResult{Modified: upTo(4)})
	equal(e, "rows", e.changes(inbox, 0).Rows, []mailbox.Row{
		{UID: 1, Flags: mailbox.Flagged, ModSeq: 6}, {UID: 2, Flags: mailbox.Flagged, ModSeq: 6}, {UID: 3, ModSeq: 4}, {UID: 4, ModSeq: 5}})
}

func flagsCounters(e *env) {
	e.account(alice)
	e.accept(e.message(0), e.message(mailbox.Seen), e.message(mailbox.Deleted), e.message(mailbox.Seen|mailbox.Deleted))
	count := func(what string, unseen, deleted int64) {
		e.Helper()
		m := e.getMailbox(inbox)
		equal(e, what, []int64{m.Messages, m.Unseen, m.Deleted, m.Size}, []int64{4, unseen, deleted, 4 * rowSize})
	}
	count("at first", 2, 2)
	all := mailbox.AllUIDs()
	e.storeFlags(mailbox.FlagChange{Set: all, Mode: mailbox.AddFlags, Flags: mailbox.Seen})
	count("all seen", 0, 2)
	e.storeFlags(mailbox.FlagChange{Set: all, Mode: mailbox.ReplaceFlags, Flags: mailbox.Deleted})
	count("all deleted, none seen", 4, 4)
	e.storeFlags(mailbox.FlagChange{Set: set(1, 3), Mode: mailbox.RemoveFlags, Flags: mailbox.Deleted | mailbox.Seen})
	count("two kept", 4, 2)
}

func flagsSets(e *env) {
	e.account(alice)
	e.fill(inbox, 9)
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(3, 8)})
	e.must(err)
	c := mailbox.FlagChange{Set: []mailbox.UIDRange{{Low: 2, High: 4}, {Low: 7, High: 1<<32 - 1}}, Flags: mailbox.Seen}
	top := e.getMailbox(inbox).HighestModSeq + 1
	equal(e, "rows", e.storeFlags(c).Rows, []mailbox.Row{{UID: 2, Flags: 1, ModSeq: top}, {UID: 4, Flags: 1, ModSeq: top},
		{UID: 7, Flags: 1, ModSeq: top}, {UID: 9, Flags: 1, ModSeq: top}})
	equal(e, "rows of a set that is gone", e.storeFlags(mailbox.FlagChange{Set: set(3), Flags: 4}).Rows, nil)
	equal(e, "rows of no set", e.storeFlags(mailbox.FlagChange{Flags: 4}).Rows, nil)
	equal(e, "highest", e.getMailbox(inbox).HighestModSeq, top)
}

// flagsIdle: what a caller expects makes no difference to the outcome.
func flagsIdle(e *env) {
	e.account(alice)
	e.accept(e.message(mailbox.Seen), e.message(mailbox.Flagged))
	c := mailbox.FlagChange{Set: mailbox.AllUIDs(), Mode: mailbox.AddFlags, Flags: mailbox.Seen, Idle: true}
	want := []mailbox.Row{{UID: 1, Flags: mailbox.Seen, ModSeq: 2}, {UID: 2, Flags: mailbox.Seen | mailbox.Flagged, ModSeq: 4}}
	equal(e, "what changes all the same", e.storeFlags(c).Rows, want)
	if e.changed(func() { equal(e, "what does not", e.storeFlags(c).Rows, want) }) {
		e.Error("nothing was to be changed")
	}
	since := mailbox.ModSeq(3)
	c.UnchangedSince = &since
	equal(e, "with UNCHANGEDSINCE", e.storeFlags(c), mailbox.FlagResult{Rows: want[:1], Modified: []mailbox.UID{2}})
}

func flagsNoMailbox(e *env) {
	e.account(alice)
	_, err := e.s.StoreFlags(e.ctx, alice, 99, mailbox.FlagChange{Set: mailbox.AllUIDs(), Idle: true})
	e.wantErr(err, mailbox.ErrNoMailbox)
	_, err = e.s.StoreFlags(e.ctx, alice, 99, mailbox.FlagChange{Set: mailbox.AllUIDs()})
	e.wantErr(err, mailbox.ErrNoMailbox)
}
