package mailbox

import (
	"bytes"
	"context"
	"fmt"

	"github.com/restante/restante/mailbox/seal"
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
		if len(batch.messages) == 0 {
			return nil
		}
		next = r.ahead(ctx)
		for i := range batch.messages {
			if err := f(batch.item(i, r.opener)); err != nil {
				return err
			}
		}
	}
}

// fetcher reads the rows of one Fetch, and the bodies. While one of its goroutines
// reads ahead, its fields are that one's.
type fetcher struct {
	own    *owner
	mbox   MailboxID
	bodies bool
	opener *opener

	set   []UIDRange // what is still to be read
	asked []UIDRange // what rows were read of
	rows  []Message  // that were read, and given to nobody yet
	fresh int        // messages met at stage 0
}

// batch is some messages, with the bodies that were read along with them.
type batch struct {
	messages []Message
	bodies   map[seal.BlobID][]byte
}

func (b *batch) item(i int, o *opener) *Item {
	m := &b.messages[i]
	return &Item{Message: *m, opener: o, small: b.bodies[m.Blob]}
}

// ahead begins to read the next batch. The function it returns waits for that; it
// can be called twice. A batch is empty when there are no more.
func (r *fetcher) ahead(ctx context.Context) (wait func() (batch, error)) {
	if len(r.rows) == 0 && len(r.set) == 0 {
		return func() (batch, error) { return batch{}, nil }
	}
	done := make(chan struct{})
	var b batch
	var err error
	go func() {
		defer close(done)
		b, err = r.read(ctx)
	}()
	return func() (batch, error) { <-done; return b, err }
}

func (r *fetcher) read(ctx context.Context) (b batch, err error) {
	if len(r.rows) == 0 {
		if err := r.readRows(ctx); err != nil {
			return batch{}, err
		}
	}
	if !r.bodies || len(r.rows) == 0 {
		b.messages, r.rows = r.rows, nil
		return b, nil
	}
	n := atOnce(r.rows)
	b.messages, r.rows = r.rows[:n], r.rows[n:]
	b.bodies, err = r.own.svc.store.SmallBodies(ctx, r.own.id, r.mbox, between(r.asked, b.messages[0].UID, b.messages[n-1].UID))
	return b, err
}

func (r *fetcher) readRows(ctx context.Context) (err error) {
	r.rows, err = r.own.svc.store.Messages(ctx, r.own.id, r.mbox, r.set, fetchBatch)
	if err != nil {
		return err
	}
	for i := range r.rows {
		if r.rows[i].Stage == StageSealed {
			r.fresh++
		}
	}
	if r.fresh >= rewrapWorth {
		r.own.rewrapSoon(r.mbox)
	}
	r.asked = r.set
	if len(r.rows) < fetchBatch {
		r.set = nil
		return nil
	}
	r.set = after(r.set, r.rows[len(r.rows)-1].UID)
	return nil
}

// atOnce returns how many of the messages have bodies that are read at once.
func atOnce(ms []Message) int {
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
