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

const benchAccounts = 100

func benchStore(b *testing.B, maxBatch int) *Store {
	o := options(b)
	o.CheckOnClose, o.maxBatch = false, maxBatch
	return benchAccounted(b, o)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAccept measures durable deliveries of 4 KiB: an operation is one.
// "each" commits each by itself, as a store without group commit would.
func BenchmarkAccept(b *testing.B) {
	for _, mode := range []struct {
		name  string
		batch int
	}{{"group", 0}, {"each", 1}} {
		for _, senders := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", mode.name, senders), func(b *testing.B) {
				benchAccept(b, benchStore(b, mode.batch), senders)
			})
		}
	}
}

func benchAccept(b *testing.B, s *Store, senders int) {
	b.ReportAllocs()
	waits := make([][]time.Duration, senders)
	var all sync.WaitGroup
	b.ResetTimer()
	cpu := cpuTime()
	for i := range senders {
		all.Go(func() {
			for n := i; n < b.N; n += senders {
				d := newDelivery(b, s, mailbox.AccountID(1+n%benchAccounts), 4096)
				d.DeliveryID = d.Blob[:]
				start := time.Now()
				if _, err := s.Accept(b.Context(), []mailbox.Delivery{d}); err != nil {
					b.Error(err)
				}
				waits[i] = append(waits[i], time.Since(start))
			}
		})
	}
	all.Wait()
	cpu = cpuTime() - cpu
	b.StopTimer()
	every := slices.Concat(waits...)
	slices.Sort(every)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/msg")
	b.ReportMetric(float64(every[len(every)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(every[len(every)*99/100].Microseconds())/1000, "p99-ms")
}

// benchMailbox makes a mailbox of n messages.
func benchMailbox(b *testing.B, n int) *Store {
	s := benchStore(b, 0)
	for n > 0 {
		some := min(n, 500)
		n -= some
		var ds []mailbox.Delivery
		for range some {
			ds = append(ds, newDelivery(b, s, 1, 200))
		}
		if _, err := s.Accept(b.Context(), ds); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s
}

// BenchmarkChanges lists a mailbox of 50,000 messages, and asks it for what is
// new when ten messages or nothing are.
func BenchmarkChanges(b *testing.B) {
	const n = 50_000
	s := benchMailbox(b, n)
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			c, err := s.Changes(b.Context(), 1, mailbox.Inbox, 0)
			if err != nil || len(c.Rows) != n {
				b.Fatal(len(c.Rows), err)
			}
		}
	})
	b.Run("ten", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if c, err := s.Changes(b.Context(), 1, mailbox.Inbox, n+1-10); err != nil || len(c.Rows) != 10 {
				b.Fatal(len(c.Rows), err)
			}
		}
	})
	b.Run("none", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if c, err := s.Changes(b.Context(), 1, mailbox.Inbox, n+1); err != nil || len(c.Rows) > 0 {
				b.Fatal(len(c.Rows), err)
			}
		}
	})
	s.sql(b, `UPDATE message SET stage = 1`)
	b.Run("none to wrap", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if ms, err := s.Unwrapped(b.Context(), 1, mailbox.Inbox, 0, 100); err != nil || len(ms) > 0 {
				b.Fatal(len(ms), err)
			}
		}
	})
}

// BenchmarkMessages reads the wide rows of 10,000 messages, as they arrive and
// after their keys were wrapped.
func BenchmarkMessages(b *testing.B) {
	const n = 10_000
	s := benchMailbox(b, n)
	for _, stage := range []string{"sealed", "wrapped"} {
		b.Run(stage, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				ms, err := s.Messages(b.Context(), 1, mailbox.Inbox, mailbox.AllUIDs(), n)
				if err != nil || len(ms) != n {
					b.Fatal(len(ms), err)
				}
			}
		})
		s.sql(b, `UPDATE sealed SET key_ct = zeroblob(60)`)
	}
}

// BenchmarkStoreFlags changes one message, or a thousand at once.
func BenchmarkStoreFlags(b *testing.B) {
	s := benchMailbox(b, 10_000)
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				low := mailbox.UID(1 + i*n%9000)
				c := mailbox.FlagChange{Set: []mailbox.UIDRange{{Low: low, High: low + mailbox.UID(n) - 1}}, Flags: mailbox.Flags(1 + i/9%2)}
				if _, err := s.StoreFlags(b.Context(), 1, mailbox.Inbox, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
