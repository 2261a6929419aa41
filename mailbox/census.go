package mailbox

import (
	"context"
	"sync"
	"time"
)

// CensusStore counts what is in a store, for its operator and for limits.
type CensusStore interface {
	// Census counts the accounts, and sums up what they keep.
	Census(ctx context.Context) (Census, error)

	// Waiting counts the jobs of the queue.
	Waiting(ctx context.Context) (Waiting, error)
}

// Census is what the accounts of a store come to.
type Census struct {
	Accounts, Messages int64
	Bytes              int64 // padded
}

// Waiting is what the queue comes to.
type Waiting struct{ Jobs, Destinations int64 }

// Census counts the accounts, and sums up what they keep.
func (s *Service) Census(ctx context.Context) (Census, error) { return s.store.Census(ctx) }

// Waiting counts the letters in the queue.
func (o *Outbox) Waiting(ctx context.Context) (Waiting, error) { return o.s.store.Waiting(ctx) }

// recount is how long a count of the queue is good for.
const recount = 5 * time.Second

// A queueRoom bounds the queue. Counting costs time that grows with the queue, so it
// counts now and then, and adds what it has let in since: between two counts it
// may be too strict, but on one node never too lax.
type queueRoom struct {
	mu    sync.Mutex
	jobs  int64
	since time.Time
}

// take lets n more jobs in, or returns ErrFull.
func (r *queueRoom) take(ctx context.Context, s *Service, n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := s.now(); r.since.IsZero() || now.Sub(r.since) >= recount || now.Before(r.since) {
		w, err := s.store.Waiting(ctx)
		if err != nil {
			return err
		}
		r.jobs, r.since = w.Jobs, now
	}
	if r.jobs+int64(n) > int64(s.o.Limits.Queue) {
		return ErrFull
	}
	r.jobs += int64(n)
	return nil
}
