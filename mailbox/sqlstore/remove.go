package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// removeAccount empties the tables of an account, those that refer to others
// first.
var removeAccount = []string{
	`DELETE FROM hidden WHERE account_id = $1`,
	`DELETE FROM page WHERE account_id = $1`,
	`DELETE FROM sealed WHERE account_id = $1`,
	`DELETE FROM message WHERE account_id = $1`,
	`DELETE FROM expunged WHERE account_id = $1`,
	`DELETE FROM shared WHERE account_id = $1`,
	`DELETE FROM body WHERE account_id = $1`,
	`DELETE FROM body_file WHERE account_id = $1`,
	`DELETE FROM delivered WHERE account_id = $1`,
	`DELETE FROM keyword WHERE account_id = $1`,
	`DELETE FROM subscription WHERE account_id = $1`,
	`DELETE FROM metadata WHERE account_id = $1`,
	`DELETE FROM push_token WHERE account_id = $1`,
	`DELETE FROM mailbox WHERE account_id = $1`,
	`DELETE FROM credential_public WHERE account_id = $1`,
	`DELETE FROM credential WHERE account_id = $1`,
	`DELETE FROM blocked WHERE account_id = $1`,
	`DELETE FROM published WHERE account_id = $1`,
	`DELETE FROM address WHERE account_id = $1`,
	`DELETE FROM former_key WHERE account_id = $1`,
	`DELETE FROM account_key WHERE account_id = $1`,
	`DELETE FROM account WHERE account_id = $1`,
}

const queryBodyFiles = `SELECT blob_id FROM body_file WHERE account_id = $1`

// RemoveAccount implements mailbox.Store.
func (s *Store) RemoveAccount(ctx context.Context, id mailbox.AccountID) error {
	return s.write(ctx, "remove account", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		if err := t.dropLargeBodies(id); err != nil {
			return err
		}
		for _, query := range removeAccount {
			if _, err := t.exec(query, int64(id)); err != nil {
				return err
			}
		}
		return nil
	}, id)
}

func (t *tx) dropLargeBodies(id mailbox.AccountID) error {
	var all []seal.BlobID
	var blob seal.BlobID
	err := t.each(queryBodyFiles, []any{blobColumn{&blob}}, func() error {
		all = append(all, blob)
		return nil
	}, int64(id))
	for i := 0; err == nil && i < len(all); i++ {
		err = t.w.s.large.drop(t, id, all[i])
	}
	return err
}
