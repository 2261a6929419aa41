package storetest

import (
	"sync"
	"sync/atomic"

	"github.com/restante/restante/mailbox"
)

var concurrentCases = []testCase{
	{"concurrent/UIDs are seen in order", concurrentPrefix},
	{"concurrent/changes are snapshots", concurrentSnapshots},
	{"concurrent/moves to and fro", concurrentMoves},
}

const (
	writers   = 16
	perWriter = 12
)

// concurrentPrefix: a client that has seen a UID never looks below it again.
func concurrentPrefix(e *env) {
	e.accounts()
	var all sync.WaitGroup
	var done atomic.Bool
	for range writers {
		var mine []mailbox.Delivery
		for range perWriter {
			mine = append(mine, e.message(0))
		}
		all.Go(func() { e.deliverEach(mine) })
	}
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		e.pollPrefixes(&done)
	}()
	all.Wait()
	done.Store(true)
	<-polled
	equal(e, "UIDs", e.uids(inbox), upTo(writers*perWriter))
}

// deliverEach checks that each receipt is above the one before.
func (e *env) deliverEach(ds []mailbox.Delivery) {
	var last mailbox.Receipt
	for _, d := range ds {
		rs, err := e.s.Accept(e.ctx, []mailbox.Delivery{d})
		if err != nil {
			e.Error(err)
			return
		}
		if rs[0].UID <= last.UID || rs[0].ModSeq <= last.ModSeq {
			e.Errorf("got receipt %+v after %+v", rs[0], last)
		}
		last = rs[0]
	}
}

func (e *env) pollPrefixes(done *atomic.Bool) {
	for finished := false; !finished; {
		finished = done.Load()
		c, err := e.s.Changes(e.ctx, alice, inbox, 0)
		if err != nil {
			e.Error(err)
			return
		}
		if want := mailbox.UID(len(c.Rows) + 1); c.Mailbox.UIDNext != want {
			e.Errorf("%d messages are there and UIDNEXT is %d", len(c.Rows), c.Mailbox.UIDNext)
		}
		for i, r := range c.Rows {
			if r.UID != mailbox.UID(i+1) || r.ModSeq > c.Mailbox.HighestModSeq {
				e.Errorf("message %d of the list is %+v, the highest mod-sequence %d", i+1, r, c.Mailbox.HighestModSeq)
				return
			}
		}
	}
}

// concurrentSnapshots follows a mailbox by its changes alone, while messages
// come, change and go, and ends with the same messages as the store.
func concurrentSnapshots(e *env) {
	e.account(alice)
	var all sync.WaitGroup
	var done atomic.Bool
	for i := range 4 {
		var mine []mailbox.Delivery
		for range 15 {
			mine = append(mine, e.message(0))
		}
		all.Go(func() { e.churn(mine, mailbox.KeywordFlag(i)) })
	}
	known := make(map[mailbox.UID]mailbox.Row)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		e.follow(known, &done)
	}()
	all.Wait()
	done.Store(true)
	<-followed
	want := make(map[mailbox.UID]mailbox.Row)
	for _, r := range e.changes(inbox, 0).Rows {
		want[r.UID] = r
	}
	equal(e, "messages known from changes", known, want)
}

// churn delivers messages, flags each, and expunges every third.
func (e *env) churn(ds []mailbox.Delivery, f mailbox.Flags) {
	for i, d := range ds {
		rs, err := e.s.Accept(e.ctx, []mailbox.Delivery{d})
		if err != nil {
			e.Error(err)
			return
		}
		us := set(rs[0].UID)
		if _, err := e.s.StoreFlags(e.ctx, alice, inbox, mailbox.FlagChange{Set: us, Flags: f}); err != nil {
			e.Error(err)
		}
		if i%3 == 0 {
			if _, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: us}); err != nil {
				e.Error(err)
			}
		}
	}
}

// follow applies changes to known until done, and once more.
func (e *env) follow(known map[mailbox.UID]mailbox.Row, done *atomic.Bool) {
	since := mailbox.ModSeq(0)
	for finished := false; !finished; {
		finished = done.Load()
		c, err := e.s.Changes(e.ctx, alice, inbox, since)
		if err != nil {
			e.Error(err)
			return
		}
		for _, r := range c.Rows {
			known[r.UID] = r
		}
		for u := range known {
			if contains(c.Vanished, u) {
				delete(known, u)
			}
		}
		if int64(len(known)) != c.Mailbox.Messages {
			e.Errorf("the changes up to %d make %d messages, the mailbox says %d", c.Mailbox.HighestModSeq, len(known), c.Mailbox.Messages)
			return
		}
		since = c.Mailbox.HighestModSeq
	}
}

// concurrentMoves: however movers meet, each message is in one place.
func concurrentMoves(e *env) {
	e.account(alice)
	const n = 20
	e.fill(inbox, n)
	var all sync.WaitGroup
	for i := range 8 {
		from, to := inbox, sent
		if i%2 == 1 {
			from, to = to, from
		}
		all.Go(func() {
			for range 5 {
				if _, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: from, To: to, Set: mailbox.AllUIDs(), Move: true}, reseal); err != nil {
					e.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(e.uids(inbox)) + len(e.uids(sent)); got != n {
		e.Errorf("%d messages are left of %d", got, n)
	}
}
