//go:build unix

package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// with adds a parameter to the URL of a store.
func (o Options) with(t testing.TB, name, value string) Options {
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	o.URL = u.String()
	return o
}

// TestSerializable: where transactions are refused because of others, as under
// SERIALIZABLE and by databases that are spread over machines, they are run again.
func TestSerializable(t *testing.T) {
	t.Parallel()
	log := newCounter()
	o := postgresOptions(t).with(t, "default_transaction_isolation", "serializable")
	o.Log = slog.New(log)
	all := nodes(t, o, 2)
	const writers, each = 4, 10
	var writing sync.WaitGroup
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
	}
	writing.Wait()
	if n := count(t, all[0]); n != 2*writers*each {
		t.Errorf("%d messages are there, want %d", n, 2*writers*each)
	}
	// Whether those met was chance. These two do: each has read what the other changes.
	collide(t, all, func(_ int, met func(), x *tx) error {
		if _, err := x.one(`SELECT change FROM account WHERE account_id = $1`, []any{new(int64)}, int64(alice)); err != nil {
			return err
		}
		met()
		_, err := x.exec(`UPDATE account SET change = change WHERE account_id = $1`, int64(alice))
		return err
	})
	if log.of(runAgain) == 0 {
		t.Error("no transaction had to be run again: the test proves nothing")
	}
}

// collide runs a request on each of two nodes. The first run of each waits in met until
// the other has come there too.
func collide(t *testing.T, all []*Store, request func(node int, met func(), x *tx) error) {
	t.Helper()
	var ready, both sync.WaitGroup
	ready.Add(2)
	for n, s := range all {
		both.Go(func() {
			met := sync.OnceFunc(func() { ready.Done(); ready.Wait() })
			if err := s.write(t.Context(), "collide", func(x *tx) error { return request(n, met, x) }); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
}

// TestDeadlock: a request that takes locks in an order of its own is run again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	log := newCounter()
	o := postgresOptions(t)
	o.Log = slog.New(log)
	all := nodes(t, o, 2)
	order := []mailbox.AccountID{alice, bob}
	collide(t, all, func(n int, met func(), x *tx) error {
		const lock = `SELECT account_id FROM account WHERE account_id = $1 FOR UPDATE`
		for i := range 2 {
			if _, err := x.one(lock, []any{new(int64)}, int64(order[(i+n)%2])); err != nil {
				return err
			}
			met()
		}
		return nil
	})
	// PostgreSQL breaks the circle at one of the two, on a busy machine at both.
	if n := log.of(runAgain); n == 0 {
		t.Error("no transaction was run again: there was no deadlock")
	}
}

// backend is the server's process behind the transaction.
func backend(x *tx) (pid int64, err error) {
	_, err = x.one(`SELECT pg_backend_pid()`, []any{&pid})
	return pid, err
}

func kill(t testing.TB, pid int64) {
	sharedPG.server.sql(t, "SELECT pg_terminate_backend("+strconv.FormatInt(pid, 10)+")")
}

// TestConnectionLost: a connection that goes before the commit has changed
// nothing, and the requests are run on another. Readers find others, too.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	s := withAlice(t, postgresOptions(t))
	runs := 0
	errs := inBatch(t, s, addSubscription("a"), func(x *tx) error {
		runs++
		pid, err := backend(x)
		if err == nil && runs == 1 {
			kill(t, pid)
		}
		return errors.Join(err, addSubscription("b")(x))
	}, addSubscription("c"))
	for i, err := range errs {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if got := subscribed(t, s); runs != 2 || got != "abc" {
		t.Errorf("after %d runs got subscriptions %q, want 2 and abc", runs, got)
	}
}

// TestPoison: a request that ends the connection each time is given up, and those
// that came with it are done.
func TestPoison(t *testing.T) {
	t.Parallel()
	s := withAlice(t, postgresOptions(t))
	runs := 0
	errs := inBatch(t, s, addSubscription("a"), func(x *tx) error {
		runs++
		pid, err := backend(x)
		if err == nil {
			kill(t, pid)
			_, err = backend(x)
		}
		return err
	}, addSubscription("b"))
	if errs[0] != nil || !errors.Is(errs[1], mailbox.ErrBusy) || errs[2] != nil || runs != mayLose {
		t.Errorf("after %d runs got errors %v", runs, errs)
	}
	if got := subscribed(t, s); got != "ab" {
		t.Errorf("got subscriptions %q, want ab", got)
	}
}

// TestSwallowedError: the server answers COMMIT of a transaction in which a
// statement failed as if it had committed. Nobody is told so.
func TestSwallowedError(t *testing.T) {
	t.Parallel()
	s := withAlice(t, postgresOptions(t))
	swallow := func(x *tx) error {
		if _, err := x.exec("UPDATE nothing SET n = 1"); err == nil {
			t.Error("there is a table of that name")
		}
		return nil
	}
	if err := s.write(t.Context(), "swallow", swallow); err == nil {
		t.Error("a request was answered that has not happened")
	}
	errs := inBatch(t, s, addSubscription("a"), swallow)
	if got := subscribed(t, s); got == "" && errs[0] == nil {
		t.Error("a request was answered that another has undone")
	}
	deliver(t, s, 100)
}

// TestReadersAfterLoss: of readers whose connections went, each call finds a new
// one, after at most one error for each old one.
func TestReadersAfterLoss(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t).with(t, "application_name", "TestReadersAfterLoss")
	s := withAlice(t, o)
	count(t, s)
	sharedPG.server.sql(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'TestReadersAfterLoss'`)
	failed := 0
	for {
		_, err := s.Account(t.Context(), alice)
		if err == nil {
			break
		}
		if !errors.Is(err, mailbox.ErrBusy) {
			t.Fatalf("got error %v, want ErrBusy", err)
		}
		if failed++; failed > s.opts.Readers {
			t.Fatal("the readers stay broken")
		}
	}
	deliver(t, s, 100)
}

// proxy stands between a store and the server, and can cut a connection when the
// server has committed, so that the store never hears of it.
type proxy struct {
	dir  string
	cut  atomic.Bool
	cuts atomic.Int64

	ln    net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// block ends the connections, and lets no other through.
func (p *proxy) block(t testing.TB) {
	if err := p.ln.Close(); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

func newProxy(t testing.TB) *proxy {
	p := &proxy{dir: t.TempDir()}
	const socket = ".s.PGSQL.5432"
	ln, err := net.Listen("unix", filepath.Join(p.dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	p.ln = ln
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", filepath.Join(sharedPG.server.dir, socket))
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			go func() { io.Copy(server, client); server.Close() }()
			go p.back(client, server)
		}
	}()
	return p
}

func (p *proxy) back(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) && p.cut.Swap(false) {
			p.cuts.Add(1)
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestCommitUnheard: when the answer to a commit is lost, the outcome is unknown,
// and who repeats the delivery learns where it came to stand the first time.
func TestCommitUnheard(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	p := newProxy(t)
	s := withAlice(t, o.with(t, "host", p.dir))
	for i, size := range []int{3000, 200 << 10} {
		first := newDelivery(t, s, alice, size)
		first.DeliveryID = []byte{byte(i)}
		p.cut.Store(true)
		_, err := s.Accept(t.Context(), []mailbox.Delivery{first})
		if !errors.Is(err, mailbox.ErrUnknown) {
			t.Fatalf("got error %v, want ErrUnknown", err)
		}
		again := newDelivery(t, s, alice, size)
		again.DeliveryID = first.DeliveryID
		rs, err := s.Accept(t.Context(), []mailbox.Delivery{again})
		if err != nil || !rs[0].Duplicate || rs[0].UID != mailbox.UID(i+1) {
			t.Errorf("repeated: got receipts %+v and error %v, want UID %d again", rs, err, i+1)
		}
		if n := count(t, s); n != i+1 || !whole(t, s, first.Blob) {
			t.Errorf("%d messages are there, want %d with their bodies", n, i+1)
		}
	}
	if n := p.cuts.Load(); n != 2 {
		t.Errorf("%d commits were cut off, want 2", n)
	}
}

// hurry has a store give up its transactions after so long, from now on: what a test
// begins with may take longer than that.
func hurry(t *testing.T, s *Store, d time.Duration) {
	t.Helper()
	err := s.write(t.Context(), "hurry", func(*tx) error {
		s.opts.TxTimeout = d // which the writer reads, and here it is the writer who runs
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestServerGone: without a server requests are told to come again, in time.
func TestServerGone(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	p := newProxy(t)
	o = o.with(t, "host", p.dir)
	o.CheckOnClose = false
	s := withAlice(t, o)
	hurry(t, s, 500*time.Millisecond)
	p.block(t)
	if err := s.SetState(context.Background(), alice, mailbox.Disabled); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("write: got error %v, want ErrBusy", err)
	}
	if _, err := s.Account(context.Background(), alice); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("read: got error %v, want ErrBusy", err)
	}
}
