package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/restante/restante/mailbox"
)

// Changes implements mailbox.Store.
func (s *Store) Changes(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, since mailbox.ModSeq) (mailbox.Changes, error) {
	var c mailbox.Changes
	err := s.readOne(ctx, "read changes", func(q querier) error {
		m, err := q.mailbox(id, mbox)
		if err != nil {
			return err
		}
		if since >= m.HighestModSeq { // the usual answer costs one query
			c = mailbox.Changes{Mailbox: m, Complete: true}
			return nil
		}
		return q.inSnapshot(func() error {
			c, err = q.changes(id, mbox, since)
			return err
		})
	})
	if err != nil {
		return mailbox.Changes{}, err
	}
	return c, nil
}

func (q querier) changes(id mailbox.AccountID, mbox mailbox.MailboxID, since mailbox.ModSeq) (mailbox.Changes, error) {
	m, err := q.mailbox(id, mbox)
	if err != nil {
		return mailbox.Changes{}, err
	}
	c := mailbox.Changes{Mailbox: m, Complete: since == 0 || since >= m.VanishFloor}
	if since == 0 || !c.Complete {
		c.Rows, err = q.allRows(id, m)
		return c, err
	}
	if c.Rows, err = q.rowsSince(id, mbox, since); err != nil {
		return c, err
	}
	c.Vanished, err = q.vanishedSince(id, mbox, since)
	return c, err
}

const (
	queryAllRows = `SELECT uid, flags, modseq FROM message
		WHERE account_id = $1 AND mailbox_id = $2 ORDER BY uid`
	// Asked to put these in order, SQLite would rather read the whole mailbox in
	// the order of UIDs than find the few by the index and sort them.
	queryRowsSince = `SELECT uid, flags, modseq FROM message
		WHERE account_id = $1 AND mailbox_id = $2 AND modseq > $3`
	queryVanished = `SELECT uid_low, uid_high FROM expunged
		WHERE account_id = $1 AND mailbox_id = $2 AND modseq > $3 ORDER BY uid_low`
)

func (q querier) allRows(id mailbox.AccountID, m mailbox.Mailbox) ([]mailbox.Row, error) {
	return q.rows(make([]mailbox.Row, 0, m.Messages), queryAllRows, int64(id), int64(m.ID))
}

func (q querier) rowsSince(id mailbox.AccountID, mbox mailbox.MailboxID, since mailbox.ModSeq) ([]mailbox.Row, error) {
	list, err := q.rows(nil, queryRowsSince, int64(id), int64(mbox), int64(since))
	slices.SortFunc(list, func(a, b mailbox.Row) int { return cmp.Compare(a.UID, b.UID) })
	return list, err
}

// rows appends the rows of a query to list.
func (q querier) rows(list []mailbox.Row, query string, args ...any) ([]mailbox.Row, error) {
	var r mailbox.Row
	err := q.each(query, []any{num(&r.UID), num(&r.Flags), num(&r.ModSeq)}, func() error {
		list = append(list, r)
		return nil
	}, args...)
	return list, err
}

func (q querier) vanishedSince(id mailbox.AccountID, mbox mailbox.MailboxID, since mailbox.ModSeq) ([]mailbox.UIDRange, error) {
	var set []mailbox.UIDRange
	var r mailbox.UIDRange
	err := q.each(queryVanished, []any{num(&r.Low), num(&r.High)}, func() error {
		set = appendRange(set, r)
		return nil
	}, int64(id), int64(mbox), int64(since))
	return set, err
}
