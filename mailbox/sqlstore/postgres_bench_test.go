//go:build unix

package sqlstore

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// durableServer is one that waits for the disk, as those of the tests don't.
func durableServer(b *testing.B) Options {
	b.Helper()
	s, err := newPGServer(needPostgres(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.remove)
	b.Cleanup(func() { s.stop(syscall.SIGQUIT) })
	if err = s.initdb(); err == nil {
		err = s.start("fsync=on")
	}
	if err != nil {
		b.Fatal(err)
	}
	return Options{URL: s.url(""), KeyCheck: keyOne}
}

// BenchmarkAcceptPostgres is BenchmarkAccept on a server beside it. The CPU it
// reports is the client's alone.
func BenchmarkAcceptPostgres(b *testing.B) {
	for _, mode := range []struct {
		name  string
		batch int
	}{{"group", 0}, {"each", 1}} {
		for _, senders := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", mode.name, senders), func(b *testing.B) {
				o := durableServer(b)
				o.maxBatch = mode.batch
				benchAccept(b, benchAccounted(b, o), senders)
			})
		}
	}
}

// BenchmarkHint measures how long after the answer to a delivery on one node a
// client of the other is told.
func BenchmarkHint(b *testing.B) {
	all := nodes(b, durableServer(b), 2)
	heard := make(chan time.Time, 1)
	_, hb := listening(b, all[0], all[1])
	go func() {
		for ids := range hb {
			if slices.Contains(ids, alice) {
				heard <- time.Now()
			}
		}
	}()
	var waits []time.Duration
	for b.Loop() {
		d := newDelivery(b, all[0], alice, 500)
		if _, err := all[0].Accept(b.Context(), []mailbox.Delivery{d}); err != nil {
			b.Fatal(err)
		}
		answered := time.Now()
		waits = append(waits, max(0, (<-heard).Sub(answered)))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}

// benchAccounted opens a store and makes the accounts of the benchmarks.
func benchAccounted(b *testing.B, o Options) *Store {
	s := open(b, o)
	var all sync.WaitGroup
	for i := range benchAccounts {
		all.Go(func() {
			if err := s.CreateAccount(b.Context(), testAccount(mailbox.AccountID(i+1))); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return s
}
