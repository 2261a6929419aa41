package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

const (
	reconnectFirst = time.Second
	reconnectMost  = 5 * time.Minute
	// lookEvery is how often all mailboxes are looked at: the server speaks of INBOX only.
	lookEvery = 5 * time.Minute
)

// reconnectAfter returns how long to wait after so many connections that failed.
func reconnectAfter(failures int) time.Duration {
	d := reconnectFirst
	for range failures - 1 {
		if d *= 2; d >= reconnectMost {
			return reconnectMost
		}
	}
	return d
}

// watcher keeps both sides the same: as soon as the server speaks of a change, the
// user's client makes one, or some minutes have passed.
type watcher struct {
	sync    *syncer
	connect func(context.Context) (*remote, error)
	up      func() // called when the provider was reached
	wake    chan struct{}
	again   chan struct{} // cuts short the wait for another connection

	mu     sync.Mutex
	synced time.Time // end of the last cycle that went through
	fault  error     // of the last one that did not, nil after one that did
	now    func() time.Time
}

// run works until ctx ends, then returns nil. A provider that can't be reached is
// tried again and again; an error is one of this machine's, on which nothing can go on.
func (w *watcher) run(ctx context.Context) error {
	stop := w.sync.local.Session.Notify(w.kick)
	defer stop()
	for failures := 0; ctx.Err() == nil; {
		worked, err := w.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if isOurFault(err) {
			return err
		}
		if failures++; worked {
			failures = 1
		}
		w.note(err)
		w.sync.log.Warn("the connection to the provider ended", "failures", failures, "error", err)
		wait := time.NewTimer(reconnectAfter(failures))
		select {
		case <-wait.C:
		case <-w.again:
		case <-ctx.Done():
		}
		wait.Stop()
	}
	return nil
}

// isOurFault tells trouble with the local store from trouble with the provider.
func isOurFault(err error) bool {
	for _, e := range []error{mailbox.ErrFull, mailbox.ErrCorrupt, mailbox.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// kick asks for a cycle. It is called by the store's writer and returns at once.
func (w *watcher) kick() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// retry connects at once, where that is waited for.
func (w *watcher) retry() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// session is one connection, to its end. It reports whether a cycle went through.
func (w *watcher) session(ctx context.Context) (worked bool, err error) {
	r, err := w.connect(ctx)
	if err != nil {
		return false, err
	}
	defer r.close()
	w.up()
	for {
		again, err := w.sync.cycle(ctx, r)
		if err != nil {
			return worked, err
		}
		worked = true
		w.note(w.sync.refused)
		if again {
			continue
		}
		if err := r.idle(ctx, w.wake, lookEvery); err != nil {
			return worked, err
		}
	}
}

func (w *watcher) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
	if err == nil {
		w.synced = w.now()
	}
}

// state returns when both sides were last the same, and what is wrong since.
func (w *watcher) state() (synced time.Time, fault error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.synced, w.fault
}
