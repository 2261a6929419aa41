//go:build unix

package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/restante/restante/mailbox"
)

// cluster is a primary and its standby.
type cluster struct{ primary, standby *pgServer }

// newCluster starts both. With sync, the primary confirms what the standby has.
func newCluster(t *testing.T, sync bool) *cluster {
	t.Helper()
	bin := needPostgres(t)
	c := &cluster{}
	for _, s := range []**pgServer{&c.primary, &c.standby} {
		var err error
		if *s, err = newPGServer(bin); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*s).remove)
		t.Cleanup(func() { (*s).stop(syscall.SIGQUIT) })
	}
	err := c.primary.initdb()
	if err == nil {
		err = c.primary.start()
	}
	if err == nil {
		err = c.standby.program("pg_basebackup", "-D", c.standby.data(), "-R", "--no-sync", "-c", "fast", "-X", "stream",
			"-d", "host="+c.primary.dir+" user=restante application_name=standby")
	}
	if err == nil {
		err = c.standby.start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if sync {
		c.primary.sql(t, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
		c.primary.sql(t, "SELECT pg_reload_conf()")
	}
	c.primary.until(t, `SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'`)
	return c
}

// options has both hosts: a store uses the one that is the primary.
func (c *cluster) options() Options {
	q := url.Values{"host": {c.primary.dir + "," + c.standby.dir}}
	return Options{URL: "postgres://restante@/postgres?" + q.Encode(), KeyCheck: keyOne}
}

// until returns when a query is true.
func (s *pgServer) until(t *testing.T, query string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.url(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for done := false; !done; time.Sleep(5 * time.Millisecond) {
		if err := c.QueryRow(t.Context(), query).Scan(&done); err != nil {
			t.Fatal(err)
		}
	}
}

// receipts are what deliverers were told.
type receipts struct {
	mu    sync.Mutex
	given map[mailbox.Receipt]int // the delivery, by the place it was told
	n     int
}

// add notes a receipt, and fails if another delivery had the same place.
func (r *receipts) add(t *testing.T, delivery int, got mailbox.Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	place := mailbox.Receipt{UIDValidity: got.UIDValidity, UID: got.UID}
	if other, ok := r.given[place]; ok && other != delivery {
		t.Errorf("deliveries %d and %d were both told UIDVALIDITY %d, UID %d", other, delivery, place.UIDValidity, place.UID)
	}
	r.given[place] = delivery
	r.n++
}

func (r *receipts) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// deliverUntilTaken delivers as a sender does: again until it has a receipt.
func deliverUntilTaken(ctx context.Context, t *testing.T, s *Store, delivery int) (mailbox.Receipt, error) {
	for {
		d := newDelivery(t, s, alice, 500)
		d.DeliveryID = binary.BigEndian.AppendUint64(nil, uint64(delivery))
		rs, err := s.Accept(ctx, []mailbox.Delivery{d})
		switch {
		case err == nil:
			return rs[0], nil
		case ctx.Err() != nil:
			return mailbox.Receipt{}, ctx.Err()
		case !errors.Is(err, mailbox.ErrBusy) && !errors.Is(err, mailbox.ErrUnknown):
			return mailbox.Receipt{}, err
		}
	}
}

// send delivers from two nodes with eight senders each until stop is closed, and
// returns when all have ended.
func send(t *testing.T, all []*Store, r *receipts, stop <-chan struct{}) {
	var senders sync.WaitGroup
	for n, s := range all {
		for i := range 8 {
			senders.Go(func() {
				for k := 0; ; k++ {
					select {
					case <-stop:
						return
					default:
					}
					delivery := n*1e8 + i*1e6 + k
					got, err := deliverUntilTaken(context.Background(), t, s, delivery)
					if err != nil {
						t.Error(err)
						return
					}
					r.add(t, delivery, got)
				}
			})
		}
	}
	senders.Wait()
}

// reached returns when there are n more receipts.
func (r *receipts) reached(t *testing.T, n int) {
	t.Helper()
	n += r.count()
	for deadline := time.Now().Add(3 * time.Minute); r.count() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d receipts came", r.count(), n)
		}
	}
}

// receive starts a program that takes in the server's log as a synchronous standby
// does.
func (s *pgServer) receive(t *testing.T) {
	t.Helper()
	attr, _, err := ordinary()
	if err != nil {
		t.Fatal(err)
	}
	dieWithParent(attr)
	cmd := exec.Command(filepath.Join(s.bin, "pg_receivewal"), "--synchronous", "--no-loop", "-D", s.dir,
		"-d", "host="+s.dir+" user=restante application_name=receiver")
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// follow makes a receiver the synchronous standby of a server.
func (s *pgServer) follow(t *testing.T) {
	t.Helper()
	s.sql(t, "ALTER SYSTEM SET synchronous_standby_names = 'receiver'")
	s.sql(t, "SELECT pg_reload_conf()")
	s.receive(t)
}

// TestFailoverSynchronous: the primary is killed while two nodes deliver, and the
// synchronous standby promoted. Everything that had a receipt is where the receipt
// says, and no UID was given out twice. A new primary without a standby of its own
// is not used.
func TestFailoverSynchronous(t *testing.T) {
	t.Parallel()
	c := newCluster(t, true)
	o := c.options()
	o.RequireSync = true
	all := nodes(t, o, 2)
	for _, s := range all {
		hurry(t, s, 4*time.Second)
	}
	r := &receipts{given: make(map[mailbox.Receipt]int)}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		send(t, all, r, stop)
	}()
	r.reached(t, 300)
	c.primary.stop(syscall.SIGKILL)
	c.standby.promote(t)
	before := r.count()
	if err := all[0].SetState(t.Context(), bob, mailbox.Active); !errors.Is(err, ErrNotSynchronous) {
		t.Errorf("a primary without a standby: got error %v, want ErrNotSynchronous", err)
	}
	if n := r.count(); n != before {
		t.Errorf("a primary without a standby took %d deliveries", n-before)
	}
	c.standby.follow(t)
	r.reached(t, 100)
	close(stop)
	<-ended
	for _, s := range all {
		if n := r.missing(t, s); n != 0 {
			t.Errorf("%d of %d messages that had their receipts are lost", n, r.count())
		}
	}
	t.Log("acknowledged:", r.count(), "of which before the promotion:", before)
}

// missing counts the receipts whose message isn't at the place they say.
func (r *receipts) missing(t *testing.T, s *Store) (n int) {
	t.Helper()
	c, err := s.Changes(t.Context(), alice, mailbox.Inbox, 0)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[mailbox.UID]bool)
	for _, row := range c.Rows {
		there[row.UID] = true
	}
	for place := range r.given {
		if place.UIDValidity != c.Mailbox.UIDValidity || !there[place.UID] {
			n++
		}
	}
	return n
}

// TestFailoverAsynchronous: a standby that had not everything is promoted. What it
// lacks is lost, but no place that was told is another message's: every
// UIDVALIDITY has been raised before anything is taken in.
func TestFailoverAsynchronous(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	log := newCounter()
	o := c.options()
	o.Log = slog.New(log)
	all := nodes(t, o, 2)
	r := &receipts{given: make(map[mailbox.Receipt]int)}
	delivery := 0
	some := func(n int) (last mailbox.Receipt) {
		for range n {
			var err error
			if last, err = deliverUntilTaken(t.Context(), t, all[delivery%2], delivery); err != nil {
				t.Fatal(err)
			}
			r.add(t, delivery, last)
			delivery++
		}
		return last
	}
	some(10)
	c.standby.stop(syscall.SIGINT)
	before := some(10)
	was, err := all[0].Account(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	c.primary.stop(syscall.SIGKILL)
	if err := c.standby.start(); err != nil {
		t.Fatal(err)
	}
	c.standby.promote(t)
	after := some(20) // the same UIDs again, under another UIDVALIDITY
	if after.UIDValidity <= before.UIDValidity {
		t.Errorf("got UIDVALIDITY %d after %d", after.UIDValidity, before.UIDValidity)
	}
	if is, err := all[1].Account(t.Context(), alice); err != nil || is.Change <= was.Change {
		t.Errorf("got change %d and error %v after change %d", is.Change, err, was.Change)
	}
	if n := r.missing(t, all[0]); n < 10 {
		t.Errorf("only %d places are gone: nothing was lost, and the test proves nothing", n)
	}
	if n := log.of(raisedEvery); n != 1 {
		t.Errorf("the UIDVALIDITYs were raised %d times by two nodes, want once", n)
	}
	oldPrimaryIsRefused(t, c, all[0])
}

// oldPrimaryIsRefused: the old primary comes back, and is the only one there.
func oldPrimaryIsRefused(t *testing.T, c *cluster, s *Store) {
	t.Helper()
	c.standby.stop(syscall.SIGINT)
	if err := c.primary.start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.SetState(ctx, bob, mailbox.Active); err == nil {
		t.Error("the old primary was written to")
	}
	c.primary.stop(syscall.SIGINT)
	if err := c.standby.start(); err != nil {
		t.Fatal(err)
	}
	if _, err := deliverUntilTaken(t.Context(), t, s, -1); err != nil {
		t.Error(err)
	}
}

// TestStandbyNotWaitedFor: a commit whose wait for the standby somebody cancelled is
// durable on one machine only. It is not acknowledged, and when it is repeated it
// finds itself.
func TestStandbyNotWaitedFor(t *testing.T) {
	t.Parallel()
	c := newCluster(t, true)
	o := c.options()
	o.RequireSync = true
	s := withAlice(t, o)
	c.standby.stop(syscall.SIGINT)
	d := newDelivery(t, s, alice, 500)
	d.DeliveryID = []byte("once")
	outcome := make(chan error)
	go func() {
		_, err := s.Accept(context.Background(), []mailbox.Delivery{d})
		outcome <- err
	}()
	const waits = `FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'`
	c.primary.until(t, "SELECT count(*) > 0 "+waits)
	c.primary.sql(t, "SELECT pg_cancel_backend(pid) "+waits)
	if err := <-outcome; !errors.Is(err, mailbox.ErrUnknown) {
		t.Errorf("got error %v, want ErrUnknown", err)
	}
	if err := c.standby.start(); err != nil {
		t.Fatal(err)
	}
	again := newDelivery(t, s, alice, 500)
	again.DeliveryID = d.DeliveryID
	rs, err := s.Accept(t.Context(), []mailbox.Delivery{again})
	if err != nil || !rs[0].Duplicate {
		t.Errorf("repeated: got receipts %+v and error %v", rs, err)
	}
}

// TestRequireSync: without a synchronous standby the store does not open, and one
// that is open takes nothing once the standby is given up.
func TestRequireSync(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	o.RequireSync = true
	if s, err := Open(t.Context(), o); !errors.Is(err, ErrNotSynchronous) {
		s.Close()
		t.Fatalf("got error %v, want ErrNotSynchronous", err)
	}
	server, err := newPGServer(needPostgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.remove)
	t.Cleanup(func() { server.stop(syscall.SIGQUIT) })
	if err := errors.Join(server.initdb(), server.start()); err != nil {
		t.Fatal(err)
	}
	server.follow(t)
	o.URL = server.url("")
	s := withAlice(t, o)
	server.sql(t, "ALTER SYSTEM RESET synchronous_standby_names")
	server.sql(t, "SELECT pg_reload_conf()")
	server.until(t, "SELECT current_setting('synchronous_standby_names') = ''")
	hurry(t, s, 2*time.Second)
	lookAgain := func(*tx) error {
		s.engine.(*postgres).synced = time.Now().Add(-syncEvery)
		return nil
	}
	if err := s.write(t.Context(), "look again", lookAgain); err != nil {
		t.Fatal(err)
	}
	if err := s.SetState(t.Context(), alice, mailbox.Active); !errors.Is(err, ErrNotSynchronous) {
		t.Errorf("got error %v, want ErrNotSynchronous", err)
	}
}
