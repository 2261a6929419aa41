package sqlstore

import (
	"context"
	"time"

	"github.com/restante/restante/mailbox"
)

const (
	queryJob       = `SELECT job_id, dest_mac, due, attempts, blob_id, env_ct FROM job WHERE job_id = $1`
	queryJobsAfter = `SELECT job_id, dest_mac, due, attempts, blob_id, env_ct FROM job
		WHERE job_id > $1 ORDER BY job_id LIMIT 200`
)

// Job implements mailbox.Store.
func (s *Store) Job(ctx context.Context, id mailbox.JobID) (mailbox.Job, error) {
	var j mailbox.Job
	err := s.readOne(ctx, "read job", func(q querier) error {
		found, err := q.one(queryJob, jobColumns(&j), int64(id))
		if err == nil && !found {
			err = mailbox.ErrGone
		}
		return err
	})
	return j, err
}

func jobColumns(j *mailbox.Job) []any {
	return []any{num(&j.ID), destColumn{&j.Destination}, timeColumn{&j.Due}, num(&j.Attempts), blobColumn{&j.Blob}, &j.Envelope}
}

// Jobs implements mailbox.Store.
func (s *Store) Jobs(ctx context.Context, f func(mailbox.Job) error) error {
	last := mailbox.JobID(0)
	for {
		page, err := s.jobsAfter(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, j := range page {
			if err := f(j); err != nil {
				return err
			}
		}
		last = page[len(page)-1].ID
	}
}

func (s *Store) jobsAfter(ctx context.Context, last mailbox.JobID) ([]mailbox.Job, error) {
	var page []mailbox.Job
	var j mailbox.Job
	err := s.readOne(ctx, "list jobs", func(q querier) error {
		return q.each(queryJobsAfter, jobColumns(&j), func() error {
			page = append(page, j)
			return nil
		}, int64(last))
	})
	return page, err
}

const queryHurry = `UPDATE job SET due = $1 WHERE job_id = $2 RETURNING dest_mac`

// Hurry implements mailbox.Store.
func (s *Store) Hurry(ctx context.Context, id mailbox.JobID, now time.Time) error {
	return s.write(ctx, "hurry job", func(t *tx) error {
		var d mailbox.DestinationID
		found, err := t.update(queryHurry, []any{destColumn{&d}}, now.UnixMilli(), int64(id))
		if err != nil {
			return err
		}
		if !found {
			return mailbox.ErrGone
		}
		t.hint(mailbox.QueueAccount)
		return t.expect(d, now)
	}, mailbox.QueueAccount)
}

const queryDropJob = `DELETE FROM job WHERE job_id = $1 RETURNING blob_id`

// Drop implements mailbox.Store.
func (s *Store) Drop(ctx context.Context, id mailbox.JobID) error {
	return s.write(ctx, "drop job", func(t *tx) error { return t.removeJob(queryDropJob, int64(id)) })
}
