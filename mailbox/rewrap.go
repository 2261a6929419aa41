package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/mailbox/seal"
)

// Mail arrives sealed to the account's public key, and costs a KEM operation to
// open. A session wraps the keys of what it meets anew, under the symmetric mailbox
// key, and binds them to their place; listing them is fifty times faster from then
// on. That is done in the background, newest first, and only while the account has
// sessions. It changes nothing that anybody sees, so that it may be left off at any
// point, and several nodes may do it at once.
const (
	// rewrapBatch is how many messages one transaction wraps.
	rewrapBatch = 500
	// rewrapPause lets others at the store between two batches.
	rewrapPause = 50 * time.Millisecond
	// rewrapWorth is how many messages at stage 0 a Fetch must have met to be
	// worth a transaction. A client that deletes what it has read never gets there.
	rewrapWorth = 16
)

// wrapping is what of an account's re-wrapping was begun.
type wrapping struct {
	mu     sync.Mutex
	opened map[MailboxID]bool // mailboxes that have been open
	busy   bool               // one goroutine for an account is enough
}

// rewrapNew wraps the newest messages of a mailbox that is opened for the first
// time: back to those that were wrapped before.
func (own *owner) rewrapNew(t *Table) {
	if own.wrapping.first(t.id) {
		uids := t.View().UIDs
		own.inBackground(func(ctx context.Context) error { return own.rewrapBack(ctx, t.id, uids) })
	}
}

// rewrapSoon wraps messages that a Fetch has met at stage 0, if they are many.
func (own *owner) rewrapSoon(mbox MailboxID, set []UIDRange) {
	if count(set) >= rewrapWorth {
		own.inBackground(func(ctx context.Context) error { return own.rewrap(ctx, mbox, set) })
	}
}

// inBackground runs f unless something runs for this account already.
func (own *owner) inBackground(f func(context.Context) error) {
	if !own.wrapping.begin() {
		return
	}
	own.svc.background(func(ctx context.Context) {
		defer own.wrapping.end()
		if err := own.svc.rewraps.enter(ctx); err != nil {
			return
		}
		defer own.svc.rewraps.leave()
		if err := f(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrNoMailbox) {
			own.svc.log.Warn("re-wrap messages", "account", own.id, "error", err)
		}
	})
}

// rewrapBack wraps from the last of uids back to a batch in which nothing was at
// stage 0.
func (own *owner) rewrapBack(ctx context.Context, mbox MailboxID, uids []UID) error {
	for len(uids) > 0 && own.svc.ring.inUse(own) {
		n := max(0, len(uids)-rewrapBatch)
		set := []UIDRange{{uids[n], uids[len(uids)-1]}}
		uids = uids[:n]
		found, err := own.rewrapSome(ctx, mbox, set)
		if err != nil || found == 0 {
			return err
		}
		if err := wait(ctx, rewrapPause); err != nil {
			return err
		}
	}
	return nil
}

// rewrap wraps all messages of the set that are at stage 0.
func (own *owner) rewrap(ctx context.Context, mbox MailboxID, set []UIDRange) error {
	for len(set) > 0 {
		batch, err := own.svc.store.Messages(ctx, own.id, mbox, set, rewrapBatch)
		if err != nil {
			return fmt.Errorf("read messages: %w", err)
		}
		if _, err := own.wrapAll(ctx, mbox, batch); err != nil {
			return err
		}
		if len(batch) < rewrapBatch {
			return nil
		}
		set = after(set, batch[len(batch)-1].UID)
	}
	return nil
}

// rewrapSome does the same for a set of at most rewrapBatch messages, and says how
// many it found at stage 0.
func (own *owner) rewrapSome(ctx context.Context, mbox MailboxID, set []UIDRange) (int, error) {
	batch, err := own.svc.store.Messages(ctx, own.id, mbox, set, rewrapBatch)
	if err != nil {
		return 0, fmt.Errorf("read messages: %w", err)
	}
	return own.wrapAll(ctx, mbox, batch)
}

// wrapAll wraps those of the batch that are at stage 0, and says how many these
// are. A message that doesn't open stays as it is, for its owner to see.
func (own *owner) wrapAll(ctx context.Context, mbox MailboxID, batch []Message) (int, error) {
	o := own.newOpener()
	var rows []Rewrapped
	for i := range batch {
		m := &batch[i]
		if m.Stage != StageSealed {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		key, envelope, err := o.bind(m, mbox, m.UID)
		if errors.Is(err, ErrCorrupt) {
			continue
		}
		if err != nil {
			return 0, err
		}
		rows = append(rows, Rewrapped{UID: m.UID, Key: key, Envelope: envelope})
	}
	if len(rows) == 0 {
		return 0, nil
	}
	if err := own.svc.store.Rewrap(ctx, own.id, mbox, rows); err != nil {
		return 0, fmt.Errorf("re-wrap: %w", err)
	}
	return len(rows), nil
}

// bind opens a message and wraps its key under the mailbox key, for a place.
func (o *opener) bind(m *Message, mbox MailboxID, uid UID) (key, envelope []byte, err error) {
	sealed, data, err := o.open(m)
	if err != nil {
		return nil, nil, err
	}
	defer sealed.DEK.Wipe()
	place := seal.Place{Mailbox: int64(mbox), UID: uint32(uid)}
	if key, err = o.own.keys.SealKey1(&sealed, place); err != nil {
		return nil, nil, fmt.Errorf("wrap key: %w", err)
	}
	return key, sealed.SealEnvelope(place, data), nil
}

// first reports whether a mailbox is opened for the first time.
func (w *wrapping) first(id MailboxID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opened == nil {
		w.opened = map[MailboxID]bool{}
	}
	first := !w.opened[id]
	w.opened[id] = true
	return first
}

func (w *wrapping) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy {
		return false
	}
	w.busy = true
	return true
}

func (w *wrapping) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = false
}
