package mailbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// farStore is a store as another node sees it: hints come only when the test sends
// them, and every UIDVALIDITY can be raised, as after a failover.
type farStore struct {
	mailbox.Store
	hint func([]mailbox.AccountID)
	up   atomic.Uint32
}

func (s *farStore) Watch(hint func([]mailbox.AccountID)) func() {
	s.hint = hint
	return func() {}
}

func (s *farStore) Changes(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, since mailbox.ModSeq) (mailbox.Changes, error) {
	c, err := s.Store.Changes(ctx, id, mbox, since)
	c.Mailbox.UIDValidity += s.up.Load()
	return c, err
}

// far opens a session of b's on another node, which counts the pushes to it.
func (w *world) far(t *testing.T, secret string) (*mailbox.Service, *farStore, *mailbox.Session, *atomic.Int64) {
	t.Helper()
	store := &farStore{Store: w.store}
	node := w.newService(t, func(o *mailbox.Options) { o.Store = store })
	t.Cleanup(func() { node.Close() })
	x, err := node.Login(t.Context(), mailbox.Login{User: "b", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	pushes := new(atomic.Int64)
	t.Cleanup(x.Notify(func() { pushes.Add(1) }))
	return node, store, x, pushes
}

// TestEveryHintLost: a client that idles on a node which hears nothing of the
// others learns of new mail within half a minute, and only then.
func TestEveryHintLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.owner(t, "b@example.org")
	node, _, x, pushes := w.far(t, c.Secret)
	table := open(t, x, mailbox.Inbox)
	node.TestOnlySweep(t.Context())
	pushes.Store(0)
	w.deliver(t, message("x", 0), "b@example.org")
	w.clock.advance(20 * time.Second)
	node.TestOnlySweep(t.Context())
	if n := pushes.Load(); n != 0 {
		t.Errorf("got %d pushes without a hint, before the time", n)
	}
	w.clock.advance(9 * time.Second) // 29 in all, and a sweep comes every second
	node.TestOnlySweep(t.Context())
	if n := pushes.Load(); n != 1 {
		t.Errorf("got %d pushes within half a minute, want 1", n)
	}
	if got := see(t, table); len(got) != 1 {
		t.Errorf("the push led to %v, want one message", got)
	}
	w.clock.advance(29 * time.Second)
	node.TestOnlySweep(t.Context())
	if n := pushes.Load(); n != 1 {
		t.Errorf("got %d pushes although nothing happened", n-1)
	}
}

// TestHintsMayBeLost: after a store has said so, everybody looks.
func TestHintsMayBeLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.owner(t, "b@example.org")
	_, store, x, pushes := w.far(t, c.Secret)
	table := open(t, x, mailbox.Inbox)
	before := pushes.Load()
	w.deliver(t, message("x", 0), "b@example.org")
	store.hint(nil)
	if n := pushes.Load() - before; n != 1 {
		t.Errorf("got %d pushes, want 1", n)
	}
	if got := see(t, table); len(got) != 1 {
		t.Errorf("got %v, want one message", got)
	}
}

// TestUIDValidityRaised: a table never mixes what it knows with a mailbox whose
// UIDs mean other messages. Who opens the mailbox again sees the new one.
func TestUIDValidityRaised(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.owner(t, "b@example.org")
	_, store, x, _ := w.far(t, c.Secret)
	w.deliver(t, message("x", 0), "b@example.org")
	table := open(t, x, mailbox.Inbox)
	store.up.Store(1)
	store.hint(nil)
	for range 2 {
		if err := table.Refresh(t.Context()); !errors.Is(err, mailbox.ErrNoMailbox) {
			t.Errorf("got error %v, want ErrNoMailbox", err)
		}
	}
	again := open(t, x, mailbox.Inbox)
	if got := see(t, again); len(got) != 1 {
		t.Errorf("opened again: got %v, want one message", got)
	}
}
