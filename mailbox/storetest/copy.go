package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var copyCases = []testCase{
	{"copy/messages", copyMessages},
	{"copy/move", copyMove},
	{"copy/within a mailbox", copyWithin},
	{"copy/move within a mailbox", copyMoveWithin},
	{"copy/reseal", copyReseal},
	{"copy/reseal fails", copyResealFails},
	{"copy/bodies are shared", copyShares},
	{"copy/gone and none", copyGone},
	{"copy/many", copyMany},
	{"copy/quota", copyQuota},
	{"copy/no mailbox", copyNoMailbox},
}

var expungeCases = []testCase{
	{"expunge/deleted", expungeDeleted},
	{"expunge/all", expungeAll},
	{"expunge/some", expungeSome},
	{"expunge/no mailbox", expungeNoMailbox},
}

// resealed is what the cases' reseal makes for a place.
func resealed(blob seal.BlobID, to mailbox.MailboxID, uid mailbox.UID) string {
	return fmt.Sprintf("%s at %d/%d", blob, to, uid)
}

func reseal(m *mailbox.Message, to mailbox.MailboxID, uid mailbox.UID) (key, envelope []byte, err error) {
	s := resealed(m.Blob, to, uid)
	return []byte("key of " + s), []byte("envelope of " + s), nil
}

func (e *env) copy(from, to mailbox.MailboxID, move bool, us ...mailbox.UID) mailbox.CopyResult {
	e.Helper()
	r, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: from, To: to, Set: set(us...), Move: move}, reseal)
	e.must(err)
	return r
}

func copyMessages(e *env) {
	e.account(alice)
	ds := []mailbox.Delivery{e.message(mailbox.Seen), e.message(0), e.message(mailbox.Flagged | mailbox.Deleted)}
	e.accept(ds...)
	e.fill(sent, 4)
	source := e.changes(inbox, 0)
	before := mailbox.DayOf(time.Now())
	equal(e, "result", e.copy(inbox, sent, false, 1, 3), mailbox.CopyResult{
		UIDValidity: e.getMailbox(sent).UIDValidity, Source: []mailbox.UID{1, 3}, Dest: []mailbox.UID{5, 6}, ModSeq: 4})
	equal(e, "source", e.changes(inbox, 0), source)
	got := e.messages(sent, set(5, 6)...)
	for i, from := range []mailbox.Delivery{ds[0], ds[2]} {
		uid := mailbox.UID(5 + i)
		if s := got[i].Saved; s < before || s > before+1 {
			e.Errorf("got day of saving %d, want today, %d", s, before)
		}
		s := resealed(from.Blob, sent, uid)
		equal(e, "copy", got[i], mailbox.Message{Row: mailbox.Row{UID: uid, Flags: from.Flags, ModSeq: 6}, Mailbox: sent,
			Generation: 1, Blob: from.Blob, Key: []byte("key of " + s), Envelope: []byte("envelope of " + s),
			Size: rowSize, Day: today, Saved: got[i].Saved})
	}
	m := e.getMailbox(sent)
	equal(e, "counters", []int64{m.Messages, m.Unseen, m.Deleted, m.Size}, []int64{6, 5, 1, 6 * rowSize})
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{Bytes: 9 * rowSize, Messages: 9})
}

func copyMove(e *env) {
	e.account(alice)
	e.accept(e.message(mailbox.Seen), e.message(0), e.message(mailbox.Deleted))
	since := e.getMailbox(inbox).HighestModSeq
	got := e.copy(inbox, sent, true, 1, 3)
	equal(e, "result", got, mailbox.CopyResult{UIDValidity: e.getMailbox(sent).UIDValidity,
		Source: []mailbox.UID{1, 3}, Dest: []mailbox.UID{1, 2}, ModSeq: since + 1})
	c := e.changes(inbox, since)
	equal(e, "vanished", c.Vanished, set(1, 3))
	equal(e, "source", e.uids(inbox), []mailbox.UID{2})
	equal(e, "counters", []int64{c.Mailbox.Messages, c.Mailbox.Unseen, c.Mailbox.Deleted, c.Mailbox.Size}, []int64{1, 1, 0, rowSize})
	equal(e, "highest", c.Mailbox.HighestModSeq, got.ModSeq)
	equal(e, "destination", e.changes(sent, 0).Rows, []mailbox.Row{{UID: 1, Flags: mailbox.Seen, ModSeq: 2}, {UID: 2, Flags: mailbox.Deleted, ModSeq: 2}})
	for _, m := range e.messages(sent) {
		e.hasBody(alice, m.Blob, bodySize)
	}
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{Bytes: 3 * rowSize, Messages: 3})
}

func copyWithin(e *env) {
	e.account(alice)
	ds := e.fill(inbox, 2)
	equal(e, "new UIDs", e.copy(inbox, inbox, false, 1, 2).Dest, []mailbox.UID{3, 4})
	equal(e, "UIDs", e.uids(inbox), upTo(4))
	e.hasBody(alice, ds[0].Blob, bodySize)
}

func copyMoveWithin(e *env) {
	e.account(alice)
	e.fill(inbox, 3)
	since := e.getMailbox(inbox).HighestModSeq
	got := e.copy(inbox, inbox, true, 1, 2)
	equal(e, "new UIDs", got.Dest, []mailbox.UID{4, 5})
	c := e.changes(inbox, since)
	equal(e, "highest", c.Mailbox.HighestModSeq, got.ModSeq)
	equal(e, "vanished", c.Vanished, []mailbox.UIDRange{{Low: 1, High: 2}})
	equal(e, "UIDs", e.uids(inbox), []mailbox.UID{3, 4, 5})
}

// copyReseal: reseal sees each message as it is stored, with the place where it
// will be.
func copyReseal(e *env) {
	e.account(alice)
	ds := e.fill(inbox, 3)
	e.rewrap(2)
	want := e.messages(inbox)
	var got []mailbox.Message
	next := mailbox.UID(1)
	_, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: mailbox.AllUIDs()},
		func(m *mailbox.Message, to mailbox.MailboxID, uid mailbox.UID) ([]byte, []byte, error) {
			if to != sent || uid != next {
				e.Errorf("reseal for mailbox %d UID %d, want %d and %d", to, uid, sent, next)
			}
			next++
			got = append(got, *m)
			return reseal(m, to, uid)
		})
	e.must(err)
	equal(e, "messages", got, want)
	equal(e, "stage of a copy", e.messages(sent, set(2)...)[0].Stage, mailbox.StageWrapped)
	equal(e, "key of the source", e.messages(inbox, set(1)...)[0].Key, keyOf(ds[0].Blob))
}

func copyResealFails(e *env) {
	e.account(alice)
	e.fill(inbox, 3)
	trouble := errors.New("trouble")
	for _, move := range []bool{false, true} {
		if e.changed(func() {
			_, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: mailbox.AllUIDs(), Move: move},
				func(m *mailbox.Message, to mailbox.MailboxID, uid mailbox.UID) ([]byte, []byte, error) {
					if uid == 3 {
						return nil, nil, trouble
					}
					return reseal(m, to, uid)
				})
			e.wantErr(err, trouble)
		}) {
			e.Error("the account changed")
		}
	}
	equal(e, "source", e.uids(inbox), upTo(3))
	equal(e, "destination", e.getMailbox(sent).UIDNext, 1)
}

// copyShares: a body is there as long as one message has it.
func copyShares(e *env) {
	e.account(alice)
	for _, size := range []int{bodySize, 200 << 10} {
		d := e.delivery(alice, inbox, size)
		first := e.accept(d)[0].UID
		second := e.copy(inbox, sent, false, first).Dest[0]
		third := e.copy(sent, sent, false, second).Dest[0]
		moved := e.copy(sent, inbox, true, third).Dest[0]
		for _, x := range []struct {
			mbox mailbox.MailboxID
			uid  mailbox.UID
		}{{inbox, first}, {sent, second}, {inbox, moved}} {
			e.hasBody(alice, d.Blob, size)
			_, err := e.s.Expunge(e.ctx, alice, x.mbox, mailbox.ExpungeRequest{Set: set(x.uid)})
			e.must(err)
		}
		e.noBody(alice, d.Blob)
	}
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{})
}

func copyGone(e *env) {
	e.account(alice)
	e.fill(inbox, 3)
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(2)})
	e.must(err)
	equal(e, "copied", e.copy(inbox, sent, false, 1, 2, 3, 9).Source, []mailbox.UID{1, 3})
	top := e.getMailbox(inbox).HighestModSeq
	for _, move := range []bool{false, true} {
		equal(e, "result", e.copy(inbox, sent, move, 2, 9),
			mailbox.CopyResult{UIDValidity: e.getMailbox(sent).UIDValidity, ModSeq: top})
	}
}

// copyMany crosses the batches an engine may make.
func copyMany(e *env) {
	e.account(alice)
	const n = 700
	for range n / 100 {
		e.fill(inbox, 100)
	}
	blobs := make(map[seal.BlobID]bool)
	for _, m := range e.messages(inbox) {
		blobs[m.Blob] = true
	}
	_, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: mailbox.AllUIDs(), Move: true}, reseal)
	e.must(err)
	equal(e, "source", e.uids(inbox), nil)
	equal(e, "vanished", e.changes(inbox, 1).Vanished, []mailbox.UIDRange{{Low: 1, High: n}})
	got := e.messages(sent)
	for i, m := range got {
		if string(m.Key) != "key of "+resealed(m.Blob, sent, mailbox.UID(i+1)) || !blobs[m.Blob] {
			e.Fatalf("message %d has the wrong key, or one that was not copied", m.UID)
		}
		delete(blobs, m.Blob)
	}
	equal(e, "left out", len(blobs), 0)
}

func copyQuota(e *env) {
	e.withQuota(mailbox.Quota{Messages: 3})
	e.fill(inbox, 2)
	_, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: mailbox.AllUIDs()}, reseal)
	e.wantErr(err, mailbox.ErrOverQuota)
	equal(e, "destination", e.getMailbox(sent).UIDNext, 1)
	e.copy(inbox, sent, false, 1)
	e.copy(inbox, sent, true, 1, 2) // a full account can tidy up
	equal(e, "UIDs", e.uids(sent), upTo(3))
}

func copyNoMailbox(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	for _, c := range []mailbox.CopyRequest{
		{From: inbox, To: 99, Set: set(1)}, {From: 99, To: inbox, Set: set(1)}, {From: inbox, To: 99, Set: set(5)},
		{From: inbox, To: 99, Set: set(1), Move: true},
	} {
		_, err := e.s.Copy(e.ctx, alice, c, reseal)
		e.wantErr(err, mailbox.ErrNoMailbox)
	}
	equal(e, "UIDs", e.uids(inbox), upTo(1))
}

func expungeDeleted(e *env) {
	e.account(alice)
	var ds []mailbox.Delivery
	for i := range 6 {
		f := mailbox.Flags(0)
		if i%2 == 1 {
			f = mailbox.Deleted
		}
		ds = append(ds, e.message(f))
	}
	e.accept(ds...)
	got, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 1, High: 4}}, Need: mailbox.Deleted})
	e.must(err)
	equal(e, "expunged", got, mailbox.Expunged{UIDs: []mailbox.UID{2, 4}, ModSeq: 8})
	equal(e, "UIDs", e.uids(inbox), []mailbox.UID{1, 3, 5, 6})
	m := e.getMailbox(inbox)
	equal(e, "counters", []int64{m.Messages, m.Unseen, m.Deleted, m.Size}, []int64{4, 4, 1, 4 * rowSize})
	for i, d := range ds {
		if slices.Contains(got.UIDs, mailbox.UID(i+1)) {
			e.noBody(alice, d.Blob)
		} else {
			e.hasBody(alice, d.Blob, bodySize)
		}
	}
	again, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 1, High: 4}}, Need: mailbox.Deleted})
	e.must(err)
	equal(e, "expunged again", again, mailbox.Expunged{ModSeq: 8})
}

func expungeAll(e *env) {
	e.account(alice)
	e.fill(inbox, 5)
	got, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()})
	e.must(err)
	equal(e, "expunged", got, mailbox.Expunged{UIDs: upTo(5), ModSeq: 7})
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{})
	equal(e, "next UID", e.accept(e.message(0))[0].UID, 6)
}

func expungeSome(e *env) {
	e.account(alice)
	e.accept(e.message(0), e.message(mailbox.Flagged), e.message(mailbox.Seen), e.message(mailbox.Seen|mailbox.Flagged), e.message(0), e.message(0))
	for _, c := range []struct {
		r    mailbox.ExpungeRequest
		want []mailbox.UID
	}{
		{mailbox.ExpungeRequest{Set: mailbox.AllUIDs(), Spare: mailbox.Flagged, Limit: 2}, []mailbox.UID{1, 3}},
		{mailbox.ExpungeRequest{Set: mailbox.AllUIDs(), Need: mailbox.Seen | mailbox.Flagged}, []mailbox.UID{4}},
		{mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 1, High: 4}, {Low: 5, High: 9}}, Limit: 2}, []mailbox.UID{2, 5}},
		{mailbox.ExpungeRequest{Set: mailbox.AllUIDs(), Limit: 9}, []mailbox.UID{6}},
	} {
		got, err := e.s.Expunge(e.ctx, alice, inbox, c.r)
		e.must(err)
		equal(e, "expunged", got.UIDs, c.want)
	}
}

func expungeNoMailbox(e *env) {
	e.account(alice)
	_, err := e.s.Expunge(e.ctx, alice, 99, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()})
	e.wantErr(err, mailbox.ErrNoMailbox)
}
