package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	queryPages = `SELECT number, messages, data FROM page
		WHERE account_id = $1 AND mailbox_id = $2 AND number BETWEEN $3 AND $4 ORDER BY number LIMIT $5`
	// 6 is mailbox.PageBits.
	queryUnpaged = `SELECT uid >> 6 FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid < $3
		AND NOT EXISTS (SELECT 1 FROM page WHERE page.account_id = message.account_id
			AND page.mailbox_id = message.mailbox_id AND page.number = uid >> 6)
		GROUP BY uid >> 6 HAVING count(*) >= $4 AND min(stage) = 1 ORDER BY uid >> 6`
	queryCountUIDs = `SELECT count(*) FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4`
	queryAddPage   = `INSERT INTO page (account_id, mailbox_id, number, messages, data) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, mailbox_id, number) DO UPDATE SET messages = $4, data = $5`
)

// Pages implements mailbox.Store.
func (s *Store) Pages(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, low, high mailbox.PageNumber, limit int) ([]mailbox.Page, error) {
	var list []mailbox.Page
	var p mailbox.Page
	err := s.readOne(ctx, "read pages", func(q querier) error {
		dest := []any{num(&p.Number), num(&p.Messages), bytesColumn{&p.Sealed, q.on.dialect}}
		return q.each(queryPages, dest, func() error {
			list = append(list, p)
			return nil
		}, int64(id), int64(mbox), int64(low), int64(high), limit)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Unpaged implements mailbox.Store.
func (s *Store) Unpaged(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, least int) ([]mailbox.PageNumber, error) {
	var list []mailbox.PageNumber
	var n mailbox.PageNumber
	err := s.read(ctx, "look for pages to make", func(q querier) error {
		m, err := q.mailbox(id, mbox)
		if err != nil {
			return err
		}
		whole := mailbox.PageOf(m.UIDNext).UIDs().Low // what comes may still be of this one
		return q.each(queryUnpaged, []any{num(&n)}, func() error {
			list = append(list, n)
			return nil
		}, int64(id), int64(mbox), int64(whole), least)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// AddPages implements mailbox.Store.
func (s *Store) AddPages(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, pages []mailbox.Page) error {
	return s.write(ctx, "add pages", func(t *tx) error {
		m, err := t.mailbox(id, mbox)
		if err != nil {
			return err
		}
		for i := range pages {
			if pages[i].Number >= mailbox.PageOf(m.UIDNext) {
				continue
			}
			if err := t.sealedNow(id, pages[i].Generation); err != nil {
				return err
			}
			if err := t.addPage(id, mbox, &pages[i]); err != nil {
				return err
			}
		}
		return nil
	}, id)
}

func (t *tx) addPage(id mailbox.AccountID, mbox mailbox.MailboxID, p *mailbox.Page) error {
	uids, n := p.Number.UIDs(), 0
	_, err := t.one(queryCountUIDs, []any{num(&n)}, int64(id), int64(mbox), int64(uids.Low), int64(uids.High))
	if err != nil || n != p.Messages {
		return err
	}
	_, err = t.exec(queryAddPage, int64(id), int64(mbox), int64(p.Number), int64(p.Messages), notNull(p.Sealed))
	return err
}

const dropEveryPage = `DELETE FROM page`

// dropEveryPage empties a store of pages, whose messages are about to be changed row
// by row.
func (s *Store) dropEveryPage(ctx context.Context) error {
	return s.write(ctx, "drop pages", func(t *tx) error {
		_, err := t.exec(dropEveryPage)
		return err
	})
}
