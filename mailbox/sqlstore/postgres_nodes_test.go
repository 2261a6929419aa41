//go:build unix

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// counter is a log that counts its messages.
type counter struct {
	slog.Handler
	mu sync.Mutex
	n  map[string]int
}

func newCounter() *counter {
	return &counter{Handler: slog.DiscardHandler, n: make(map[string]int)}
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }

func (c *counter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[r.Message]++
	return nil
}

func (c *counter) of(message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[message]
}

const runAgain = "transaction is run again"

// nodes opens n stores on one schema, with an account each of alice and bob.
func nodes(t testing.TB, o Options, n int) []*Store {
	t.Helper()
	o.CheckOnClose = false // the others go on
	var all []*Store
	for range n {
		all = append(all, open(t, o))
	}
	for _, id := range []mailbox.AccountID{alice, bob} {
		if err := all[0].CreateAccount(t.Context(), testAccount(id)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := all[0].CheckConsistency(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return all
}

const bob mailbox.AccountID = 8

// listenTo returns the hints that a store gives. The first, which says that it
// has begun to listen, has been taken.
func listenTo(t testing.TB, s *Store) <-chan []mailbox.AccountID {
	t.Helper()
	hints := make(chan []mailbox.AccountID, 1000)
	t.Cleanup(s.Watch(func(ids []mailbox.AccountID) { hints <- slices.Clone(ids) }))
	return hints
}

// listening waits until both nodes hear each other.
func listening(t testing.TB, a, b *Store) (<-chan []mailbox.AccountID, <-chan []mailbox.AccountID) {
	t.Helper()
	ha, hb := listenTo(t, a), listenTo(t, b)
	for _, way := range []struct {
		from *Store
		to   <-chan []mailbox.AccountID
	}{{a, hb}, {b, ha}} {
		for heard := false; !heard; {
			if err := way.from.SetState(t.Context(), bob, mailbox.Active); err != nil {
				t.Fatal(err)
			}
			select {
			case ids := <-way.to:
				heard = len(ids) > 0
			case <-time.After(50 * time.Millisecond): // it doesn't listen yet
			}
		}
	}
	return ha, hb
}

// await waits for a hint that names an account, or with 0 for one that names
// none.
func await(t testing.TB, hints <-chan []mailbox.AccountID, id mailbox.AccountID) {
	t.Helper()
	for {
		select {
		case ids := <-hints:
			if slices.Contains(ids, id) || id == 0 && len(ids) == 0 {
				return
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("no hint of account %d came", id)
		}
	}
}

// TestNodesSeeEachOther: what one node changes the other is told of, and reads.
func TestNodesSeeEachOther(t *testing.T) {
	t.Parallel()
	all := nodes(t, postgresOptions(t), 2)
	a, b := all[0], all[1]
	ha, hb := listening(t, a, b)
	d := deliver(t, a, 200<<10)
	await(t, hb, alice)
	if !whole(t, b, d.Blob) || count(t, b) != 1 {
		t.Error("the other node doesn't see the message")
	}
	await(t, ha, alice)
	if _, err := b.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()}); err != nil {
		t.Fatal(err)
	}
	await(t, ha, alice)
	if count(t, a) != 0 {
		t.Error("the first node doesn't see the expunge")
	}
}

// TestOneHintABatch: a node says one thing for a batch, and does not take what it
// said itself for another's.
func TestOneHintABatch(t *testing.T) {
	t.Parallel()
	all := nodes(t, postgresOptions(t), 2)
	a, b := all[0], all[1]
	ha, hb := listening(t, a, b)
	for _, err := range inBatch(t, a, addSubscription("a"), addSubscription("b"), addSubscription("c")) {
		if err != nil {
			t.Error(err)
		}
	}
	// What comes from the server comes in order: to the other after it, what a
	// changes now, and to itself after its echo, what b does after it.
	const dave, carol = 81, 82
	if err := a.CreateAccount(t.Context(), testAccount(dave)); err != nil {
		t.Fatal(err)
	}
	if n := countHints(hb, alice, dave); n != 1 {
		t.Errorf("a batch of a node had %d hints for the other, want 1", n)
	}
	if err := b.CreateAccount(t.Context(), testAccount(carol)); err != nil {
		t.Fatal(err)
	}
	if n := countHints(ha, alice, carol); n != 1 {
		t.Errorf("a batch of a node had %d hints for itself, want 1", n)
	}
}

// countHints counts the hints of an account up to the first of another.
func countHints(hints <-chan []mailbox.AccountID, of, until mailbox.AccountID) (n int) {
	for ids := range hints {
		if slices.Contains(ids, of) {
			n++
		}
		if slices.Contains(ids, until) {
			break
		}
	}
	return n
}

// TestListenAgain: a node that could not hear for a while says so, and hears
// again.
func TestListenAgain(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	all := nodes(t, o, 2)
	a, b := all[0], all[1]
	ha, hb := listening(t, a, b)
	id := a.id
	channel := fmt.Sprintf("LISTEN restante_%x", id[:8])
	sharedPG.server.sql(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = '`+channel+`'`)
	await(t, ha, 0)
	await(t, hb, 0)
	deliver(t, a, 100)
	await(t, hb, alice)
}

// TestNodesUIDsInOrder: however many nodes deliver to a mailbox, who reads it sees
// no UID before a smaller one.
func TestNodesUIDsInOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 8
	all := nodes(t, postgresOptions(t), 2)
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for _, s := range all {
		for range writers {
			writing.Go(func() {
				for range each {
					if _, err := s.Accept(t.Context(), []mailbox.Delivery{newDelivery(t, s, alice, 100)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		reading.Go(func() {
			for finished := false; !finished && !t.Failed(); {
				finished = done.Load()
				seePrefix(t, s)
			}
		})
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
	if n := count(t, all[0]); n != 2*writers*each {
		t.Errorf("%d messages are there, want %d", n, 2*writers*each)
	}
}

func seePrefix(t *testing.T, s *Store) {
	c, err := s.Changes(t.Context(), alice, mailbox.Inbox, 0)
	if err != nil {
		t.Error(err)
		return
	}
	for i, r := range c.Rows {
		if r.UID != mailbox.UID(i+1) || r.ModSeq > c.Mailbox.HighestModSeq {
			t.Errorf("message %d of the list is %+v, the highest mod-sequence %d", i+1, r, c.Mailbox.HighestModSeq)
			return
		}
	}
}

// TestNodesTakeOneDelivery: a delivery that comes to two nodes at once is stored
// once, and both tell the same place. Both are held up where they would change the
// account, so that neither can be done before the other has looked.
func TestNodesTakeOneDelivery(t *testing.T) {
	t.Parallel()
	const name = "TestNodesTakeOneDelivery"
	o := postgresOptions(t)
	all := nodes(t, o.with(t, "application_name", name), 2)
	release := holdAccount(t, o, alice)
	receipts := make(chan mailbox.Receipt, 2)
	for _, s := range all {
		d := newDelivery(t, s, alice, 100)
		d.DeliveryID = []byte("delivery")
		go func() {
			rs, err := s.Accept(context.Background(), []mailbox.Delivery{d})
			if err != nil {
				t.Error(err)
				rs = make([]mailbox.Receipt, 1)
			}
			receipts <- rs[0]
		}()
	}
	waiting(t, name, 2)
	release()
	if a, b := <-receipts, <-receipts; a.UID != b.UID || a.Duplicate == b.Duplicate {
		t.Errorf("got receipts %+v and %+v", a, b)
	}
	if n := count(t, all[0]); n != 1 {
		t.Errorf("%d messages are there, want 1", n)
	}
}

// holdAccount locks an account's row until release.
func holdAccount(t *testing.T, o Options, id mailbox.AccountID) (release func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), o.URL)
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.Begin(t.Context())
	if err == nil {
		_, err = x.Exec(t.Context(), `SELECT 1 FROM account WHERE account_id = $1 FOR UPDATE`, int64(id))
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(x.Commit(t.Context()), c.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

// waiting returns when n connections of that name wait for a lock.
func waiting(t *testing.T, name string, n int) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), sharedPG.server.url(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for k := 0; k < n; time.Sleep(time.Millisecond) {
		err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE application_name = $1 AND wait_event_type = 'Lock'`, name).Scan(&k)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNodesDontWaitInCircles: nodes that deliver to the same accounts and
// destinations in other orders never meet in a deadlock.
func TestNodesDontWaitInCircles(t *testing.T) {
	t.Parallel()
	log := newCounter()
	o := postgresOptions(t)
	o.Log = slog.New(log)
	all := nodes(t, o, 2)
	var writing sync.WaitGroup
	var job atomic.Int64
	for n, s := range all {
		for i := range 8 {
			writing.Go(func() {
				for range 6 {
					ds := []mailbox.Delivery{newDelivery(t, s, alice, 100), newDelivery(t, s, bob, 100)}
					out := []mailbox.Outbound{newOutbound(t, s, &job, 1), newOutbound(t, s, &job, 2)}
					if (n+i)%2 == 1 {
						slices.Reverse(ds)
						slices.Reverse(out)
					}
					if _, err := s.Accept(t.Context(), ds, out...); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	writing.Wait()
	if n := log.of(runAgain); n != 0 {
		t.Errorf("%d transactions had to be run again", n)
	}
}

func newOutbound(t testing.TB, s *Store, job *atomic.Int64, dest byte) mailbox.Outbound {
	d := newDelivery(t, s, mailbox.QueueAccount, 100)
	return mailbox.Outbound{Job: mailbox.JobID(job.Add(1)), Destination: mailbox.DestinationID{dest},
		Due: time.Unix(1, 0), Envelope: []byte("envelope"), Blob: d.Blob, Body: d.Body}
}

// TestNodesFinishOneBody: the last two jobs of one message, finished by two nodes
// at once, leave nothing behind.
func TestNodesFinishOneBody(t *testing.T) {
	t.Parallel()
	all := nodes(t, postgresOptions(t), 2)
	var job atomic.Int64
	now := time.Now()
	for range 20 {
		first := newOutbound(t, all[0], &job, 1)
		second := first
		second.Job, second.Destination, second.Body = mailbox.JobID(job.Add(1)), mailbox.DestinationID{2}, nil
		if _, err := all[0].Accept(t.Context(), nil, first, second); err != nil {
			t.Fatal(err)
		}
		leases, err := all[0].Claim(t.Context(), now, now.Add(time.Minute), 2)
		if err != nil || len(leases) != 2 {
			t.Fatalf("got leases %v and error %v", leases, err)
		}
		var both sync.WaitGroup
		for n, s := range all {
			both.Go(func() {
				js, err := s.Take(t.Context(), leases[n], now, 1)
				if err == nil && len(js) == 1 {
					err = s.Finish(t.Context(), leases[n], js[0].ID, nil)
				}
				if err == nil {
					err = s.Release(t.Context(), leases[n])
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
}

// TestNodesStartAtOnce: of nodes that find an empty database, one makes the store
// and all have it; one with another relay key does not start.
func TestNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		o := postgresOptions(t)
		o.CheckOnClose = false
		var mu sync.Mutex
		made := make(map[seal.StoreID]int)
		wrong := 0
		var all sync.WaitGroup
		for n := range 6 {
			mine := o
			if n%2 == 1 {
				mine.KeyCheck = func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey([32]byte{2}, id).Check() }
			}
			all.Go(func() {
				s, err := Open(t.Context(), mine)
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, ErrWrongKey) {
					wrong++
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				made[s.ID()]++
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(made) != 1 || wrong != 3 {
			t.Errorf("got stores %v, and %d had the wrong key, want one store and 3", made, wrong)
		}
	}
}
