package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

// The columns that scanMailbox reads.
const mailboxColumns = `mailbox_id, name_mac, name_ct, special_use, uidvalidity, uidnext,
	highestmodseq, vanish_floor, messages, unseen, deleted, size, recent, days`

const (
	queryMailboxes = `SELECT ` + mailboxColumns + ` FROM mailbox WHERE account_id = $1 ORDER BY mailbox_id`
	queryMailbox   = `SELECT ` + mailboxColumns + ` FROM mailbox WHERE account_id = $1 AND mailbox_id = $2`
)

// scanMailbox returns where the mailboxColumns go.
func scanMailbox(m *mailbox.Mailbox) []any {
	return []any{num(&m.ID), &m.Name.MAC, &m.Name.Sealed, num(&m.Use), num(&m.UIDValidity), num(&m.UIDNext),
		num(&m.HighestModSeq), num(&m.VanishFloor), num(&m.Messages), num(&m.Unseen), num(&m.Deleted), num(&m.Size), num(&m.Recent), num(&m.Days)}
}

// mailbox reads a mailbox's row, or returns ErrNoMailbox.
func (q querier) mailbox(id mailbox.AccountID, mbox mailbox.MailboxID) (mailbox.Mailbox, error) {
	var m mailbox.Mailbox
	found, err := q.one(queryMailbox, scanMailbox(&m), int64(id), int64(mbox))
	if err == nil && !found {
		err = mailbox.ErrNoMailbox
	}
	return m, err
}

// Mailboxes implements mailbox.Store.
func (s *Store) Mailboxes(ctx context.Context, id mailbox.AccountID) ([]mailbox.Mailbox, error) {
	var list []mailbox.Mailbox
	var m mailbox.Mailbox
	err := s.readOne(ctx, "list mailboxes", func(q querier) error {
		return q.each(queryMailboxes, scanMailbox(&m), func() error {
			list = append(list, m)
			return nil
		}, int64(id))
	})
	if err == nil && list == nil {
		return nil, mailbox.ErrNoAccount // every account has an INBOX
	}
	return list, err
}

// Mailbox implements mailbox.Store.
func (s *Store) Mailbox(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID) (mailbox.Mailbox, error) {
	var m mailbox.Mailbox
	err := s.readOne(ctx, "read mailbox", func(q querier) error {
		var err error
		m, err = q.mailbox(id, mbox)
		return err
	})
	if err != nil {
		return mailbox.Mailbox{}, err
	}
	return m, nil
}

const queryCountMailboxes = `SELECT count(*) FROM mailbox WHERE account_id = $1`

// CreateMailbox implements mailbox.Store.
func (s *Store) CreateMailbox(ctx context.Context, id mailbox.AccountID, n mailbox.NewMailbox, max int) (mailbox.Mailbox, error) {
	var m mailbox.Mailbox
	err := s.write(ctx, "create mailbox", func(t *tx) error {
		if err := t.touchSealed(id, n.Name.Generation); err != nil {
			return err
		}
		made, err := t.addMailbox(id, n)
		if err != nil {
			return err
		}
		var count int
		if _, err := t.one(queryCountMailboxes, []any{num(&count)}, int64(id)); err != nil {
			return err
		}
		if count > max {
			return mailbox.ErrLimit
		}
		m, err = t.mailbox(id, made)
		return err
	}, id)
	if err != nil {
		return mailbox.Mailbox{}, err
	}
	return m, nil
}

const (
	// No identifier and no UIDVALIDITY is given twice, not even after the
	// mailbox that had it was deleted.
	queryAllotMailbox = `UPDATE account SET next_mailbox = next_mailbox + 1,
		uidvalidity = CASE WHEN uidvalidity >= $1 THEN uidvalidity + 1 ELSE $1 END
		WHERE account_id = $2 RETURNING next_mailbox - 1, uidvalidity`
	queryNewMailbox = `INSERT INTO mailbox (account_id, mailbox_id, name_mac, name_ct, special_use,
		uidvalidity, uidnext, highestmodseq, vanish_floor, messages, unseen, deleted, size, recent)
		VALUES ($1, $2, $3, $4, $5, $6, 1, 1, 0, 0, 0, 0, 0, 1) ON CONFLICT DO NOTHING`
)

// addMailbox adds an empty mailbox. Its first mod-sequence is 1, since clients
// take 0 for a mailbox that keeps none (RFC 7162, 3.1.2.2).
func (t *tx) addMailbox(id mailbox.AccountID, n mailbox.NewMailbox) (mailbox.MailboxID, error) {
	var made mailbox.MailboxID
	var validity uint32
	found, err := t.update(queryAllotMailbox, []any{num(&made), num(&validity)}, int64(max(n.UIDValidity, 1)), int64(id))
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, mailbox.ErrNoAccount
	}
	return made, changed(mailbox.ErrExists)(t.exec(queryNewMailbox, int64(id), int64(made),
		notNull(n.Name.MAC), notNull(n.Name.Sealed), int64(n.Use), int64(validity)))
}

const (
	queryDropMailbox  = `DELETE FROM mailbox WHERE account_id = $1 AND mailbox_id = $2`
	queryDropExpunged = `DELETE FROM expunged WHERE account_id = $1 AND mailbox_id = $2`
)

// DeleteMailbox implements mailbox.Store.
func (s *Store) DeleteMailbox(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID) error {
	return s.write(ctx, "delete mailbox", func(t *tx) error {
		if mbox == mailbox.Inbox {
			return mailbox.ErrInbox
		}
		if err := t.touch(id); err != nil {
			return err
		}
		all, err := t.entries(id, mbox, mailbox.AllUIDs())
		if err != nil {
			return err
		}
		if err := t.dropMessages(id, mbox, all); err != nil {
			return err
		}
		if err := t.refund(id, all); err != nil {
			return err
		}
		if _, err := t.exec(queryDropExpunged, int64(id), int64(mbox)); err != nil {
			return err
		}
		if _, err := t.exec(queryDropMetadata, int64(id), int64(mbox)); err != nil {
			return err
		}
		return changed(mailbox.ErrNoMailbox)(t.exec(queryDropMailbox, int64(id), int64(mbox)))
	}, id)
}

const (
	queryFreeName = `UPDATE mailbox SET name_mac = $1 WHERE account_id = $2 AND mailbox_id = $3`
	queryNameUsed = `SELECT count(*) FROM mailbox WHERE account_id = $1 AND name_mac = $2`
	queryRename   = `UPDATE mailbox SET name_mac = $1, name_ct = $2 WHERE account_id = $3 AND mailbox_id = $4`
)

// RenameMailboxes implements mailbox.Store. The names are free for one another:
// two mailboxes may exchange theirs.
func (s *Store) RenameMailboxes(ctx context.Context, id mailbox.AccountID, names []mailbox.Rename) error {
	return s.write(ctx, "rename mailboxes", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		for _, r := range names {
			if err := t.sealedNow(id, r.Name.Generation); err != nil {
				return err
			}
		}
		for _, r := range names {
			if err := t.freeName(id, r.ID); err != nil {
				return err
			}
		}
		for _, r := range names {
			if err := t.rename(id, r); err != nil {
				return err
			}
		}
		return nil
	}, id)
}

// freeName gives a mailbox a name that no MAC can be, until it has its new one.
func (t *tx) freeName(id mailbox.AccountID, mbox mailbox.MailboxID) error {
	placeholder := []byte("renaming " + mailbox.AccountID(mbox).String())
	return changed(mailbox.ErrNoMailbox)(t.exec(queryFreeName, placeholder, int64(id), int64(mbox)))
}

func (t *tx) rename(id mailbox.AccountID, r mailbox.Rename) error {
	var used int
	if _, err := t.one(queryNameUsed, []any{num(&used)}, int64(id), notNull(r.Name.MAC)); err != nil {
		return err
	}
	if used > 0 {
		return mailbox.ErrExists
	}
	_, err := t.exec(queryRename, notNull(r.Name.MAC), notNull(r.Name.Sealed), int64(id), int64(r.ID))
	return err
}

// TakeRecent implements mailbox.Store. Nothing is written if nothing is new.
func (s *Store) TakeRecent(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID) (mailbox.UID, error) {
	m, err := s.Mailbox(ctx, id, mbox)
	if err != nil {
		return 0, err
	}
	if m.Recent == m.UIDNext {
		return m.Recent, nil
	}
	var recent mailbox.UID
	err = s.write(ctx, "take recent", func(t *tx) error {
		m, err := t.mailbox(id, mbox)
		if err != nil {
			return err
		}
		recent = m.Recent
		if _, err := t.exec(querySetRecent, int64(m.UIDNext), int64(id), int64(mbox)); err != nil {
			return err
		}
		return t.touch(id)
	}, id)
	if err != nil {
		return 0, err
	}
	return recent, nil
}

const querySetRecent = `UPDATE mailbox SET recent = $1 WHERE account_id = $2 AND mailbox_id = $3`
