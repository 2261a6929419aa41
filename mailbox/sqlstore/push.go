package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryPushTokens = `SELECT token_mac, token_ct, day FROM push_token
		WHERE account_id = $1 ORDER BY n DESC`
	queryNextToken    = `SELECT coalesce(max(n), 0) + 1 FROM push_token WHERE account_id = $1`
	queryAddPushToken = `INSERT INTO push_token (account_id, token_mac, token_ct, day, n) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, token_mac) DO UPDATE SET token_ct = $3, day = $4, n = $5`
	queryCrowdedTokens = `DELETE FROM push_token WHERE account_id = $1 AND n <= (
		SELECT n FROM push_token WHERE account_id = $1 ORDER BY n DESC LIMIT 1 OFFSET $2)`
	queryDropPushToken    = `DELETE FROM push_token WHERE account_id = $1 AND token_mac = $2`
	queryExpirePushTokens = `DELETE FROM push_token WHERE day < $1`
	queryHasAccount       = `SELECT 1 FROM account WHERE account_id = $1`
)

// AddPushToken implements mailbox.Store.
func (s *Store) AddPushToken(ctx context.Context, id mailbox.AccountID, p mailbox.PushTokenRow, max int) error {
	return s.write(ctx, "add push token", func(t *tx) error {
		var one int
		found, err := t.one(queryHasAccount, []any{num(&one)}, int64(id))
		if err != nil {
			return err
		}
		if !found {
			return mailbox.ErrNoAccount
		}
		var next int64
		if _, err := t.one(queryNextToken, []any{num(&next)}, int64(id)); err != nil {
			return err
		}
		_, err = t.exec(queryAddPushToken, int64(id), p.MAC[:], notNull(p.Sealed), int64(p.Day), next)
		if err != nil {
			return err
		}
		_, err = t.exec(queryCrowdedTokens, int64(id), max)
		return err
	}, id)
}

// PushTokens implements mailbox.Store.
func (s *Store) PushTokens(ctx context.Context, id mailbox.AccountID) ([]mailbox.PushTokenRow, error) {
	var list []mailbox.PushTokenRow
	var p mailbox.PushTokenRow
	err := s.readOne(ctx, "list push tokens", func(q querier) error {
		return q.each(queryPushTokens, []any{tokenColumn{&p.MAC}, &p.Sealed, num(&p.Day)}, func() error {
			list = append(list, p)
			return nil
		}, int64(id))
	})
	return list, err
}

// DropPushToken implements mailbox.Store.
func (s *Store) DropPushToken(ctx context.Context, id mailbox.AccountID, mac seal.TokenMAC) error {
	return s.write(ctx, "drop push token", func(t *tx) error {
		_, err := t.exec(queryDropPushToken, int64(id), mac[:])
		return err
	}, id)
}

// ExpirePushTokens implements mailbox.Store.
func (s *Store) ExpirePushTokens(ctx context.Context, before mailbox.Day) error {
	return s.write(ctx, "expire push tokens", func(t *tx) error {
		_, err := t.exec(queryExpirePushTokens, int64(before))
		return err
	})
}

// tokenColumn scans a column into a push token's MAC.
type tokenColumn struct{ p *seal.TokenMAC }

// Scan implements sql.Scanner.
func (c tokenColumn) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok || len(v) != len(c.p) {
		return damaged("a column holds no MAC of a push token")
	}
	copy(c.p[:], v)
	return nil
}
