package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox/seal"
)

// Mail arrives sealed to the account's public key, and costs a KEM operation to
// open. A session wraps the keys of what it meets anew, under the symmetric mailbox
// key, and binds them to their place; listing them is fifty times faster from then
// on. That is done in the background, and only while the account has sessions. It changes nothing that anybody sees, so that it may be left off at any
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

// rewrapNew wraps the messages of a mailbox that is opened for the first time.
func (own *owner) rewrapNew(mbox MailboxID) {
	if own.wrapping.first(mbox) {
		own.rewrapSoon(mbox)
	}
}

// rewrapSoon wraps a mailbox's messages in the background.
func (own *owner) rewrapSoon(mbox MailboxID) {
	own.inBackground(func(ctx context.Context) error { return own.rewrapMailbox(ctx, mbox) })
}

// rewrapMailbox wraps a mailbox's messages while the account has sessions, and makes its
// pages if that were many.
func (own *owner) rewrapMailbox(ctx context.Context, mbox MailboxID) error {
	var last UID
	all := 0
	for own.svc.ring.inUse(own) {
		n, err := own.rewrapSome(ctx, mbox, &last, nil, rewrapBatch)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		all += n
		if err := pause.For(ctx, rewrapPause); err != nil {
			return err
		}
	}
	if all < pageWorth {
		return nil
	}
	return own.pageAll(ctx, mbox)
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
		if err := f(ctx); err != nil && ctx.Err() == nil && !gone(err) {
			own.svc.log.Warn("re-wrap messages", "account", own.id, "error", err)
		}
	})
}

// gone reports whether what was to be wrapped is no longer there, or the session's keys
// are not those of the account any more.
func gone(err error) bool {
	return errors.Is(err, ErrNoMailbox) || errors.Is(err, ErrClosed) || errors.Is(err, ErrGone)
}

// rewrapSet wraps the messages of a set.
func (own *owner) rewrapSet(ctx context.Context, mbox MailboxID, set []UIDRange) error {
	for len(set) > 0 {
		last := set[0].Low - 1
		n, err := own.rewrapSome(ctx, mbox, &last, set, int(min(rewrapBatch, size(set))))
		if err != nil || n == 0 {
			return err
		}
		set = after(set, last)
	}
	return nil
}

// rewrapSome wraps up to limit messages: the next at stage 0, or sealed to a former
// key, above last, unless they are outside the set (nil is every one). It moves last on, and returns how many it
// looked at.
func (own *owner) rewrapSome(ctx context.Context, mbox MailboxID, last *UID, set []UIDRange, limit int) (int, error) {
	batch, err := own.svc.store.Unwrapped(ctx, own.id, mbox, *last, limit)
	if err != nil {
		return 0, fmt.Errorf("read messages: %w", err)
	}
	o := own.newOpener()
	var rows []Rewrapped
	for i := range batch {
		m := &batch[i]
		*last = m.UID
		if set != nil && !contains(set, m.UID) {
			continue
		}
		key, envelope, err := o.bind(m, mbox, m.UID)
		if errors.Is(err, ErrCorrupt) {
			continue // it stays as it is, for its owner to see
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
		rows = append(rows, Rewrapped{UID: m.UID, Generation: own.sealer.Generation, Key: key, Envelope: envelope})
	}
	if len(rows) == 0 {
		return len(batch), nil
	}
	if err := own.svc.store.Rewrap(ctx, own.id, mbox, rows); err != nil {
		return 0, fmt.Errorf("re-wrap: %w", err)
	}
	return len(batch), nil
}

// bind opens a message and wraps its key under the present mailbox key, for a place.
func (o *opener) bind(m *Message, mbox MailboxID, uid UID) (key, envelope []byte, err error) {
	sealed, data, err := o.open(m)
	if err != nil {
		return nil, nil, err
	}
	defer sealed.DEK.Wipe()
	sealed.Owner = o.own.sealer // it may have been of a former generation
	return o.own.bindTo(&sealed, data, mbox, uid)
}

// bindTo wraps a message's key under the mailbox key, and seals its envelope data,
// both for a place.
func (own *owner) bindTo(sealed *seal.Message, data []byte, mbox MailboxID, uid UID) (key, envelope []byte, err error) {
	place := seal.Place{Mailbox: int64(mbox), UID: uint32(uid)}
	if key, err = own.keys.SealKey1(sealed, place); err != nil {
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
