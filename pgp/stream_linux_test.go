package pgp

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// zeroes is a text of a size, made while it is read.
type letters struct{ left int64 }

func (l *letters) Read(b []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), l.left)
	for i := range b[:n] {
		b[i] = 'a' + byte((l.left-int64(i))%23)
		if (l.left-int64(i))%72 == 0 {
			b[i] = '\n'
		}
	}
	l.left -= n
	return int(n), nil
}

// composeTo writes a mail of so many octets to oneself.
func composeTo(tb testing.TB, w io.Writer, k *Key, size int64) {
	tb.Helper()
	a := addr.MustParse("a@example.org")
	err := k.Compose(w, Draft{
		From: a, Certs: []*Cert{k.Cert()},
		Header: []Field{{"From", "<a@example.org>"}, {"To", "<a@example.org>"}, {"Subject", "s"}, {"Date", "Mon, 23 Nov 2026 10:00:00 +0000"}, {"Message-ID", "<m@example.org>"}},
		Entity: io.MultiReader(strings.NewReader("Content-Type: text/plain\r\n\r\n"), &letters{size}),
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// peakHeap runs f and returns by how many MiB the heap was larger meanwhile, at most.
func peakHeap(f func()) (mib int64) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := heap(), int64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-done:
			return (most - before) >> 20
		case <-time.After(5 * time.Millisecond):
			most = max(most, heap())
		}
	}
}

// TestConstantMemory: a mail of 100 MiB takes no more memory than one of any size, both
// ways. It is not parallel: it measures the process.
func TestConstantMemory(t *testing.T) {
	const size, most = 100 << 20, 16
	k := newTestKey(t, "a@example.org", Classic)
	file, err := os.CreateTemp(t.TempDir(), "mail")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := peakHeap(func() { composeTo(t, file, k, size) }); got > most {
		t.Errorf("writing %d MiB takes %d MiB of memory, want at most %d", size>>20, got, most)
	}
	got := peakHeap(func() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
			return
		}
		opened, err := Open(io.Discard, file, DecryptOptions{Keys: []*Key{k}})
		if err != nil || opened.Signature != GoodSignature {
			t.Errorf("%v, %v", opened.Signature, err)
		}
	})
	if got > most {
		t.Errorf("reading %d MiB takes %d MiB of memory, want at most %d", size>>20, got, most)
	}
}

// processorTime returns what the process has used: that does not suffer from others.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMail writes mails, signed and encrypted, and opens and verifies them.
func BenchmarkMail(b *testing.B) {
	for _, size := range []int64{4 << 10, 10 << 20} {
		for _, p := range []Profile{Classic, Hybrid} {
			k := newTestKey(b, "a@example.org", p)
			var mail strings.Builder
			composeTo(b, &mail, k, size)
			run := func(name string, f func()) {
				b.Run(fmt.Sprintf("%s/%dKiB/%s", name, size>>10, profileName(p)), func(b *testing.B) {
					b.SetBytes(size)
					before := processorTime(b)
					for b.Loop() {
						f()
					}
					b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
				})
			}
			run("write", func() { composeTo(b, io.Discard, k, size) })
			run("open", func() {
				if _, err := Open(io.Discard, strings.NewReader(mail.String()), DecryptOptions{Keys: []*Key{k}}); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
