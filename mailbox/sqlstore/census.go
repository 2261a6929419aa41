package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	queryCensus = `SELECT count(*), CAST(coalesce(sum(used_messages), 0) AS BIGINT), CAST(coalesce(sum(used_bytes), 0) AS BIGINT)
		FROM account`
	// The index job_due has all that this needs.
	queryWaiting = `SELECT count(*), count(DISTINCT dest_mac) FROM job`
)

// Census implements mailbox.Store.
func (s *Store) Census(ctx context.Context) (mailbox.Census, error) {
	var c mailbox.Census
	err := s.readOne(ctx, "census", func(q querier) error {
		_, err := q.one(queryCensus, []any{num(&c.Accounts), num(&c.Messages), num(&c.Bytes)})
		return err
	})
	return c, err
}

// Waiting implements mailbox.Store.
func (s *Store) Waiting(ctx context.Context) (mailbox.Waiting, error) {
	var w mailbox.Waiting
	err := s.readOne(ctx, "count jobs", func(q querier) error {
		_, err := q.one(queryWaiting, []any{num(&w.Jobs), num(&w.Destinations)})
		return err
	})
	return w, err
}
