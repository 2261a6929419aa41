package storetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/restante/restante/mailbox"
)

var randomCases = []testCase{
	{"random/1", func(e *env) { randomWalk(e, 1) }},
	{"random/2", func(e *env) { randomWalk(e, 2) }},
	{"random/any", func(e *env) { randomWalk(e, rand.Uint64()) }},
}

const randomSteps = 250

// walk is a random walk: each step is taken by the store and by the model, and
// they must agree on the outcome and on what is there afterwards.
type walk struct {
	*env
	*model
	r *rand.Rand
}

func randomWalk(e *env, seed uint64) {
	e.Logf("seed %d", seed)
	e.account(alice)
	w := &walk{e, newModel(), rand.New(rand.NewPCG(seed, 0))}
	steps := []func(){
		w.stepAccept, w.stepAccept, w.stepAccept, w.stepAccept, w.stepFlags, w.stepFlags, w.stepExpunge,
		w.stepCopy, w.stepCopy, w.stepRewrap, w.stepPages, w.stepRecent, w.stepTree, w.stepChanges, w.stepChanges,
	}
	for range randomSteps {
		steps[w.r.IntN(len(steps))]()
	}
	for id := range w.boxes {
		w.compare(id)
	}
	w.compareAccount()
}

// box picks a mailbox.
func (w *walk) box() mailbox.MailboxID {
	ids := w.ids()
	return ids[w.r.IntN(len(ids))]
}

// set picks up to three ranges among the UIDs of a mailbox and a little beyond.
func (w *walk) set(id mailbox.MailboxID) []mailbox.UIDRange {
	var set []mailbox.UIDRange
	next := mailbox.UID(1)
	for range 1 + w.r.IntN(3) {
		low := next + mailbox.UID(w.r.IntN(5))
		high := low + mailbox.UID(w.r.IntN(1+int(w.boxes[id].uidNext)/3))
		set = append(set, mailbox.UIDRange{Low: low, High: high})
		next = high + 1
	}
	return set
}

func (w *walk) flags() mailbox.Flags {
	pool := []mailbox.Flags{mailbox.Seen, mailbox.Deleted, mailbox.Flagged, mailbox.KeywordFlag(0), mailbox.KeywordFlag(mailbox.MaxKeywords - 1)}
	one, other := pool[w.r.IntN(len(pool))], pool[w.r.IntN(len(pool))]
	return one | other
}

func (w *walk) stepAccept() {
	var ds []mailbox.Delivery
	var want []mailbox.Receipt
	for range 1 + w.r.IntN(3) {
		size := bodySize
		if w.r.IntN(20) == 0 {
			size = 70 << 10
		}
		d := w.delivery(alice, w.box(), size)
		d.Flags, d.Size = w.flags(), int64(w.r.IntN(4))*rowSize
		if w.r.IntN(2) == 0 {
			d.DeliveryID = fmt.Appendf(nil, "delivery %d", w.r.IntN(200))
		}
		ds = append(ds, d)
		want = append(want, w.model.accept(d))
	}
	equal(w.env, "receipts", w.env.accept(ds...), want)
}

func (w *walk) stepFlags() {
	id := w.box()
	c := mailbox.FlagChange{Set: w.set(id), Mode: mailbox.FlagMode(w.r.IntN(3)), Flags: w.flags(), Idle: w.r.IntN(2) == 0}
	if w.r.IntN(3) == 0 {
		since := mailbox.ModSeq(w.r.IntN(int(w.boxes[id].modseq) + 2))
		c.UnchangedSince = &since
	}
	got, err := w.s.StoreFlags(w.ctx, alice, id, c)
	w.must(err)
	equal(w.env, "flags stored", got, w.boxes[id].storeFlags(c))
}

func (w *walk) stepExpunge() {
	id := w.box()
	r := mailbox.ExpungeRequest{Set: w.set(id), Need: mailbox.Deleted}
	switch w.r.IntN(4) {
	case 0:
		r.Need, r.Spare, r.Limit = 0, w.flags(), 1+w.r.IntN(3)
	case 1:
		r.Need = 0
	}
	got, err := w.s.Expunge(w.ctx, alice, id, r)
	w.must(err)
	equal(w.env, "expunged", got, w.boxes[id].expunge(r))
}

func (w *walk) stepCopy() {
	c := mailbox.CopyRequest{From: w.box(), To: w.box(), Move: w.r.IntN(2) == 0}
	c.Set = w.set(c.From)
	got, err := w.s.Copy(w.ctx, alice, c, reseal)
	w.must(err)
	want := w.model.copy(c)
	if !c.Move {
		got.ModSeq, want.ModSeq = 0, 0
	}
	equal(w.env, "copied", got, want)
}

func (w *walk) stepRewrap() {
	id := w.box()
	var rows []mailbox.Rewrapped
	for range w.r.IntN(6) {
		u := mailbox.UID(1 + w.r.IntN(int(w.boxes[id].uidNext)))
		rows = append(rows, mailbox.Rewrapped{UID: u, Key: fmt.Appendf(nil, "wrapped %d", w.r.Uint64()), Envelope: []byte("e")})
	}
	w.must(w.s.Rewrap(w.ctx, alice, id, rows))
	w.boxes[id].rewrap(rows)
}

func (w *walk) stepRecent() {
	id := w.box()
	got, err := w.s.TakeRecent(w.ctx, alice, id)
	w.must(err)
	b := w.boxes[id]
	equal(w.env, "recent", got, b.recent)
	b.recent = b.uidNext
}

// stepTree makes a mailbox, or deletes one other than the first two.
func (w *walk) stepTree() {
	id := w.box()
	if id > sent {
		w.must(w.s.DeleteMailbox(w.ctx, alice, id))
		delete(w.boxes, id)
		return
	}
	if len(w.boxes) < 4 {
		want := w.model.create()
		got := w.env.create(fmt.Sprint("mailbox ", want))
		equal(w.env, "mailbox made", got.ID, want)
	}
}

func (w *walk) stepChanges() {
	id := w.box()
	b := w.boxes[id]
	since := mailbox.ModSeq(w.r.IntN(int(b.modseq) + 2))
	got := w.env.changes(id, since)
	rows, gone := b.changes(since)
	equal(w.env, "rows", got.Rows, rows)
	equal(w.env, "vanished", got.Vanished, merged(gone))
	equal(w.env, "complete", got.Complete, true)
}

// merged makes ranges of ascending UIDs.
func merged(us []mailbox.UID) []mailbox.UIDRange {
	var set []mailbox.UIDRange
	for _, u := range us {
		if n := len(set); n > 0 && set[n-1].High+1 == u {
			set[n-1].High = u
		} else {
			set = append(set, mailbox.UIDRange{Low: u, High: u})
		}
	}
	return set
}

// compare compares a whole mailbox, down to the bodies.
func (w *walk) compare(id mailbox.MailboxID) {
	b := w.boxes[id]
	row := w.getMailbox(id)
	row.Name, row.Use = mailbox.SealedName{}, mailbox.NoUse
	equal(w.env, "mailbox", row, b.row(id))
	got := w.env.messages(id)
	if len(got) != len(b.messages) {
		w.Fatalf("mailbox %d has %d messages, want %d", id, len(got), len(b.messages))
	}
	for i, want := range b.messages {
		g := got[i]
		equal(w.env, "message", modelMessage{g.Row, g.Blob, string(g.Key), g.Size, g.Stage}, want)
		body, err := w.s.OpenBody(w.ctx, alice, g.Blob)
		w.must(err)
		w.hasBody(alice, g.Blob, int(body.Size()))
		w.must(body.Close())
	}
}

func (w *walk) compareAccount() {
	var want mailbox.Quota
	for id, b := range w.boxes {
		row := b.row(id)
		want.Messages += row.Messages
		want.Bytes += row.Size
	}
	equal(w.env, "used", w.getAccount(alice).Used, want)
}
