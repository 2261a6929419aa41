package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// hold keeps the writer busy until release is called, so that what is submitted
// meanwhile makes one batch with it. release returns its outcome.
func hold(s *Store) (release func() error) {
	begun, end := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- s.write(context.Background(), "hold", func(*tx) error {
			once.Do(func() { close(begun) })
			<-end
			return nil
		})
	}()
	<-begun
	return func() error {
		close(end)
		return <-done
	}
}

// queued returns when n requests wait for the writer.
func queued(s *Store, n int) {
	for len(s.writer.jobs) < n {
		time.Sleep(time.Millisecond)
	}
}

// inBatch submits requests one after another to a writer that is held, releases
// it, and returns what became of each.
func inBatch(t *testing.T, s *Store, fs ...func(*tx) error) []error {
	t.Helper()
	release := hold(s)
	errs := make([]error, len(fs))
	var all sync.WaitGroup
	for i, f := range fs {
		j := &job{op: fmt.Sprint("request ", i), run: f, accounts: []mailbox.AccountID{alice}}
		if err := s.enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		all.Go(func() { errs[i] = s.await(context.Background(), j) })
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	all.Wait()
	return errs
}

// addSubscription is a request that can be seen to have happened.
func addSubscription(name string) func(*tx) error {
	return func(x *tx) error {
		_, err := x.exec(querySubscribe, int64(alice), []byte(name), []byte(name))
		if err == nil {
			err = x.touch(alice)
		}
		return err
	}
}

func subscribed(t *testing.T, s *Store) string {
	t.Helper()
	list, err := s.Subscriptions(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, n := range list {
		all += string(n.MAC)
	}
	return all
}

var errTrouble = errors.New("trouble")

// TestBatch: whatever a request does, those before and after it in the batch
// are done.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		bad  func(*tx) error
		want error
	}{
		{"fails", func(x *tx) error {
			if err := addSubscription("x")(x); err != nil {
				return err
			}
			return errTrouble
		}, errTrouble},
		{"breaks a constraint", func(x *tx) error {
			_, err := x.exec(`INSERT INTO account_key (account_id, generation, public) VALUES ($1, 1, $2)`, int64(alice), []byte{})
			return err
		}, nil},
		{"panics", func(*tx) error { panic("a broken invariant") }, nil},
		{"loses the transaction", func(x *tx) error {
			if _, err := x.exec("ROLLBACK"); err != nil { // as SQLite does on a full disk
				return err
			}
			_, err := x.exec("UPDATE nothing SET n = 1")
			return err
		}, nil},
		{"loses the transaction by a read", func(x *tx) error {
			if _, err := x.on.conn.ExecContext(x.ctx, "ROLLBACK"); err != nil {
				return err
			}
			_, err := x.one("SELECT nothing FROM nothing", nil)
			return err
		}, nil},
		{"fails before it writes", func(*tx) error { return errTrouble }, errTrouble},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := withAlice(t, options(t))
			errs := inBatch(t, s, addSubscription("a"), c.bad, addSubscription("b"), c.bad, addSubscription("c"))
			for i, err := range errs {
				if bad := i%2 == 1; bad != (err != nil) {
					t.Errorf("request %d: got error %v", i, err)
				}
				if err != nil && c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("request %d: got error %v, want %v", i, err, c.want)
				}
			}
			if got := subscribed(t, s); got != "abc" {
				t.Errorf("got subscriptions %q, want abc", got)
			}
			deliver(t, s, 100) // the writer lives
		})
	}
}

// TestBatchIsOneCommit: what waited together is told of together, once for each
// account.
func TestBatchIsOneCommit(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	var hints [][]mailbox.AccountID
	stop := s.Watch(func(ids []mailbox.AccountID) { hints = append(hints, ids) })
	for _, err := range inBatch(t, s, addSubscription("a"), addSubscription("b"), addSubscription("c")) {
		if err != nil {
			t.Error(err)
		}
	}
	stop()
	if len(hints) != 1 || len(hints[0]) != 1 || hints[0][0] != alice {
		t.Errorf("got hints %v, want one of alice", hints)
	}
}

// failCommit makes the commit of its transaction fail: it breaks a constraint
// that is looked at only then.
func failCommit(x *tx) error {
	if _, err := x.exec("PRAGMA defer_foreign_keys = ON"); err != nil {
		return err
	}
	_, err := x.exec(querySubscribe, int64(999), []byte("nobody's"), []byte("name"))
	return err
}

// TestCommitFails: nobody in the batch can know the outcome. A body file stays,
// since there may be a row for it after a crash.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	d := newDelivery(t, s, alice, 100<<10)
	release := hold(s)
	outcomes := make(chan error, 2)
	go func() { outcomes <- s.write(context.Background(), "fail", failCommit) }()
	queued(s, 1)
	go func() {
		_, err := s.Accept(context.Background(), []mailbox.Delivery{d})
		outcomes <- err
	}()
	queued(s, 2)
	for _, err := range []error{release(), <-outcomes, <-outcomes} {
		if !errors.Is(err, mailbox.ErrUnknown) {
			t.Errorf("got error %v, want ErrUnknown", err)
		}
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d messages are there", n)
	}
	if _, err := os.Stat(s.files.path(d.Blob)); err != nil {
		t.Errorf("the body file is gone although the outcome was unknown: %v", err)
	}
	deliver(t, s, 100)
}

// TestCancelQueued: a request whose caller gave up before it began never
// happens, and its body is removed.
func TestCancelQueued(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	d := newDelivery(t, s, alice, 100<<10)
	release := hold(s)
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error)
	go func() {
		_, err := s.Accept(ctx, []mailbox.Delivery{d})
		outcome <- err
	}()
	queued(s, 1)
	cancel()
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if n := count(t, s); n != 0 {
		t.Errorf("%d messages are there", n)
	}
	if _, err := os.Stat(s.files.path(d.Blob)); err == nil {
		t.Error("the body file is still there")
	}
}

// TestCancelRunning: a request that began is not undone because its caller has
// gone, nor is a store closed under it.
func TestCancelRunning(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	begun, end := make(chan struct{}), make(chan struct{})
	outcome := make(chan error)
	go func() {
		outcome <- s.write(ctx, "slow", func(x *tx) error {
			close(begun)
			<-end
			return addSubscription("a")(x)
		}, alice)
	}()
	<-begun
	cancel()
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	close(end)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if got := subscribed(t, open(t, o)); got != "a" {
		t.Errorf("got subscriptions %q, want a", got)
	}
}

// TestCopyWaits: reseal is not called after Copy has returned, so Copy does not
// return while it may be.
func TestCopyWaits(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	deliver(t, s, 100)
	ctx, cancel := context.WithCancel(t.Context())
	res, err := s.Copy(ctx, alice, mailbox.CopyRequest{From: 1, To: 2, Set: mailbox.AllUIDs()},
		func(m *mailbox.Message, _ mailbox.MailboxID, _ mailbox.UID) ([]byte, []byte, error) {
			cancel()
			return m.Key, m.Envelope, nil
		})
	if err != nil || len(res.Dest) != 1 {
		t.Errorf("got %+v and error %v, want one copy", res, err)
	}
}

// TestTooLong: a transaction has its own time, and ends with it.
func TestTooLong(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.TxTimeout = time.Nanosecond
	s := open(t, o)
	if err := s.CreateAccount(t.Context(), testAccount(alice)); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v, want ErrBusy", err)
	}
	if _, err := s.Account(t.Context(), alice); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("got error %v, want ErrNoAccount", err)
	}
}

// TestWatchStopWaits: when stop has returned no hint is running.
func TestWatchStopWaits(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	begun, end := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	returned := false
	stop := s.Watch(func([]mailbox.AccountID) {
		close(begun)
		<-end
		returned = true
	})
	running.Go(func() {
		if err := s.SetState(context.Background(), alice, mailbox.Active); err != nil {
			t.Error(err)
		}
	})
	<-begun
	go close(end)
	stop()
	if !returned { // the race detector looks at this, too
		t.Error("stop returned while the hint was running")
	}
	running.Wait()
}
