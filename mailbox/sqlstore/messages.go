package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

// A message without its wide half is damaged, but listed: whoever opens it finds
// that there is nothing to open, and the others can still be read.
const (
	fromMessage = `SELECT message.uid, flags, modseq, generation, blob_id, stage, size, day, saved, key_ct, env_ct
		FROM message LEFT JOIN sealed ON sealed.account_id = message.account_id
		AND sealed.mailbox_id = message.mailbox_id AND sealed.uid = message.uid `
	queryMessages = fromMessage + `WHERE message.account_id = $1 AND message.mailbox_id = $2
		AND message.uid BETWEEN $3 AND $4 ORDER BY message.uid LIMIT $5`
	queryUnwrapped = fromMessage + `WHERE message.account_id = $1 AND message.mailbox_id = $2
		AND message.uid > $3 AND (stage = 0 OR generation < (SELECT generation FROM account_key WHERE account_key.account_id = $1)) ORDER BY message.uid LIMIT $4`
)

func scanMessage(m *mailbox.Message) []any {
	return []any{num(&m.UID), num(&m.Flags), num(&m.ModSeq), num(&m.Generation), blobColumn{&m.Blob},
		num(&m.Stage), num(&m.Size), num(&m.Day), num(&m.Saved), &m.Key, &m.Envelope}
}

// Messages implements mailbox.Store.
func (s *Store) Messages(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, set []mailbox.UIDRange, limit int) ([]mailbox.Message, error) {
	var list []mailbox.Message
	err := s.read(ctx, "read messages", func(q querier) error {
		var err error
		list, err = q.messages(id, mbox, set, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (q querier) messages(id mailbox.AccountID, mbox mailbox.MailboxID, set []mailbox.UIDRange, limit int) ([]mailbox.Message, error) {
	var list []mailbox.Message
	m := mailbox.Message{Mailbox: mbox}
	dest := scanMessage(&m)
	for _, r := range set {
		if len(list) >= limit {
			break
		}
		err := q.each(queryMessages, dest, func() error {
			list = append(list, m)
			return nil
		}, int64(id), int64(mbox), int64(r.Low), int64(r.High), limit-len(list))
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Unwrapped implements mailbox.Store.
func (s *Store) Unwrapped(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, after mailbox.UID, limit int) ([]mailbox.Message, error) {
	var list []mailbox.Message
	m := mailbox.Message{Mailbox: mbox}
	err := s.readOne(ctx, "read messages to wrap", func(q querier) error {
		return q.each(queryUnwrapped, scanMessage(&m), func() error {
			list = append(list, m)
			return nil
		}, int64(id), int64(mbox), int64(after), limit)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
