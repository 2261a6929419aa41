package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	queryHide = `INSERT INTO hidden (account_id, mailbox_id, uid, device, state)
		SELECT account_id, mailbox_id, uid, $1, $2 FROM message
		WHERE account_id = $3 AND mailbox_id = $4 AND uid BETWEEN $5 AND $6
		ON CONFLICT (account_id, mailbox_id, uid, device) DO UPDATE SET state = $2 WHERE hidden.state < $2`
	queryShow = `DELETE FROM hidden WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4
		AND device = $5 AND state = 1`
	queryHidden = `SELECT uid, state FROM hidden WHERE account_id = $1 AND mailbox_id = $2 AND device = $3 ORDER BY uid`
)

// Hide implements mailbox.Store.
func (s *Store) Hide(ctx context.Context, id mailbox.AccountID, device mailbox.CredentialID, mbox mailbox.MailboxID, set []mailbox.UIDRange, to mailbox.HiddenState) error {
	return s.write(ctx, "hide messages", func(t *tx) error {
		changed := int64(0)
		for _, r := range set {
			n, err := t.hide(id, device, mbox, r, to)
			if err != nil {
				return err
			}
			changed += n
		}
		if changed == 0 {
			return t.exists(id)
		}
		return t.touch(id)
	}, id)
}

func (t *tx) hide(id mailbox.AccountID, device mailbox.CredentialID, mbox mailbox.MailboxID, r mailbox.UIDRange, to mailbox.HiddenState) (int64, error) {
	if to == mailbox.Shown {
		return t.exec(queryShow, int64(id), int64(mbox), int64(r.Low), int64(r.High), int64(device))
	}
	return t.exec(queryHide, int64(device), int64(to), int64(id), int64(mbox), int64(r.Low), int64(r.High))
}

const queryAccountExists = `SELECT count(*) FROM account WHERE account_id = $1`

// exists returns ErrNoAccount if there is no such account.
func (t *tx) exists(id mailbox.AccountID) error {
	var n int
	_, err := t.one(queryAccountExists, []any{num(&n)}, int64(id))
	if err == nil && n == 0 {
		err = mailbox.ErrNoAccount
	}
	return err
}

// Hidden implements mailbox.Store.
func (s *Store) Hidden(ctx context.Context, id mailbox.AccountID, device mailbox.CredentialID, mbox mailbox.MailboxID) ([]mailbox.Hidden, error) {
	var list []mailbox.Hidden
	var h mailbox.Hidden
	err := s.readOne(ctx, "read what is hidden", func(q querier) error {
		return q.each(queryHidden, []any{num(&h.UID), num(&h.State)}, func() error {
			list = append(list, h)
			return nil
		}, int64(id), int64(mbox), int64(device))
	})
	return list, err
}
