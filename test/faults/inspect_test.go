//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/sqlstore"
)

// findings counts what is not as peers were told.
type findings struct {
	acked, there int

	lost      int // acknowledged messages that are not there
	broken    int // messages that don't open, or hold other bytes
	double    int // messages that are there twice
	misplaced int // UIDs under which a client saw another message
	revived   int // messages that are there although they were expunged
	unflagged int // flags that were set and are not
	reused    int // UIDs and mod-sequences that were given out twice
	damage    error
}

func (f findings) String() string {
	damage, _, _ := strings.Cut(fmt.Sprint(f.damage), "\n")
	return fmt.Sprintf("%d acknowledged, %d there: %d lost, %d broken, %d double, %d misplaced, %d revived, %d unflagged, %d reused, damage: %s",
		f.acked, f.there, f.lost, f.broken, f.double, f.misplaced, f.revived, f.unflagged, f.reused, damage)
}

// nothing reports whether all is as it should be.
func (f findings) nothing() bool {
	return f.lost+f.broken+f.double+f.misplaced+f.revived+f.unflagged+f.reused == 0 && f.damage == nil
}

// inspect opens the store as the relay's next start would, compares it with the
// diary, lets the senders try again what was not acknowledged, and compares again.
func inspect(t *testing.T, o sqlstore.Options, d *diary) (f findings) {
	t.Helper()
	ctx := t.Context()
	o.CheckOnClose = true
	f.acked = len(d.acked)
	w, err := openWorld(ctx, o)
	if err != nil {
		f.damage = err
		return f
	}
	defer func() {
		if err := w.close(); err != nil && f.damage == nil {
			f.damage = err
		}
	}()
	x, err := w.login(ctx)
	if err != nil {
		f.damage = err
		return f
	}
	first, err := f.look(ctx, x, d)
	if err == nil {
		err = f.tryAgain(ctx, w, x, d, first)
	}
	f.damage = err
	return f
}

// look compares the mailbox with the diary and returns the ids in it by UID.
func (f *findings) look(ctx context.Context, x *mailbox.Session, d *diary) (map[mailbox.UID]string, error) {
	there := map[mailbox.UID]string{}
	err := x.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		id, err := idOf(i)
		if err != nil || !whole(ctx, i, id) {
			f.broken++
		}
		there[i.UID] = id
		if d.gone[i.UID] {
			f.revived++
		}
		if saw, ok := d.seen[i.UID]; ok && saw != id {
			f.misplaced++
		}
		return nil
	})
	f.there = len(there)
	f.compare(there, d)
	if err != nil {
		return there, err
	}
	return there, f.lookAtFlags(ctx, x, d)
}

// lookAtFlags finds messages that have lost a flag.
func (f *findings) lookAtFlags(ctx context.Context, x *mailbox.Session, d *diary) error {
	rows, err := rowsOf(ctx, x)
	for _, uid := range d.flagged {
		if r, ok := rows[uid]; ok && r.Flags&mailbox.Flagged == 0 {
			f.unflagged++
		}
	}
	return err
}

// rowsOf returns what changes of each message.
func rowsOf(ctx context.Context, x *mailbox.Session) (map[mailbox.UID]mailbox.Row, error) {
	rows := map[mailbox.UID]mailbox.Row{}
	c, err := x.Changes(ctx, mailbox.Inbox, 0)
	for _, r := range c.Rows {
		rows[r.UID] = r
	}
	return rows, err
}

// compare finds the acknowledged messages that nobody deleted.
func (f *findings) compare(there map[mailbox.UID]string, d *diary) {
	count := map[string]int{}
	for _, id := range there {
		count[id]++
	}
	for uid := range d.going {
		if _, ok := there[uid]; !ok {
			count[d.seen[uid]]++ // deleted, as its owner wanted
		}
	}
	for _, id := range d.acked {
		if count[id] == 0 {
			f.lost++
		}
	}
	for _, n := range count {
		if n > 1 {
			f.double++
		}
	}
}

// tryAgain does what senders do: they send again whatever was not acknowledged,
// and go on with new mail. first is what was there before.
func (f *findings) tryAgain(ctx context.Context, w *world, x *mailbox.Session, d *diary, first map[mailbox.UID]string) error {
	acked := map[string]bool{}
	for _, id := range d.acked {
		acked[id] = true
	}
	for _, id := range d.tried {
		if acked[id] {
			continue
		}
		if err := w.deliverSurely(ctx, id); err != nil {
			return fmt.Errorf("try %s again: %w", id, err)
		}
	}
	for n := range 20 {
		if err := w.deliverSurely(ctx, fmt.Sprintf("after.%d.%d@faults.invalid", len(d.tried), n)); err != nil {
			return fmt.Errorf("deliver after the fault: %w", err)
		}
	}
	return f.lookForReuse(ctx, x, d, first)
}

// lookForReuse finds new messages with numbers that a client knows already, and
// messages that are there a second time.
func (f *findings) lookForReuse(ctx context.Context, x *mailbox.Session, d *diary, first map[mailbox.UID]string) error {
	count := map[string]int{}
	rows, err := rowsOf(ctx, x)
	if err != nil {
		return err
	}
	err = x.Fetch(ctx, mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		id, err := idOf(i)
		if err != nil {
			return nil // look has counted it
		}
		count[id]++
		_, old := first[i.UID]
		if !old && (i.UID <= d.lastUID || rows[i.UID].ModSeq <= d.lastModSeq) {
			f.reused++
		}
		return nil
	})
	for _, n := range count {
		if n > 1 {
			f.double++
		}
	}
	return err
}
