package queue

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// BenchmarkQueue takes messages of 4 KiB into the queue, durably, and brings them to a
// server by SMTP under TLS, while others wait for servers that are down: 16 people
// write at a time. An operation is one message, from Dispatch until it is delivered
// and gone from the queue. peak-MB is the most memory that the process has had, which
// the server and the test share.
func BenchmarkQueue(b *testing.B) {
	for _, waiting := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			h := newHouse(b)
			h.wait(b, waiting)
			h.start(b)
			text := letter("bench") + strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 60)
			b.ResetTimer()
			h.writeAll(b, text, b.N)
			for len(h.sink.got()) < b.N || h.waiting(b) > int64(waiting) {
				_ = pause.For(b.Context(), time.Millisecond)
			}
			b.StopTimer()
			b.ReportMetric(peakMemory(b), "peak-MB")
		})
	}
}

// wait puts messages for a thousand domains into the queue that are due in an hour.
func (h *house) wait(b *testing.B, n int) {
	b.Helper()
	const step = 1000
	for range n / step {
		blob := seal.NewBlobID()
		body, err := h.store.CreateBody(b.Context(), mailbox.QueueAccount, blob, 4096)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := body.Write(make([]byte, 4096)); err != nil {
			b.Fatal(err)
		}
		if err := body.Commit(); err != nil {
			b.Fatal(err)
		}
		var out []mailbox.Outbound
		for i := range step {
			o := mailbox.Outbound{
				Job: mailbox.JobID(randomJob(b)), Destination: mailbox.DestinationID{byte(i), byte(i >> 8), 1},
				Due: h.now().Add(time.Hour), Envelope: make([]byte, 300), Blob: blob,
			}
			if i == 0 {
				o.Body = body
			}
			out = append(out, o)
		}
		if _, err := h.store.Accept(b.Context(), nil, out...); err != nil {
			b.Fatal(err)
		}
	}
}

func randomJob(b *testing.B) (n int64) {
	b.Helper()
	var r [8]byte
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	for _, x := range r {
		n = n<<8 | int64(x)
	}
	return n&(1<<63-1) | 1
}

func (h *house) waiting(b *testing.B) int64 {
	b.Helper()
	w, err := h.Outbox().Waiting(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return w.Jobs
}

// writeAll sends n messages, by 16 senders.
func (h *house) writeAll(b *testing.B, text string, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var writing sync.WaitGroup
	for range 16 {
		writing.Go(func() {
			for left.Add(-1) >= 0 {
				if err := h.writeOne(b.Context(), text); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
}

func (h *house) writeOne(ctx context.Context, text string) error {
	m, err := h.Receive(ctx, strings.NewReader(text), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	away := mailbox.Sending{To: []mailbox.Addressee{{Address: addr.MustParse("bert@there.example")}}}
	return h.Dispatch(ctx, addr.MustParse("anna@here.example"), nil, away, m)
}

// peakMemory reads what the system says of this process.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not on this system
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkClaim is what a worker does for one message beside sending it: lease its
// domain, take it, remove it, and give the lease back, while others wait.
func BenchmarkClaim(b *testing.B) {
	for _, waiting := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			h := newHouse(b)
			h.wait(b, waiting)
			o := h.Outbox()
			for b.Loop() {
				b.StopTimer()
				if err := h.writeOne(b.Context(), letter("bench")); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				leases, err := o.Claim(b.Context(), time.Minute, 10)
				if err != nil || len(leases) != 1 {
					b.Fatalf("got %d leases, %v", len(leases), err)
				}
				letters, err := o.Take(b.Context(), leases[0], 10)
				if err != nil || len(letters) != 1 {
					b.Fatalf("got %d letters, %v", len(letters), err)
				}
				if err := o.Finish(b.Context(), leases[0], letters[0]); err != nil {
					b.Fatal(err)
				}
				if err := o.Release(b.Context(), leases[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
