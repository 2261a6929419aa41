package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	queryMetadata      = `SELECT name_mac, entry_ct FROM metadata WHERE account_id = $1 AND mailbox_id = $2`
	queryCountMetadata = `SELECT count(*) FROM metadata WHERE account_id = $1`
	querySetMetadata   = `INSERT INTO metadata (account_id, mailbox_id, name_mac, entry_ct) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, mailbox_id, name_mac) DO UPDATE SET entry_ct = $4`
	queryUnsetMetadata = `DELETE FROM metadata WHERE account_id = $1 AND mailbox_id = $2 AND name_mac = $3`
	queryDropMetadata  = `DELETE FROM metadata WHERE account_id = $1 AND mailbox_id = $2`
)

// Metadata implements mailbox.Store.
func (s *Store) Metadata(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID) ([]mailbox.Annotation, error) {
	var list []mailbox.Annotation
	var a mailbox.Annotation
	err := s.readOne(ctx, "list metadata", func(q querier) error {
		return q.each(queryMetadata, []any{&a.MAC, &a.Sealed}, func() error {
			list = append(list, a)
			return nil
		}, int64(id), int64(mbox))
	})
	return list, err
}

// SetMetadata implements mailbox.Store.
func (s *Store) SetMetadata(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, notes []mailbox.Annotation, max int) error {
	return s.write(ctx, "set metadata", func(t *tx) error {
		if mbox != 0 {
			if _, err := t.mailbox(id, mbox); err != nil {
				return err
			}
		}
		if err := t.touch(id); err != nil {
			return err
		}
		for _, n := range notes {
			if err := t.sealedNow(id, n.Generation); err != nil {
				return err
			}
			if err := t.setMetadata(id, mbox, n); err != nil {
				return err
			}
		}
		var count int
		if _, err := t.one(queryCountMetadata, []any{num(&count)}, int64(id)); err != nil {
			return err
		}
		if count > max {
			return mailbox.ErrLimit
		}
		return nil
	}, id)
}

func (t *tx) setMetadata(id mailbox.AccountID, mbox mailbox.MailboxID, n mailbox.Annotation) error {
	if n.Sealed == nil {
		_, err := t.exec(queryUnsetMetadata, int64(id), int64(mbox), notNull(n.MAC))
		return err
	}
	_, err := t.exec(querySetMetadata, int64(id), int64(mbox), notNull(n.MAC), notNull(n.Sealed))
	return err
}
