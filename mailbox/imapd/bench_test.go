package imapd_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// TestMain runs the clients of BenchmarkIdleTLS where this process is started for
// them: what their halves of the connections take must not count.
func TestMain(m *testing.M) {
	if address := os.Getenv("RESTANTE_IDLE_CLIENTS"); address != "" {
		if err := idleClients(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkIdleTLS measures what a client under TLS costs that has selected INBOX and
// idles: resident memory, and of that the heap and the stacks. An open account has
// its cost, too. 10,000 connections take as many open files in each of two processes;
// Go raises the soft limit to the hard one.
func BenchmarkIdleTLS(b *testing.B) {
	for _, conns := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) { benchmarkIdleTLS(b, conns, conns/50, false) })
		b.Run(fmt.Sprintf("conns=%d,compressed", conns), func(b *testing.B) { benchmarkIdleTLS(b, conns, conns/50, true) })
	}
	b.Run("conns=5000,accounts=5000", func(b *testing.B) { benchmarkIdleTLS(b, 5_000, 5_000, false) })
}

func benchmarkIdleTLS(b *testing.B, conns, n int, compressed bool) {
	w := newWorld(b)
	accounts := manyAccounts(b, w, n)
	for len(accounts) < conns {
		accounts = append(accounts, accounts[:n]...)
	}
	address := w.serveTLS(b)
	debug.FreeOSMemory()
	before := measure()
	clients := startIdleClients(b, address, accounts, compressed)
	after := measure()
	debug.FreeOSMemory()
	collected := measure()
	for b.Loop() {
		runtime.GC() // the time is that of a collection with all of them there
	}
	clients()
	each := func(now, then int64) float64 { return float64(now-then) / float64(conns) }
	b.ReportMetric(each(after.resident, before.resident), "rss-B/conn")
	b.ReportMetric(each(collected.resident, before.resident), "rss-after-gc-B/conn")
	b.ReportMetric(each(collected.heap, before.heap), "heap-B/conn")
	b.ReportMetric(each(collected.stack, before.stack), "stack-B/conn")
}

type memory struct{ resident, heap, stack int64 }

// measure collects garbage first, so that only what is held counts; what the
// system was not given back counts as resident.
func measure() (m memory) {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	m.heap, m.stack = int64(stats.HeapAlloc), int64(stats.StackInuse)
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, pages int64
		_, _ = fmt.Sscan(string(statm), &size, &pages)
		m.resident = pages * int64(os.Getpagesize())
	}
	return m
}

// manyAccounts makes accounts, several in one commit.
func manyAccounts(b *testing.B, w *world, n int) []mailbox.Created {
	b.Helper()
	accounts := make([]mailbox.Created, n)
	var makers errgroup.Group
	makers.SetLimit(64)
	for i := range accounts {
		makers.Go(func() (err error) {
			accounts[i], err = w.CreateAccount(b.Context(), addr.MustParse(fmt.Sprintf("u%d@example.org", i)), mailbox.NewAccountOptions{})
			return err
		})
	}
	if err := makers.Wait(); err != nil {
		b.Fatal(err)
	}
	return accounts
}

// readyListener hands over connections whose handshake is done, each on a goroutine
// of its own that ends before, as package listen does.
type readyListener struct {
	net.Listener
	ready chan net.Conn
	done  chan struct{}
}

func (l *readyListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *readyListener) handshakes(ctx context.Context) {
	config, _ := testTLS()
	var running sync.WaitGroup
	defer close(l.done)
	defer running.Wait()
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return
		}
		running.Go(func() {
			t := tls.Server(nc, config)
			if t.HandshakeContext(ctx) != nil {
				nc.Close()
				return
			}
			l.ready <- t
		})
	}
}

// serveTLS serves a socket under TLS, and returns its address.
func (w *world) serveTLS(tb testing.TB) (address string) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &readyListener{Listener: ln, ready: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	go l.handshakes(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return ln.Addr().String()
}

// startIdleClients starts a process with a client for each account, and returns
// once all of them idle. stop ends it.
func startIdleClients(b *testing.B, address string, accounts []mailbox.Created, compressed bool) (stop func()) {
	b.Helper()
	clients := exec.CommandContext(b.Context(), os.Args[0])
	clients.Env = append(os.Environ(), "RESTANTE_IDLE_CLIENTS="+address)
	clients.Stderr = os.Stderr
	in, err := clients.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := clients.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		b.Fatal(err)
	}
	for _, a := range accounts {
		if err := json.NewEncoder(in).Encode(idleAccount{a.Address.String(), a.Secret, compressed}); err != nil {
			b.Fatal(err)
		}
	}
	if err := json.NewEncoder(in).Encode(idleAccount{}); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatalf("the clients did not get ready: %v, after %q", err, line)
	}
	return func() {
		in.Close()
		if err := clients.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// idleAccount is what a client needs to know.
type idleAccount struct {
	User, Secret string
	Compressed   bool
}

// idleClients reads accounts from standard input, logs all of them in, says so, and
// stays until standard input ends.
func idleClients(address string) error {
	in := json.NewDecoder(os.Stdin)
	var clients errgroup.Group
	clients.SetLimit(32)
	var mu sync.Mutex
	var open []net.Conn
	for {
		var account idleAccount
		if err := in.Decode(&account); err != nil {
			return err
		}
		if account == (idleAccount{}) {
			break
		}
		clients.Go(func() error {
			nc, err := idleClient(address, account)
			mu.Lock()
			defer mu.Unlock()
			open = append(open, nc)
			return err
		})
	}
	if err := clients.Wait(); err != nil {
		return err
	}
	fmt.Println("all idle")
	_, err := io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(open)
	return err
}

// idleClient logs in, selects INBOX and idles. It checks no certificate: the server
// that made it is another process.
func idleClient(address string, a idleAccount) (net.Conn, error) {
	nc, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	before := []idleStep{{"", "* OK"}, {"a LOGIN " + a.User + " " + a.Secret, "a OK"}}
	after := []idleStep{{"b SELECT INBOX", "b OK"}, {"c IDLE", "+ "}}
	if !a.Compressed {
		return nc, idleSteps(nc, append(before, after...))
	}
	if err := idleSteps(nc, append(before, idleStep{"z COMPRESS DEFLATE", "z OK"})); err != nil {
		return nil, err
	}
	compressed, err := compressing(nc)
	if err != nil {
		return nil, err
	}
	return nc, idleSteps(compressed, after)
}

// idleStep is a command, and how the last line of its answer begins.
type idleStep struct{ send, want string }

func idleSteps(nc net.Conn, steps []idleStep) (err error) {
	r := bufio.NewReader(nc)
	for _, step := range steps {
		if step.send != "" {
			if _, err := fmt.Fprintf(nc, "%s\r\n", step.send); err != nil {
				return err
			}
		}
		for line := ""; !strings.HasPrefix(line, step.want); {
			if line, err = r.ReadString('\n'); err != nil {
				return fmt.Errorf("%s: %w", step.want, err)
			}
			if strings.Contains(line, " NO ") || strings.Contains(line, " BAD ") {
				return fmt.Errorf("the server says %q", line)
			}
		}
	}
	return nil
}

// BenchmarkPush measures how long it takes from handing a message in until an idling
// client under TLS is told of it, and how much of that is the delivery itself: in an
// empty mailbox, and in large ones. From the end of the delivery the client's wait is
// told as median and p99; below zero he heard of it first.
func BenchmarkPush(b *testing.B) {
	for _, messages := range []int{0, 1_000, 50_000} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) { benchmarkPush(b, messages) })
	}
}

func benchmarkPush(b *testing.B, messages int) {
	w := newTLSWorld(b)
	created := w.account(b, "b@example.org")
	w.crowd(b, created, messages)
	c := w.dial(b)
	c.startTLS()
	c.enter(created).ok("SELECT INBOX")
	c.send("a IDLE")
	c.line()
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	told := make(chan time.Time)
	go func() {
		for {
			line, err := c.r.ReadString('\n')
			if err != nil {
				return
			}
			if exists(strings.TrimSuffix(line, "\r\n")) > messages {
				told <- time.Now()
			}
		}
	}()
	var delivering time.Duration
	var waits []time.Duration
	for i := 0; b.Loop(); i++ {
		begin := time.Now()
		if err := w.deliver(b.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
			b.Fatal(err)
		}
		delivered := time.Now()
		delivering += delivered.Sub(begin)
		waits = append(waits, (<-told).Sub(delivered))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(delivering.Nanoseconds())/float64(b.N), "deliver-ns/op")
	b.ReportMetric(float64(waits[len(waits)/2].Nanoseconds()), "median-ns")
	b.ReportMetric(float64(waits[len(waits)*99/100].Nanoseconds()), "p99-ns")
}
