package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const querySmallBodies = `SELECT body.blob_id, data FROM message
	JOIN body ON body.account_id = message.account_id AND body.blob_id = message.blob_id
	WHERE message.account_id = $1 AND message.mailbox_id = $2 AND message.uid BETWEEN $3 AND $4`

// SmallBodies implements mailbox.Store. A query of its own costs ten times as much
// as a row of one.
func (s *Store) SmallBodies(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, set []mailbox.UIDRange) (map[seal.BlobID][]byte, error) {
	found := make(map[seal.BlobID][]byte)
	var blob seal.BlobID
	var data []byte
	err := s.readOne(ctx, "read small bodies", func(q querier) error {
		dest := []any{blobColumn{&blob}, bytesColumn{&data, q.on.dialect}}
		for _, r := range set {
			err := q.each(querySmallBodies, dest, func() error {
				found[blob] = data
				return nil
			}, int64(id), int64(mbox), int64(r.Low), int64(r.High))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
