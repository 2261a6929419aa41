package sqlstore

import (
	"context"
	"slices"

	"github.com/restante/restante/mailbox"
)

// The margins are for what was lost: mailboxes that were made, and changes that were
// counted, must not come again with the same numbers.
const (
	raiseMailboxes = `UPDATE mailbox SET uidvalidity = 1000 + mailbox_id + (
		SELECT CASE WHEN account.uidvalidity > $1 THEN account.uidvalidity ELSE $1 END
		FROM account WHERE account.account_id = mailbox.account_id)`
	raiseAccounts = `UPDATE account SET change = change + 1000000,
		uidvalidity = 1000 + next_mailbox + CASE WHEN uidvalidity > $1 THEN uidvalidity ELSE $1 END`

	queryRaiseMailboxes = raiseMailboxes + ` WHERE account_id = $2`
	queryRaiseAccount   = raiseAccounts + ` WHERE account_id = $2`
)

// RaiseUIDValidity raises the UIDVALIDITY of every mailbox, above any that it may
// have had since the store was as it is: clients then fetch their mailboxes anew
// instead of taking one message for another. If it fails it can be done again.
func (s *Store) RaiseUIDValidity(ctx context.Context) error {
	var ids []mailbox.AccountID
	err := s.Accounts(ctx, func(a mailbox.Account) error {
		ids = append(ids, a.ID)
		return nil
	})
	now := s.opts.Now().Unix()
	for some := range slices.Chunk(ids, mirrorRows) {
		if err == nil {
			err = s.raise(ctx, now, some)
		}
	}
	return err
}

func (s *Store) raise(ctx context.Context, now int64, ids []mailbox.AccountID) error {
	return s.write(ctx, "raise UIDVALIDITYs", func(t *tx) error {
		for _, id := range ids {
			for _, query := range []string{queryRaiseMailboxes, queryRaiseAccount} {
				if _, err := t.exec(query, now, int64(id)); err != nil {
					return err
				}
			}
		}
		return nil
	}, ids...)
}
