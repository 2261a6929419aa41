package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// job is one request to the writer.
type job struct {
	op    string
	bytes int // about how much it writes

	// What it may change. Other nodes are kept from that before it runs.
	accounts     []mailbox.AccountID
	destinations []mailbox.DestinationID

	// run makes the change. It may be called again, in another transaction,
	// when the first was lost: it starts from nothing each time.
	run func(*tx) error

	// outcome, if set, is called once when the outcome is known, also if nobody
	// waits for it any more.
	outcome func(error)

	// grows marks a request that brings something in: it gets no room that is
	// reserved for others.
	grows bool

	// patient makes the caller wait, whatever its context says, once the
	// request runs.
	patient bool

	state   atomic.Int32
	touched []mailbox.AccountID // accounts it changed
	removed []seal.BlobID       // files to remove after the commit
	fault   error               // why it failed by itself; told when the batch's outcome is known
	err     error
	done    chan struct{}
}

// The states of a job.
const (
	jobQueued int32 = iota
	jobStarted
	jobAbandoned // nobody waits, and it never began
)

// start reports whether the job is to be run: a request whose caller gave up
// while it waited is left alone.
func (j *job) start() bool { return j.state.CompareAndSwap(jobQueued, jobStarted) }

func (j *job) answer(err error) {
	j.err = err
	close(j.done)
}

// write runs f in the writer's next transaction, and returns when that is
// durable. accounts are all that f may change. What f computed may be read only if
// the error is nil.
func (s *Store) write(ctx context.Context, op string, f func(*tx) error, accounts ...mailbox.AccountID) error {
	return s.submit(ctx, &job{op: op, run: f, accounts: accounts})
}

// writeQueue does the same for a change of the queue to some destinations.
func (s *Store) writeQueue(ctx context.Context, op string, f func(*tx) error, ds ...mailbox.DestinationID) error {
	return s.submit(ctx, &job{op: op, run: f, destinations: ds})
}

// submit queues a job and waits for its outcome or the end of ctx. One that the disk
// has no room for, and that brings nothing in, is done once more with the reserve.
func (s *Store) submit(ctx context.Context, j *job) error {
	err := s.submitOnce(ctx, j)
	if !errors.Is(err, mailbox.ErrFull) || j.grows || j.outcome != nil || !s.reserve.release() {
		return err
	}
	s.opts.Log.Warn("the disk is full: the reserve was given up for a deletion")
	again := &job{op: j.op, bytes: j.bytes, accounts: j.accounts, destinations: j.destinations, run: j.run, patient: j.patient}
	return s.submitOnce(ctx, again)
}

func (s *Store) submitOnce(ctx context.Context, j *job) error {
	if err := s.enqueue(ctx, j); err != nil {
		s.settle(j, err)
		return fmt.Errorf("%s: %w", j.op, err)
	}
	if err := s.await(ctx, j); err != nil {
		return fmt.Errorf("%s: %w", j.op, err)
	}
	return nil
}

func (s *Store) enqueue(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	select {
	case s.writer.jobs <- j:
		return nil
	case <-ctx.Done():
		s.leave()
		return ctx.Err()
	}
}

// await waits for a queued job. The job keeps the store open until its outcome
// is settled, whoever waits for it.
func (s *Store) await(ctx context.Context, j *job) error {
	select {
	case <-j.done:
		return s.finish(j)
	case <-ctx.Done():
	}
	if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
		s.settle(j, ctx.Err())
		s.leave()
		return ctx.Err()
	}
	if j.patient {
		return s.finish(j)
	}
	go s.finish(j) // ends with the transaction; Close waits for it
	return ctx.Err()
}

// finish waits for the outcome of a job and settles it.
func (s *Store) finish(j *job) error {
	<-j.done
	s.settle(j, j.err)
	s.leave()
	return j.err
}

// settle does what follows from the outcome of a job.
func (s *Store) settle(j *job, err error) {
	if err == nil {
		s.files.remove(j.removed)
	}
	if j.outcome != nil {
		j.outcome(err)
	}
}
