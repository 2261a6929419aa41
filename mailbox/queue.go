package mailbox

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/restante/restante/mailbox/seal"
)

// QueueAccount stands in the place of an account for what belongs to the queue of
// mail to other relays: its bodies, and the hints of Store.Watch about it. No
// account has this number.
const QueueAccount AccountID = 0

// JobID names one message on its way to one domain. It is a random positive
// 63-bit number.
type JobID int64

// String gives the form in which operators see and type it.
func (id JobID) String() string { return strconv.FormatInt(int64(id), 36) }

// LogValue gives String.
func (id JobID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// ParseJobID reads what JobID.String printed.
func ParseJobID(s string) (JobID, error) {
	n, err := strconv.ParseInt(s, 36, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not the number of a message in the queue", s)
	}
	return JobID(n), nil
}

// DestinationID stands for a domain to which mail is on its way: a MAC, so that
// the rows of one domain are found together and don't name it.
type DestinationID [16]byte

// Outbound is one message for the recipients at one domain, on its way into the
// queue.
type Outbound struct {
	Job         JobID
	Destination DestinationID
	Due         time.Time // of the first attempt
	Envelope    []byte    // sealed
	Blob        seal.BlobID

	// Body is the sealed message, made by CreateBody for QueueAccount. Several
	// Outbounds of one Accept may have the same Blob: the first of them has the
	// Body, the others nil.
	Body BodyWriter
}

// Job is a message in the queue.
type Job struct {
	ID          JobID
	Destination DestinationID
	Due         time.Time // of the next attempt
	Attempts    int       // so far
	Envelope    []byte
	Blob        seal.BlobID
}

// Lease is the right to work on the jobs of one destination, until a time. Only
// one process has it; when the time is over, another may.
type Lease struct {
	Destination DestinationID
	Token       int64
}

// Requeue says how a job goes on after an attempt.
type Requeue struct {
	Job      JobID
	Due      time.Time
	Envelope []byte
}

// QueueStore keeps mail that is on its way to other relays, from Accept until it
// is finished.
//
// Work is shared out by destination: who holds the lease of one has all its jobs,
// and so decides how many connections it gets. A method that is given a lease
// returns ErrGone, and has changed nothing, once another process has taken it
// over, or when the job is no longer there. Times are kept to the millisecond.
type QueueStore interface {
	// Claim leases at most limit destinations that have a job due at now and no
	// lease that is still valid then, those that have waited longest first. The
	// leases end at until. What it costs does not depend on how much mail waits.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]Lease, error)

	// Take returns at most limit jobs of the destination that are due at now, in
	// order, and that were not taken under this lease before.
	Take(ctx context.Context, l Lease, now time.Time, limit int) ([]Job, error)

	// Renew makes the lease end at until.
	Renew(ctx context.Context, l Lease, until time.Time) error

	// Finish removes a job that was taken, and its message with the last job that
	// has it, and stores the reports about it. Errors of the reports are those of
	// Accept; then the job stays as it is.
	Finish(ctx context.Context, l Lease, id JobID, reports []Delivery) error

	// Requeue gives a job that was taken back for another attempt, and stores the
	// reports about it, as Finish does.
	Requeue(ctx context.Context, l Lease, r Requeue, reports []Delivery) error

	// Release ends the lease. Jobs that were taken and not finished are there for
	// the next one.
	Release(ctx context.Context, l Lease) error

	// Job returns ErrGone if there is no such job.
	Job(ctx context.Context, id JobID) (Job, error)

	// Jobs calls f for each job, in order of id, in several reads.
	Jobs(ctx context.Context, f func(Job) error) error

	// Hurry makes a job due at now, or returns ErrGone.
	Hurry(ctx context.Context, id JobID, now time.Time) error

	// Drop removes a job, whoever works on it, or returns ErrGone.
	Drop(ctx context.Context, id JobID) error
}
