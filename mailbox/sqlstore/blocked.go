package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryBlock = `INSERT INTO blocked (account_id, sender_mac, sender_ct)
		VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	queryCountBlocked = `SELECT count(*) FROM blocked WHERE account_id = $1`
	queryUnblock      = `DELETE FROM blocked WHERE account_id = $1 AND sender_mac = $2`
	queryBlockedBy    = `SELECT sender_mac, sender_ct FROM blocked WHERE account_id = $1`
	queryBlocks       = `SELECT count(*) FROM blocked WHERE account_id = $1 AND sender_mac IN ($2, $3)`
)

// Block implements mailbox.Store.
func (s *Store) Block(ctx context.Context, id mailbox.AccountID, b mailbox.Blocked, max int) error {
	return s.write(ctx, "block sender", func(t *tx) error {
		if err := t.touchSealed(id, b.Generation); err != nil {
			return err
		}
		if _, err := t.exec(queryBlock, int64(id), b.MAC[:], notNull(b.Sealed)); err != nil {
			return err
		}
		var have int
		if _, err := t.one(queryCountBlocked, []any{num(&have)}, int64(id)); err != nil {
			return err
		}
		if have > max {
			return mailbox.ErrLimit
		}
		return nil
	}, id)
}

// Unblock implements mailbox.Store.
func (s *Store) Unblock(ctx context.Context, id mailbox.AccountID, mac seal.SenderMAC) error {
	return s.write(ctx, "unblock sender", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		_, err := t.exec(queryUnblock, int64(id), mac[:])
		return err
	}, id)
}

// BlockedBy implements mailbox.Store.
func (s *Store) BlockedBy(ctx context.Context, id mailbox.AccountID) ([]mailbox.Blocked, error) {
	var list []mailbox.Blocked
	var b mailbox.Blocked
	err := s.readOne(ctx, "list blocked senders", func(q querier) error {
		return q.each(queryBlockedBy, []any{macOf(&b.MAC), &b.Sealed}, func() error {
			list = append(list, b)
			return nil
		}, int64(id))
	})
	return list, err
}

// Blocks implements mailbox.Store.
func (s *Store) Blocks(ctx context.Context, id mailbox.AccountID, one, other seal.SenderMAC) (bool, error) {
	var n int
	err := s.readOne(ctx, "look for blocked sender", func(q querier) error {
		_, err := q.one(queryBlocks, []any{num(&n)}, int64(id), one[:], other[:])
		return err
	})
	return n > 0, err
}

const querySetDays = `UPDATE mailbox SET days = $1 WHERE account_id = $2 AND mailbox_id = $3`

// SetDays implements mailbox.Store.
func (s *Store) SetDays(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, days int) error {
	return s.write(ctx, "set days", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		return changed(mailbox.ErrNoMailbox)(t.exec(querySetDays, int64(days), int64(id), int64(mbox)))
	}, id)
}

const (
	querySpend    = `INSERT INTO spent (token, last_day) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	queryGiveBack = `DELETE FROM spent WHERE token = $1`
)

// Spend implements mailbox.Store.
func (s *Store) Spend(ctx context.Context, token mailbox.SpentToken, last mailbox.Day) error {
	return s.write(ctx, "spend token", func(t *tx) error {
		return changed(mailbox.ErrExists)(t.exec(querySpend, token[:], int64(last)))
	})
}

// GiveBack implements mailbox.Store.
func (s *Store) GiveBack(ctx context.Context, token mailbox.SpentToken) error {
	return s.write(ctx, "give token back", func(t *tx) error {
		_, err := t.exec(queryGiveBack, token[:])
		return err
	})
}
