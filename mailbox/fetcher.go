package mailbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

const (
	// fetchBatch is how many rows are read from the store at a time.
	fetchBatch = 256

	// fetchBodies is how many bytes of bodies are read at a time, or a little
	// more. Twice of it waits in memory for a client that reads slowly.
	fetchBodies = 256 << 10
)

func (x *Session) fetch(ctx context.Context, mbox MailboxID, set []UIDRange, bodies bool, f func(*Item) error) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &fetcher{own: own, mbox: mbox, set: set, bodies: bodies, opener: own.newOpener()}
	next := r.ahead(ctx)
	defer func() {
		cancel()
		_, _ = next() // whoever reads ahead has ended then
	}()
	for {
		batch, err := next()
		if err != nil {
			return fmt.Errorf("read messages: %w", err)
		}
		if len(batch) == 0 {
			break
		}
		next = r.ahead(ctx)
		for i := range batch {
			if err := f(&batch[i]); err != nil {
				return err
			}
		}
	}
	if r.worth.count >= pageWorth {
		own.pageSoon(mbox)
	}
	return nil
}

// fetcher reads the messages of one Fetch, and the bodies. While one of its goroutines
// reads ahead, its fields are that one's.
type fetcher struct {
	own    *owner
	mbox   MailboxID
	bodies bool
	opener *opener

	set   []UIDRange  // what is still to be read
	asked []UIDRange  // what items were read of
	items []Item      // that were read, and given to nobody yet
	pages []Page      // that come next, or after what is to be read by row
	from  PageNumber  // those below it were looked for
	fresh int         // messages met at stage 0, or sealed to a former key
	worth worthPaging // messages read by row
}

// ahead begins to read the next batch. The function it returns waits for that; it
// can be called twice. A batch is empty when there are no more.
func (r *fetcher) ahead(ctx context.Context) (wait func() ([]Item, error)) {
	if len(r.items) == 0 && len(r.set) == 0 {
		return func() ([]Item, error) { return nil, nil }
	}
	done := make(chan struct{})
	var batch []Item
	var err error
	go func() {
		defer close(done)
		batch, err = r.read(ctx)
	}()
	return func() ([]Item, error) { <-done; return batch, err }
}

func (r *fetcher) read(ctx context.Context) ([]Item, error) {
	for len(r.items) == 0 && len(r.set) > 0 {
		if err := r.readItems(ctx); err != nil {
			return nil, err
		}
	}
	if !r.bodies || len(r.items) == 0 {
		batch := r.items
		r.items = nil
		return batch, nil
	}
	n := atOnce(r.items)
	batch := r.items[:n]
	r.items = r.items[n:]
	return batch, r.readBodies(ctx, batch)
}

func (r *fetcher) readBodies(ctx context.Context, batch []Item) error {
	set := between(r.asked, batch[0].UID, batch[len(batch)-1].UID)
	bodies, err := r.own.svc.store.SmallBodies(ctx, r.own.id, r.mbox, set)
	for i := range batch {
		batch[i].small = bodies[batch[i].row.Blob]
	}
	return err
}

// readItems reads what comes next: a page, or rows up to the next page.
func (r *fetcher) readItems(ctx context.Context) error {
	if err := r.findPages(ctx); err != nil {
		return err
	}
	if len(r.pages) == 0 {
		return r.readRows(ctx, r.set)
	}
	page := r.pages[0].Number.UIDs()
	if before := between(r.set, 0, page.Low-1); len(before) > 0 {
		return r.readRows(ctx, before)
	}
	r.readPage(page)
	return nil
}

// findPages looks for the next pages that there are, unless some are known.
func (r *fetcher) findPages(ctx context.Context) error {
	for len(r.pages) == 0 {
		low, high, ok := densePages(r.set, r.from)
		if !ok {
			return nil
		}
		var err error
		if r.pages, err = r.own.svc.store.Pages(ctx, r.own.id, r.mbox, low, high, pagesAtOnce); err != nil {
			return err
		}
		r.from = high + 1
		if n := len(r.pages); n == pagesAtOnce {
			r.from = r.pages[n-1].Number + 1
		}
	}
	return nil
}

// readPage opens the next page, which is of some UIDs. If it does not open, they are
// left in the set, to be read by row.
func (r *fetcher) readPage(uids UIDRange) {
	items, err := r.opener.openPage(r.mbox, &r.pages[0])
	r.pages = r.pages[1:]
	if err != nil {
		r.own.svc.log.Error("page does not open, its messages are read by row", "account", r.own.id, "mailbox", r.mbox, "error", err)
		return
	}
	r.asked = between(r.set, uids.Low, uids.High)
	r.set = after(r.set, uids.High)
	r.items = slices.DeleteFunc(items, func(i Item) bool { return !contains(r.asked, i.UID) })
}

// readRows reads rows of a part of the set that comes first in it.
func (r *fetcher) readRows(ctx context.Context, part []UIDRange) error {
	rows, err := r.own.svc.store.Messages(ctx, r.own.id, r.mbox, part, fetchBatch)
	if err != nil {
		return err
	}
	r.items = make([]Item, len(rows))
	for i := range rows {
		r.items[i] = newItem(rows[i], r.opener)
		r.worth.add(&rows[i])
		if rows[i].Stage == StageSealed || r.own.isFormer(&rows[i]) {
			r.fresh++
		}
	}
	if r.fresh >= rewrapWorth {
		r.own.rewrapSoon(r.mbox)
	}
	r.asked = part
	last := part[len(part)-1].High
	if len(rows) == fetchBatch {
		last = rows[fetchBatch-1].UID
	}
	r.set = after(r.set, last)
	return nil
}

// atOnce returns how many of the messages have bodies that are read at once.
func atOnce(ms []Item) int {
	sum := int64(0)
	for i := range ms {
		if sum += min(ms[i].Size, fetchBodies); sum >= fetchBodies {
			return i + 1
		}
	}
	return len(ms)
}

// between returns what of the set is from low to high.
func between(set []UIDRange, low, high UID) []UIDRange {
	var part []UIDRange
	for _, r := range set {
		if r.Low <= high && r.High >= low {
			part = append(part, UIDRange{Low: max(r.Low, low), High: min(r.High, high)})
		}
	}
	return part
}

// smallBody reads a body that was read along with its row.
type smallBody struct{ *bytes.Reader }

var _ BodyReader = smallBody{}

// Close implements io.Closer.
func (smallBody) Close() error { return nil }
