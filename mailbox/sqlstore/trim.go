package sqlstore

import (
	"context"
	"errors"

	"github.com/restante/restante/mailbox"
)

const (
	queryLongMemories = `SELECT account_id, mailbox_id FROM expunged
		GROUP BY account_id, mailbox_id HAVING count(*) > $1`
	queryNthVanished = `SELECT modseq FROM expunged WHERE account_id = $1 AND mailbox_id = $2
		ORDER BY modseq DESC LIMIT 1 OFFSET $3`
	queryTrimVanished = `DELETE FROM expunged WHERE account_id = $1 AND mailbox_id = $2 AND modseq <= $3`
	queryRaiseFloor   = `UPDATE mailbox SET vanish_floor = $1 WHERE account_id = $2 AND mailbox_id = $3`
)

// TrimVanished forgets the oldest expunges of each mailbox that remembers more
// than keep ranges of UIDs, and raises its VanishFloor. A client whose knowledge
// is older gets the whole list instead of the changes.
func (s *Store) TrimVanished(ctx context.Context, keep int) error {
	type place struct {
		id   mailbox.AccountID
		mbox mailbox.MailboxID
	}
	var long []place
	var p place
	err := s.readOne(ctx, "trim expunges", func(q querier) error {
		return q.each(queryLongMemories, []any{num(&p.id), num(&p.mbox)}, func() error {
			long = append(long, p)
			return nil
		}, keep)
	})
	for _, p := range long {
		err = errors.Join(err, s.write(ctx, "trim expunges", func(t *tx) error {
			return t.trimVanished(p.id, p.mbox, keep)
		}, p.id))
	}
	return err
}

// trimVanished drops whole expunges only: of one that is cut in half, a client
// would learn half.
func (t *tx) trimVanished(id mailbox.AccountID, mbox mailbox.MailboxID, keep int) error {
	var cut mailbox.ModSeq
	found, err := t.one(queryNthVanished, []any{num(&cut)}, int64(id), int64(mbox), keep)
	if err != nil || !found {
		return err
	}
	if _, err := t.exec(queryTrimVanished, int64(id), int64(mbox), int64(cut)); err != nil {
		return err
	}
	if _, err := t.exec(queryRaiseFloor, int64(cut), int64(id), int64(mbox)); err != nil {
		return err
	}
	return t.touch(id)
}
