package mailbox

import (
	"context"
	"fmt"
	"sort"
	"sync"

	"github.com/restante/restante/mailbox/seal"
)

// fetchBatch is how many rows are read from the store at a time.
const fetchBatch = 256

// Fetch calls f for each message of the set that exists, by UID. It reads ahead of
// f, and holds no transaction while f runs. It returns f's first error. Items may be
// kept, but not beyond the session.
func (x *Session) Fetch(ctx context.Context, mbox MailboxID, set []UIDRange, f func(*Item) error) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &fetcher{own: own, mbox: mbox, opener: own.newOpener()}
	next := r.ahead(ctx, set)
	defer func() {
		cancel()
		_, _ = next() // whoever reads ahead has ended then
	}()
	for {
		batch, rest, err := r.next(next())
		if err != nil || len(batch) == 0 {
			return err
		}
		next = r.ahead(ctx, rest)
		for i := range batch {
			if err := f(&Item{Message: batch[i], opener: r.opener}); err != nil {
				return err
			}
		}
	}
}

// fetcher reads the rows of one Fetch.
type fetcher struct {
	own    *owner
	mbox   MailboxID
	set    []UIDRange // what the batch being read ahead is of
	opener *opener
	fresh  int // messages met at stage 0
}

// ahead begins to read the first batch of set. The function it returns waits for
// that; it can be called twice.
func (r *fetcher) ahead(ctx context.Context, set []UIDRange) (wait func() ([]Message, error)) {
	r.set = set
	if len(set) == 0 {
		return func() ([]Message, error) { return nil, nil }
	}
	done := make(chan struct{})
	var batch []Message
	var err error
	go func() {
		defer close(done)
		batch, err = r.own.svc.store.Messages(ctx, r.own.id, r.mbox, set, fetchBatch)
	}()
	return func() ([]Message, error) { <-done; return batch, err }
}

// next says what is left to read after a batch.
func (r *fetcher) next(batch []Message, err error) ([]Message, []UIDRange, error) {
	if err != nil {
		return nil, nil, fmt.Errorf("read messages: %w", err)
	}
	for i := range batch {
		if batch[i].Stage == StageSealed {
			r.fresh++
		}
	}
	if r.fresh >= rewrapWorth {
		r.own.rewrapSoon(r.mbox)
	}
	if len(batch) < fetchBatch {
		return batch, nil, nil
	}
	return batch, after(r.set, batch[len(batch)-1].UID), nil
}

// after returns what of the set is above uid.
func after(set []UIDRange, uid UID) []UIDRange {
	for i, r := range set {
		if r.High <= uid {
			continue
		}
		rest := append([]UIDRange(nil), set[i:]...)
		rest[0].Low = max(r.Low, uid+1)
		return rest
	}
	return nil
}

// size returns how many UIDs the set has room for.
func size(set []UIDRange) (n int64) {
	for _, r := range set {
		n += int64(r.High) - int64(r.Low) + 1
	}
	return n
}

// contains reports whether uid is in the ascending set.
func contains(set []UIDRange, uid UID) bool {
	i := sort.Search(len(set), func(i int) bool { return set[i].High >= uid })
	return i < len(set) && set[i].Low <= uid
}

// Changes returns what happened in a mailbox after since, for clients that come
// back with a mod-sequence (RFC 7162, 3.2.5). Errors: ErrNoMailbox.
func (x *Session) Changes(ctx context.Context, mbox MailboxID, since ModSeq) (Changes, error) {
	own, err := x.use()
	if err != nil {
		return Changes{}, err
	}
	c, err := own.svc.store.Changes(ctx, own.id, mbox, since)
	if err != nil {
		return Changes{}, fmt.Errorf("read changes: %w", err)
	}
	return c, nil
}

// opener opens messages of one account. The private key is expanded when the first
// message needs it, and goes with the opener.
type opener struct {
	own     *owner
	private func() (seal.PrivateKey, error)
}

func (own *owner) newOpener() *opener {
	return &opener{own: own, private: sync.OnceValues(own.privateKey)}
}

// open opens a message's key and envelope data.
func (o *opener) open(m *Message) (seal.Message, []byte, error) {
	sealed, place, err := o.openKey(m)
	if err != nil {
		return seal.Message{}, nil, err
	}
	data, err := sealed.OpenEnvelope(place, m.Envelope)
	if err != nil {
		return seal.Message{}, nil, o.damaged(m, err)
	}
	return sealed, data, nil
}

func (o *opener) openKey(m *Message) (seal.Message, seal.Place, error) {
	if m.Generation != o.own.sealer.Generation {
		return seal.Message{}, seal.Place{}, o.damaged(m, fmt.Errorf("sealed to key %d of the account, which has key %d now", m.Generation, o.own.sealer.Generation))
	}
	if m.Stage == StageWrapped {
		place := seal.Place{Mailbox: int64(m.Mailbox), UID: uint32(m.UID)}
		sealed, err := o.own.keys.OpenKey1(m.Blob, place, m.Key)
		if err != nil {
			err = o.damaged(m, err)
		}
		return sealed, place, err
	}
	private, err := o.private()
	if err != nil {
		return seal.Message{}, seal.Place{}, err
	}
	sealed, err := private.OpenKey0(o.own.sealer, m.Blob, m.Key)
	if err != nil {
		err = o.damaged(m, err)
	}
	return sealed, seal.Place{}, err
}

// damaged says which row an error is about.
func (o *opener) damaged(m *Message, err error) error {
	return fmt.Errorf("%w: account %s, mailbox %d, message %d: %w", ErrCorrupt, o.own.id, m.Mailbox, m.UID, err)
}
