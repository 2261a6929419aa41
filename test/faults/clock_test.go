//go:build faults && linux

package faults

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/sqlstore"
)

// leaps are how far the clock goes wrong, one after the other: a dead battery, a
// typing error, the year 2038, and back.
var leaps = []time.Duration{-20 * 365 * 24 * time.Hour, 3 * time.Hour, 90 * 24 * time.Hour, 12 * 365 * 24 * time.Hour, -90 * 24 * time.Hour, 0}

// leapingClock is real time with an error.
type leapingClock struct{ off atomic.Int64 }

func (c *leapingClock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

// deliverThroughLeaps delivers from several senders while the clock leaps and the
// store looks for leftovers, and returns what was acknowledged.
func deliverThroughLeaps(t *testing.T, w *world, c *leapingClock) *diary {
	t.Helper()
	told := newDiary()
	var mu sync.Mutex
	var senders, sweeper sync.WaitGroup
	done := make(chan struct{})
	sweeper.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			c.off.Store(int64(leaps[n%len(leaps)]))
			if err := w.store.Sweep(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for s := range 8 {
		senders.Go(func() {
			for n := range 60 {
				id := fmt.Sprintf("leap%d.%d@faults.invalid", s, n)
				err := w.deliverSurely(t.Context(), id)
				mu.Lock()
				told.tried = append(told.tried, id)
				if err == nil {
					told.acked = append(told.acked, id)
				}
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	close(done)
	sweeper.Wait()
	return told
}

// leap runs a relay through leaps of its clock and looks at what is left.
func leap(t *testing.T, how sqlstore.TestOnlyCareless) findings {
	t.Helper()
	c := new(leapingClock)
	o := storeOptions(t.TempDir()).TestOnlyCareless(how)
	o.Now = c.now
	w, err := openWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := deliverThroughLeaps(t, w, c)
	c.off.Store(0)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return inspect(t, o, told)
}

// TestClock: whatever the clock does, mail that was acknowledged stays.
func TestClock(t *testing.T) {
	t.Parallel()
	f := leap(t, sqlstore.TestOnlyCareless{})
	t.Log(f)
	if !f.nothing() || f.acked == 0 {
		t.Error(f)
	}
}

// TestClockControl: a store that judges bodies by their age alone is found out.
func TestClockControl(t *testing.T) {
	t.Parallel()
	f := leap(t, sqlstore.TestOnlyCareless{SweepAll: true})
	t.Log(f)
	if f.broken == 0 && f.acked == 480 {
		t.Errorf("no body is missing although the sweep took what was on its way: this test can't find a loss (%v)", f)
	}
}

// TestClockBack: a clock that was set back gives out no UIDVALIDITY and no UID
// twice, and takes a retried message for what it is.
func TestClockBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := new(leapingClock)
	o := storeOptions(t.TempDir())
	o.Now, o.CheckOnClose = c.now, true
	w, err := openWorld(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.login(ctx)
	if err != nil {
		t.Fatal(err)
	}
	last := uint32(0)
	told := newDiary()
	for _, l := range leaps {
		c.off.Store(int64(l))
		m, err := x.Create(ctx, "Temporary", mailbox.NoUse)
		if err != nil {
			t.Fatal(err)
		}
		if m.UIDValidity <= last {
			t.Errorf("with the clock %v off, the mailbox got UIDVALIDITY %d after %d", l, m.UIDValidity, last)
		}
		last = m.UIDValidity
		if err := x.Delete(ctx, "Temporary"); err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("back%d@faults.invalid", len(told.acked))
		for range 2 { // the second time the sender has not heard of the first
			if err := w.deliverSurely(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		told.acked = append(told.acked, id)
	}
	f := findings{acked: len(told.acked)}
	if _, err := f.look(ctx, x, told); err != nil {
		t.Fatal(err)
	}
	if !f.nothing() || f.there != len(leaps) {
		t.Error(f)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}
