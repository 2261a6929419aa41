package mailbox

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// rereadAfter is after which time a table is read anew although no hint came.
const rereadAfter = 30 * time.Second

// Table is what all sessions that have a mailbox open know of its messages: UID,
// flags and mod-sequence of each, in 20 bytes. It is safe for concurrent use.
type Table struct {
	own    *owner
	id     MailboxID
	device CredentialID // whose own view it is; 0 if all others share it

	// Guarded by tables.mu.
	users     int
	idleSince time.Time

	turn  chan struct{} // held by the one that reads the store
	epoch uint64        // of the account, before the last reading; guarded by turn
	read  time.Time     // when that was; guarded by turn

	mu      sync.RWMutex
	uids    []UID // what lies within a View's length never changes
	flags   []Flags
	modseqs []ModSeq
	row     Mailbox
	veil    veil // of device
}

// View is a mailbox at one moment. It never changes and costs little to keep: its
// UIDs are shared with the table until a message vanishes.
type View struct {
	UIDs    []UID   // ascending; read only
	Mailbox Mailbox // the row at that moment
}

// Open returns the table of a mailbox, up to date. Each Open needs a Close.
// Errors: ErrNoMailbox.
func (x *Session) Open(ctx context.Context, mbox MailboxID) (*Table, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	t := own.tables.take(own, tableKey{mbox, x.device()})
	if err := t.Refresh(ctx); err != nil {
		t.Close()
		return nil, err
	}
	own.rewrapNew(mbox)
	return t, nil
}

func (t *Table) key() tableKey { return tableKey{t.id, t.device} }

// Close says that this user of the table has done with it.
func (t *Table) Close() { t.own.tables.give(t) }

// Refresh brings the table up to date. It reads the store only when the account
// has changed since the last time, or half a minute has passed. The error is
// ErrNoMailbox when the mailbox was deleted, or has another UIDVALIDITY now: what
// the table knows is then that of a mailbox that is no more.
func (t *Table) Refresh(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	epoch, now := t.own.epoch.Load(), t.own.svc.now()
	if epoch == t.epoch && now.Sub(t.read) < rereadAfter {
		return nil
	}
	c, err := t.own.svc.store.Changes(ctx, t.own.id, t.id, t.highest())
	if err != nil {
		return fmt.Errorf("read changes: %w", err)
	}
	if t.epoch > 0 && c.Mailbox.UIDValidity != t.row.UIDValidity {
		t.own.tables.forget(t)
		return ErrNoMailbox
	}
	if err := t.own.learnWords(ctx, c.Rows); err != nil {
		return err
	}
	var v veil
	if t.device != 0 {
		if v, err = t.own.veilOf(ctx, t.device, t.id); err != nil {
			return err
		}
	}
	t.apply(c, v)
	t.epoch, t.read = epoch, now
	return nil
}

// View returns the mailbox as of the last Refresh.
func (t *Table) View() View {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return View{UIDs: slices.Clip(t.uids), Mailbox: t.row}
}

// Row returns a message as of the last Refresh; false if there is none.
func (t *Table) Row(uid UID) (Row, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, ok := slices.BinarySearch(t.uids, uid)
	if !ok {
		return Row{}, false
	}
	return t.rowLocked(i), true
}

// Rows appends the messages of the set to dst.
func (t *Table) Rows(dst []Row, set []UIDRange) []Row {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range set {
		low, high := span(t.uids, r)
		dst = slices.Grow(dst, high-low)
		for i := low; i < high; i++ {
			dst = append(dst, t.rowLocked(i))
		}
	}
	return dst
}

// With returns which messages of an ascending set carry all of the flags.
func (t *Table) With(f Flags, set []UIDRange) (found []UIDRange) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range set {
		low, high := span(t.uids, r)
		for i := low; i < high; i++ {
			row := t.rowLocked(i)
			if row.Flags&f != f {
				continue
			}
			if n := len(found); n > 0 && found[n-1].High+1 == row.UID {
				found[n-1].High = row.UID
			} else {
				found = append(found, UIDRange{Low: row.UID, High: row.UID})
			}
		}
	}
	return found
}

// ChangedSince returns the messages whose mod-sequence is above m, by UID.
func (t *Table) ChangedSince(m ModSeq) []Row {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var rows []Row
	for i, seq := range t.modseqs {
		if seq > m {
			rows = append(rows, t.rowLocked(i))
		}
	}
	return rows
}

func (t *Table) rowLocked(i int) Row {
	r := Row{UID: t.uids[i], Flags: t.flags[i], ModSeq: t.modseqs[i]}
	if len(t.veil) > 0 {
		r = t.veil.cover(r)
	}
	return r
}

func (t *Table) highest() ModSeq {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.row.HighestModSeq
}

// apply takes in what has happened since the table's mod-sequence, and what the
// device sees of it.
func (t *Table) apply(c Changes, v veil) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !c.Complete {
		t.uids, t.flags, t.modseqs = nil, nil, nil
	}
	t.removeLocked(c.Vanished)
	t.growLocked(c.Rows)
	for _, r := range c.Rows {
		if v.state(r.UID) != Gone {
			t.putLocked(r)
		}
	}
	t.row = c.Mailbox
	if t.device != 0 {
		t.coverLocked(v)
	}
}

// coverLocked takes out what is gone for the device, and counts what it sees.
func (t *Table) coverLocked(v veil) {
	t.removeLocked(v.gone())
	t.veil = v
	t.row.Messages, t.row.Unseen, t.row.Deleted = int64(len(t.uids)), 0, 0
	for i := range t.uids {
		r := t.rowLocked(i)
		if r.Flags&Seen == 0 {
			t.row.Unseen++
		}
		if r.Flags&Deleted != 0 {
			t.row.Deleted++
		}
	}
}

// removeLocked takes messages out. The UIDs that are left go into a new slice,
// because views hold the old one.
func (t *Table) removeLocked(vanished []UIDRange) {
	if !slices.ContainsFunc(vanished, func(r UIDRange) bool { low, high := span(t.uids, r); return low < high }) {
		return
	}
	uids := make([]UID, 0, len(t.uids))
	n := 0
	for i, uid := range t.uids {
		for len(vanished) > 0 && vanished[0].High < uid {
			vanished = vanished[1:]
		}
		if len(vanished) > 0 && vanished[0].Low <= uid {
			continue
		}
		uids = append(uids, uid)
		t.flags[n], t.modseqs[n] = t.flags[i], t.modseqs[i]
		n++
	}
	t.uids, t.flags, t.modseqs = uids, t.flags[:n], t.modseqs[:n]
}

// growLocked makes room for the new messages among rows, which are at their end.
func (t *Table) growLocked(rows []Row) {
	n, _ := slices.BinarySearchFunc(rows, t.lastLocked()+1, func(r Row, uid UID) int { return int(int64(r.UID) - int64(uid)) })
	if n = len(rows) - n; n < 64 {
		return // append grows well enough
	}
	t.uids, t.flags, t.modseqs = slices.Grow(t.uids, n), slices.Grow(t.flags, n), slices.Grow(t.modseqs, n)
}

func (t *Table) lastLocked() UID {
	if len(t.uids) == 0 {
		return 0
	}
	return t.uids[len(t.uids)-1]
}

// putLocked adds or changes one message.
func (t *Table) putLocked(r Row) {
	if r.UID > t.lastLocked() {
		// Beyond the length of every view: this changes none.
		t.uids, t.flags, t.modseqs = append(t.uids, r.UID), append(t.flags, r.Flags), append(t.modseqs, r.ModSeq)
		return
	}
	i, found := slices.BinarySearch(t.uids, r.UID)
	if !found {
		// The store allots UIDs in order, so that this can only be a damaged
		// one; it is shown all the same.
		t.uids = slices.Insert(slices.Clone(t.uids), i, r.UID)
		t.flags, t.modseqs = slices.Insert(t.flags, i, r.Flags), slices.Insert(t.modseqs, i, r.ModSeq)
		return
	}
	t.flags[i], t.modseqs[i] = r.Flags, r.ModSeq
}

// span returns which of the ascending uids are in r.
func span(uids []UID, r UIDRange) (low, high int) {
	low, _ = slices.BinarySearch(uids, r.Low)
	n, found := slices.BinarySearch(uids[low:], r.High)
	if found {
		n++
	}
	return low, low + n
}
