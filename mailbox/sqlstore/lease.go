package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryDue = `SELECT dest_mac FROM destination WHERE due <= $1 AND until <= $1
		ORDER BY due LIMIT $2`
	queryLease = `UPDATE destination SET token = $1, until = $2 WHERE dest_mac = $3 AND until <= $4 AND due <= $4`
)

// Claim implements mailbox.Store. A reader looks first: mostly there is nothing
// to do, and the writer should not be asked for that.
func (s *Store) Claim(ctx context.Context, now, until time.Time, limit int) ([]mailbox.Lease, error) {
	due, err := s.dueDestinations(ctx, now, limit)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	var leases []mailbox.Lease
	err = s.writeQueue(ctx, "claim", func(t *tx) error {
		leases = nil
		for _, d := range due {
			l := mailbox.Lease{Destination: d, Token: newToken()}
			n, err := t.exec(queryLease, l.Token, until.UnixMilli(), d[:], now.UnixMilli())
			if err != nil {
				return err
			}
			if n > 0 { // else another process was faster
				leases = append(leases, l)
			}
		}
		return nil
	}, due...)
	if err != nil {
		return nil, err
	}
	return leases, nil
}

func (s *Store) dueDestinations(ctx context.Context, now time.Time, limit int) ([]mailbox.DestinationID, error) {
	var due []mailbox.DestinationID
	var d mailbox.DestinationID
	err := s.readOne(ctx, "claim", func(q querier) error {
		return q.each(queryDue, []any{destColumn{&d}}, func() error {
			due = append(due, d)
			return nil
		}, now.UnixMilli(), limit)
	})
	return due, err
}

// newToken returns a random positive number.
func newToken() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return int64(binary.BigEndian.Uint64(b[:])>>1) | 1
}

const (
	queryHolds = `SELECT count(*) FROM destination WHERE dest_mac = $1 AND token = $2`
	queryTake  = `SELECT job_id, due, attempts, blob_id, env_ct FROM job
		WHERE dest_mac = $1 AND due <= $2 AND taken <> $3 ORDER BY due, job_id LIMIT $4`
	queryTaken = `UPDATE job SET taken = $1 WHERE job_id = $2`
)

// Take implements mailbox.Store.
func (s *Store) Take(ctx context.Context, l mailbox.Lease, now time.Time, limit int) ([]mailbox.Job, error) {
	var jobs []mailbox.Job
	err := s.writeQueue(ctx, "take jobs", func(t *tx) error {
		jobs = nil
		var holds int
		if _, err := t.one(queryHolds, []any{num(&holds)}, l.Destination[:], l.Token); err != nil {
			return err
		}
		if holds == 0 {
			return mailbox.ErrGone
		}
		found, err := t.due(l, now, limit)
		for i := 0; err == nil && i < len(found); i++ {
			_, err = t.exec(queryTaken, l.Token, int64(found[i].ID))
		}
		jobs = found
		return err
	}, l.Destination)
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

func (t *tx) due(l mailbox.Lease, now time.Time, limit int) ([]mailbox.Job, error) {
	var jobs []mailbox.Job
	j := mailbox.Job{Destination: l.Destination}
	dest := []any{num(&j.ID), timeColumn{&j.Due}, num(&j.Attempts), blobColumn{&j.Blob}, &j.Envelope}
	err := t.each(queryTake, dest, func() error {
		jobs = append(jobs, j)
		return nil
	}, l.Destination[:], now.UnixMilli(), l.Token, limit)
	return jobs, err
}

const queryRenew = `UPDATE destination SET until = $1 WHERE dest_mac = $2 AND token = $3`

// Renew implements mailbox.Store.
func (s *Store) Renew(ctx context.Context, l mailbox.Lease, until time.Time) error {
	return s.writeQueue(ctx, "renew lease", func(t *tx) error {
		return t.exactlyOne(queryRenew, until.UnixMilli(), l.Destination[:], l.Token)
	}, l.Destination)
}

// exactlyOne runs a statement that changes one row, or returns ErrGone.
func (t *tx) exactlyOne(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = mailbox.ErrGone
	}
	return err
}

const (
	queryFinish  = `DELETE FROM job WHERE job_id = $1 AND taken = $2 AND dest_mac = $3 RETURNING blob_id`
	queryRequeue = `UPDATE job SET due = $1, env_ct = $2, attempts = attempts + 1, taken = 0
		WHERE job_id = $3 AND taken = $4 AND dest_mac = $5`
)

// Finish implements mailbox.Store.
func (s *Store) Finish(ctx context.Context, l mailbox.Lease, id mailbox.JobID, reports []mailbox.Delivery) error {
	return s.take(ctx, "finish job", &intake{ds: reports, lease: []mailbox.DestinationID{l.Destination}}, func(t *tx) error {
		return t.removeJob(queryFinish, int64(id), l.Token, l.Destination[:])
	})
}

// removeJob runs a statement that deletes one job, and releases its body.
func (t *tx) removeJob(query string, args ...any) error {
	var blob seal.BlobID
	found, err := t.update(query, []any{blobColumn{&blob}}, args...)
	if err != nil {
		return err
	}
	if !found {
		return mailbox.ErrGone
	}
	return t.releaseBody(mailbox.QueueAccount, blob)
}

// Requeue implements mailbox.Store.
func (s *Store) Requeue(ctx context.Context, l mailbox.Lease, r mailbox.Requeue, reports []mailbox.Delivery) error {
	return s.take(ctx, "requeue job", &intake{ds: reports, lease: []mailbox.DestinationID{l.Destination}}, func(t *tx) error {
		err := t.exactlyOne(queryRequeue, r.Due.UnixMilli(), notNull(r.Envelope), int64(r.Job), l.Token, l.Destination[:])
		if err != nil {
			return err
		}
		return t.expect(l.Destination, r.Due)
	})
}

const (
	queryUnlease   = `UPDATE destination SET token = 0, until = 0 WHERE dest_mac = $1 AND token = $2`
	queryFirstDue  = `SELECT due FROM job WHERE dest_mac = $1 ORDER BY due LIMIT 1`
	queryNextVisit = `UPDATE destination SET due = $1 WHERE dest_mac = $2`
	queryForgetDue = `DELETE FROM destination WHERE dest_mac = $1`
)

// Release implements mailbox.Store.
func (s *Store) Release(ctx context.Context, l mailbox.Lease) error {
	return s.writeQueue(ctx, "release lease", func(t *tx) error {
		if err := t.exactlyOne(queryUnlease, l.Destination[:], l.Token); err != nil {
			return err
		}
		var first time.Time
		found, err := t.one(queryFirstDue, []any{timeColumn{&first}}, l.Destination[:])
		if err != nil {
			return err
		}
		if !found {
			_, err = t.exec(queryForgetDue, l.Destination[:])
			return err
		}
		_, err = t.exec(queryNextVisit, first.UnixMilli(), l.Destination[:])
		return err
	}, l.Destination)
}
