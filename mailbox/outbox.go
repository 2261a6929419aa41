package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// Outbox is the queue of mail to other relays as the one who brings it there sees
// it: QueueStore, with letters that can be read. It is safe for concurrent use,
// but each Letter is for one goroutine.
type Outbox struct{ s *Service }

// Outbox returns the service's outbox.
func (s *Service) Outbox() *Outbox { return &Outbox{s} }

// Watch calls f when there may be work to claim, from this or another node. It
// must return at once. stop ends the calls.
func (o *Outbox) Watch(f func()) (stop func()) {
	return o.s.store.Watch(func(ids []AccountID) {
		if slices.Contains(ids, QueueAccount) {
			f()
		}
	})
}

// Claim leases destinations for a time. See QueueStore.Claim.
func (o *Outbox) Claim(ctx context.Context, d time.Duration, limit int) ([]Lease, error) {
	if o.s.closed() {
		return nil, ErrClosed
	}
	now := o.s.now()
	return o.s.store.Claim(ctx, now, now.Add(d), limit)
}

// damagedRetry is how long a job that can't be read is left alone.
const damagedRetry = 24 * time.Hour

// Take returns letters of a leased destination. See QueueStore.Take. A job whose
// row is damaged is put off for a day, so that the others can pass; the operator
// finds it in the log and in the list.
func (o *Outbox) Take(ctx context.Context, lease Lease, limit int) ([]*Letter, error) {
	now := o.s.now()
	jobs, err := o.s.store.Take(ctx, lease, now, limit)
	if err != nil {
		return nil, err
	}
	var letters []*Letter
	for i := range jobs {
		l, err := o.s.openLetter(&jobs[i])
		if err == nil {
			letters = append(letters, l)
			continue
		}
		o.s.log.Error("read a letter of the queue", "job", jobs[i].ID, "error", err)
		later := Requeue{Job: jobs[i].ID, Due: now.Add(damagedRetry), Envelope: jobs[i].Envelope}
		if err := o.s.store.Requeue(ctx, lease, later, nil); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// Renew prolongs a lease, from now. See QueueStore.Renew.
func (o *Outbox) Renew(ctx context.Context, lease Lease, d time.Duration) error {
	return o.s.store.Renew(ctx, lease, o.s.now().Add(d))
}

// Release ends a lease. See QueueStore.Release.
func (o *Outbox) Release(ctx context.Context, lease Lease) error {
	return o.s.store.Release(ctx, lease)
}

// Open opens the message of a letter, for reading from its beginning.
func (o *Outbox) Open(ctx context.Context, l *Letter) (io.ReadCloser, error) {
	stored, err := o.s.store.OpenBody(ctx, QueueAccount, l.sealed.Blob)
	if err != nil {
		return nil, fmt.Errorf("open body: %w", err)
	}
	b, err := l.sealed.NewBodyReader(stored, stored.Size(), l.Size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrCorrupt, err), stored.Close())
	}
	return &letterReader{Section: b.Section(0, l.Size), stored: stored}, nil
}

// letterReader reads a message and closes what is below.
type letterReader struct {
	*seal.Section
	stored io.Closer
}

func (r *letterReader) Close() error { return errors.Join(r.Section.Close(), r.stored.Close()) }

// Finish removes a letter that was taken, and delivers reports about it to its
// sender, if that is somebody here. See QueueStore.Finish. A sender who can't take
// a report gets none.
func (o *Outbox) Finish(ctx context.Context, lease Lease, l *Letter, reports ...[]byte) error {
	return o.reporting(ctx, l, reports, func(ds []Delivery) error {
		return o.s.store.Finish(ctx, lease, l.ID, ds)
	})
}

// Requeue puts a letter that was taken back as it is now, due at l.Due, and
// delivers reports about it as Finish does.
func (o *Outbox) Requeue(ctx context.Context, lease Lease, l *Letter, reports ...[]byte) error {
	back := Requeue{Job: l.ID, Due: l.Due, Envelope: o.s.sealLetter(l)}
	return o.reporting(ctx, l, reports, func(ds []Delivery) error {
		return o.s.store.Requeue(ctx, lease, back, ds)
	})
}

// reporting calls f with the reports to the sender of a letter, and again without
// them if the sender turns out not to take any.
func (o *Outbox) reporting(ctx context.Context, l *Letter, reports [][]byte, f func([]Delivery) error) error {
	ds, err := o.reports(ctx, l.From, reports)
	if err != nil {
		return err
	}
	err = f(ds)
	if len(ds) > 0 && isUnwilling(err) {
		o.s.log.Info("a report was not taken", "job", l.ID, "error", err)
		return f(nil)
	}
	return err
}

// isUnwilling reports whether an error is about a recipient, so that trying again
// is of no use.
func isUnwilling(err error) bool {
	return errors.Is(err, ErrNoAccount) || errors.Is(err, ErrDisabled) || errors.Is(err, ErrOverQuota) || errors.Is(err, ErrNoMailbox)
}

// reports seals messages to an address here. There are none for the null sender,
// and none for who can't take them.
func (o *Outbox) reports(ctx context.Context, to addr.Address, texts [][]byte) ([]Delivery, error) {
	var all []Delivery
	for _, text := range texts {
		ds, err := o.report(ctx, to, text)
		if isUnwilling(err) {
			continue
		}
		if err != nil {
			discard(all)
			return nil, err
		}
		all = append(all, ds...)
	}
	return all, nil
}

func (o *Outbox) report(ctx context.Context, to addr.Address, text []byte) ([]Delivery, error) {
	if to.IsZero() {
		return nil, nil
	}
	r, err := o.s.recipient(ctx, to, int64(len(text)))
	if err != nil {
		return nil, err
	}
	m, err := o.s.receive(ctx, bytes.NewReader(text), ReceiveOptions{})
	if err != nil {
		return nil, fmt.Errorf("receive report: %w", err)
	}
	defer m.Close()
	return o.s.deliveries(ctx, addr.Address{}, []Recipient{r}, m)
}

// Each calls f for every letter in the queue, until it returns an error. With a
// damaged row, the letter has nothing but ID, Due and Attempts.
func (o *Outbox) Each(ctx context.Context, f func(*Letter) error) error {
	if o.s.closed() {
		return ErrClosed
	}
	return o.s.store.Jobs(ctx, func(j Job) error {
		l, err := o.s.openLetter(&j)
		if err != nil {
			l = &Letter{ID: j.ID, Due: j.Due, Attempts: j.Attempts}
		}
		return f(l)
	})
}

// Letter returns one letter. Errors: ErrGone, ErrCorrupt.
func (o *Outbox) Letter(ctx context.Context, id JobID) (*Letter, error) {
	j, err := o.s.store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return o.s.openLetter(&j)
}

// Hurry makes a letter due now, or returns ErrGone.
func (o *Outbox) Hurry(ctx context.Context, id JobID) error {
	return o.s.store.Hurry(ctx, id, o.s.now())
}

// Drop removes a letter without a word to its sender, or returns ErrGone. An
// attempt that is under way is not stopped.
func (o *Outbox) Drop(ctx context.Context, id JobID) error { return o.s.store.Drop(ctx, id) }
