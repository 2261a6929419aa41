package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryHasAddress = `SELECT count(*) FROM address WHERE addr_mac = $1 AND account_id = $2`
	queryPublish    = `INSERT INTO published (account_id, addr_mac, wkd_mac, fpr_mac, cert_ct)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
)

// Publish implements mailbox.Store.
func (s *Store) Publish(ctx context.Context, id mailbox.AccountID, p mailbox.Published) error {
	return s.write(ctx, "publish", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		var have int
		if _, err := t.one(queryHasAddress, []any{num(&have)}, p.MAC[:], int64(id)); err != nil {
			return err
		}
		if have == 0 {
			return mailbox.ErrGone
		}
		if _, err := t.exec(queryUnpublish, int64(id), p.MAC[:]); err != nil {
			return err
		}
		return changed(mailbox.ErrExists)(t.exec(queryPublish,
			int64(id), p.MAC[:], p.WKD[:], p.Fingerprint[:], notNull(p.Cert)))
	}, id)
}

// Unpublish implements mailbox.Store.
func (s *Store) Unpublish(ctx context.Context, id mailbox.AccountID, mac seal.AddressMAC) error {
	return s.write(ctx, "unpublish", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		_, err := t.exec(queryUnpublish, int64(id), mac[:])
		return err
	}, id)
}

const (
	publishedColumns = `addr_mac, wkd_mac, fpr_mac, cert_ct`
	queryPublishedBy = `SELECT ` + publishedColumns + ` FROM published WHERE account_id = $1`
	// A sub-select, because nothing joins but by account: this one begins with none.
	queryFindPublished = `SELECT account_id, ` + publishedColumns + ` FROM published WHERE wkd_mac = $1
		AND EXISTS (SELECT 1 FROM account WHERE account.account_id = published.account_id AND state = 0)`
)

func scanPublished(p *mailbox.Published) []any {
	return []any{macOf(&p.MAC), macOf(&p.WKD), macOf(&p.Fingerprint), &p.Cert}
}

// PublishedBy implements mailbox.Store.
func (s *Store) PublishedBy(ctx context.Context, id mailbox.AccountID) ([]mailbox.Published, error) {
	var list []mailbox.Published
	var p mailbox.Published
	err := s.readOne(ctx, "list what is published", func(q querier) error {
		return q.each(queryPublishedBy, scanPublished(&p), func() error {
			list = append(list, p)
			return nil
		}, int64(id))
	})
	return list, err
}

// FindPublished implements mailbox.Store.
func (s *Store) FindPublished(ctx context.Context, wkd seal.WKDMAC) (mailbox.AccountID, mailbox.Published, error) {
	var id mailbox.AccountID
	var p mailbox.Published
	err := s.readOne(ctx, "find what is published", func(q querier) error {
		found, err := q.one(queryFindPublished, append([]any{num(&id)}, scanPublished(&p)...), wkd[:])
		if err == nil && !found {
			return mailbox.ErrNoAccount
		}
		return err
	})
	return id, p, err
}
