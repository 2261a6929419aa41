package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const queryAges = `SELECT mailbox_id, uid, flags, size, day, saved FROM message WHERE account_id = $1`

// Ages implements mailbox.Store.
func (s *Store) Ages(ctx context.Context, id mailbox.AccountID) ([]mailbox.Aged, error) {
	var list []mailbox.Aged
	var a mailbox.Aged
	dest := []any{num(&a.Mailbox), num(&a.UID), num(&a.Flags), num(&a.Size), num(&a.Day), num(&a.Saved)}
	err := s.readOne(ctx, "list ages", func(q querier) error {
		return q.each(queryAges, dest, func() error {
			list = append(list, a)
			return nil
		}, int64(id))
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

const queryMarkSeen = `UPDATE account SET seen = $1 WHERE account_id = $2 AND seen < $1`

// MarkSeen implements mailbox.Store.
func (s *Store) MarkSeen(ctx context.Context, ids []mailbox.AccountID, day mailbox.Day) error {
	return s.write(ctx, "mark accounts as used", func(t *tx) error {
		for _, id := range ids {
			if _, err := t.exec(queryMarkSeen, int64(day), int64(id)); err != nil {
				return err
			}
		}
		return nil
	}, ids...)
}

const (
	queryCalendar    = `SELECT calendar FROM meta`
	querySetCalendar = `UPDATE meta SET calendar = $1 WHERE calendar <> $1`
)

// Calendar implements mailbox.Store.
func (s *Store) Calendar(ctx context.Context) (mailbox.Day, error) {
	var day mailbox.Day
	err := s.readOne(ctx, "read calendar", func(q querier) error {
		_, err := q.one(queryCalendar, []any{num(&day)})
		return err
	})
	return day, err
}

// SetCalendar implements mailbox.Store.
func (s *Store) SetCalendar(ctx context.Context, day mailbox.Day) error {
	return s.write(ctx, "set calendar", func(t *tx) error {
		_, err := t.exec(querySetCalendar, int64(day))
		return err
	})
}
