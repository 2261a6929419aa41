package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	querySubscriptions      = `SELECT name_mac, name_ct FROM subscription WHERE account_id = $1 ORDER BY name_mac`
	queryCountSubscriptions = `SELECT count(*) FROM subscription WHERE account_id = $1`
	querySubscribe          = `INSERT INTO subscription (account_id, name_mac, name_ct)
		VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	queryUnsubscribe = `DELETE FROM subscription WHERE account_id = $1 AND name_mac = $2`
)

// Subscriptions implements mailbox.Store.
func (s *Store) Subscriptions(ctx context.Context, id mailbox.AccountID) ([]mailbox.SealedName, error) {
	var list []mailbox.SealedName
	var n mailbox.SealedName
	err := s.readOne(ctx, "list subscriptions", func(q querier) error {
		return q.each(querySubscriptions, []any{&n.MAC, &n.Sealed}, func() error {
			list = append(list, n)
			return nil
		}, int64(id))
	})
	return list, err
}

// SetSubscription implements mailbox.Store.
func (s *Store) SetSubscription(ctx context.Context, id mailbox.AccountID, n mailbox.SealedName, on bool, max int) error {
	return s.write(ctx, "set subscription", func(t *tx) error {
		if !on {
			if err := t.touch(id); err != nil {
				return err
			}
			_, err := t.exec(queryUnsubscribe, int64(id), notNull(n.MAC))
			return err
		}
		if err := t.touchSealed(id, n.Generation); err != nil {
			return err
		}
		added, err := t.exec(querySubscribe, int64(id), notNull(n.MAC), notNull(n.Sealed))
		if err != nil || added == 0 {
			return err
		}
		var count int
		if _, err := t.one(queryCountSubscriptions, []any{num(&count)}, int64(id)); err != nil {
			return err
		}
		if count > max {
			return mailbox.ErrLimit
		}
		return nil
	}, id)
}

const (
	queryKeywords   = `SELECT n, name_mac, name_ct FROM keyword WHERE account_id = $1 ORDER BY n`
	queryKeyword    = `SELECT n, name_mac, name_ct FROM keyword WHERE account_id = $1 AND name_mac = $2`
	queryFlagSets   = `SELECT DISTINCT flags FROM message WHERE account_id = $1`
	querySetKeyword = `INSERT INTO keyword (account_id, n, name_mac, name_ct) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, n) DO UPDATE SET name_mac = $3, name_ct = $4`
)

func scanKeyword(k *mailbox.Keyword) []any {
	return []any{num(&k.N), &k.Name.MAC, &k.Name.Sealed}
}

// Keywords implements mailbox.Store.
func (s *Store) Keywords(ctx context.Context, id mailbox.AccountID) ([]mailbox.Keyword, error) {
	var list []mailbox.Keyword
	err := s.readOne(ctx, "list keywords", func(q querier) error {
		var err error
		list, err = q.keywords(id)
		return err
	})
	return list, err
}

func (q querier) keywords(id mailbox.AccountID) ([]mailbox.Keyword, error) {
	var list []mailbox.Keyword
	var k mailbox.Keyword
	err := q.each(queryKeywords, scanKeyword(&k), func() error {
		list = append(list, k)
		return nil
	}, int64(id))
	return list, err
}

// AddKeyword implements mailbox.Store.
func (s *Store) AddKeyword(ctx context.Context, id mailbox.AccountID, n mailbox.SealedName) (mailbox.Keyword, error) {
	var k mailbox.Keyword
	err := s.write(ctx, "add keyword", func(t *tx) error {
		found, err := t.one(queryKeyword, scanKeyword(&k), int64(id), notNull(n.MAC))
		if err != nil || found {
			return err
		}
		if err := t.touchSealed(id, n.Generation); err != nil {
			return err
		}
		free, err := t.freeKeyword(id)
		if err != nil {
			return err
		}
		k = mailbox.Keyword{N: free, Name: n}
		_, err = t.exec(querySetKeyword, int64(id), int64(free), notNull(n.MAC), notNull(n.Sealed))
		return err
	}, id)
	if err != nil {
		return mailbox.Keyword{}, err
	}
	return k, nil
}

// freeKeyword returns a place in the dictionary that was never used, else one
// whose keyword no message carries, else ErrLimit.
func (t *tx) freeKeyword(id mailbox.AccountID) (int, error) {
	list, err := t.keywords(id)
	if err != nil {
		return 0, err
	}
	var taken mailbox.Flags
	for _, k := range list {
		taken |= mailbox.KeywordFlag(k.N)
	}
	if n, ok := firstFree(taken); ok {
		return n, nil
	}
	var used, flags mailbox.Flags
	err = t.each(queryFlagSets, []any{num(&flags)}, func() error {
		used |= flags
		return nil
	}, int64(id))
	if err != nil {
		return 0, err
	}
	if n, ok := firstFree(used); ok {
		return n, nil
	}
	return 0, mailbox.ErrLimit
}

func firstFree(taken mailbox.Flags) (int, bool) {
	for n := range mailbox.MaxKeywords {
		if taken&mailbox.KeywordFlag(n) == 0 {
			return n, true
		}
	}
	return 0, false
}
