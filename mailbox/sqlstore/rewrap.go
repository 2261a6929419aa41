package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	querySetStage = `UPDATE message SET stage = 1, generation = CASE WHEN generation < $1 THEN $1 ELSE generation END
		WHERE account_id = $2 AND mailbox_id = $3 AND uid = $4 AND (stage = 0 OR generation < $1)`
	querySetSealed = `UPDATE sealed SET key_ct = $1, env_ct = $2
		WHERE account_id = $3 AND mailbox_id = $4 AND uid = $5`
)

// Rewrap implements mailbox.Store.
func (s *Store) Rewrap(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, rows []mailbox.Rewrapped) error {
	return s.write(ctx, "rewrap messages", func(t *tx) error {
		if _, err := t.mailbox(id, mbox); err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			if err := t.sealedNow(id, r.Generation); err != nil {
				return err
			}
			n, err := t.exec(querySetStage, int64(r.Generation), int64(id), int64(mbox), int64(r.UID))
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			if _, err := t.exec(querySetSealed, notNull(r.Key), notNull(r.Envelope), int64(id), int64(mbox), int64(r.UID)); err != nil {
				return err
			}
		}
		return nil
	}, id)
}
