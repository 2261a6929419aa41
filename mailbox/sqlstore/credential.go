package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

const (
	queryCredentials = `SELECT credential.credential_id, kind, selector, kdf, verifier, wrapped, label_ct, public_ct, created
		FROM credential LEFT JOIN credential_public ON credential_public.account_id = credential.account_id
		AND credential_public.credential_id = credential.credential_id
		WHERE credential.account_id = $1 ORDER BY created, credential.credential_id`
	queryNewCredential = `INSERT INTO credential
		(account_id, credential_id, kind, selector, kdf, verifier, wrapped, label_ct, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`
	queryDropCredential = `DELETE FROM credential WHERE account_id = $1 AND credential_id = $2`
	queryDropPublic     = `DELETE FROM credential_public WHERE account_id = $1 AND credential_id = $2`
	querySetPublic      = `INSERT INTO credential_public (account_id, credential_id, public_ct) VALUES ($1, $2, $3)
		ON CONFLICT (account_id, credential_id) DO UPDATE SET public_ct = $3`
	queryDropDevice = `DELETE FROM hidden WHERE account_id = $1 AND device = $2`
	queryReplaceKey = `UPDATE account_key SET generation = $1, public = $2, due = 0
		WHERE account_id = $3 AND generation = $1 - 1`
	queryCountAddresses = `SELECT count(*) FROM address WHERE account_id = $1`
	queryReplaceEntry   = `UPDATE address SET entry_ct = $1 WHERE addr_mac = $2 AND account_id = $3`
)

// Credentials implements mailbox.Store.
func (s *Store) Credentials(ctx context.Context, id mailbox.AccountID) ([]mailbox.Credential, error) {
	var list []mailbox.Credential
	err := s.readOne(ctx, "list credentials", func(q querier) (err error) {
		list, err = q.credentials(id)
		return err
	})
	return list, err
}

func (q querier) credentials(id mailbox.AccountID) ([]mailbox.Credential, error) {
	var list []mailbox.Credential
	var c mailbox.Credential
	dest := []any{num(&c.ID), num(&c.Kind), &c.Selector, &c.KDF, &c.Verifier, &c.Wrapped, &c.Label, &c.Public, num(&c.Created)}
	err := q.each(queryCredentials, dest, func() error {
		list = append(list, c)
		return nil
	}, int64(id))
	return list, err
}

// ReplaceCredentials implements mailbox.Store.
func (s *Store) ReplaceCredentials(ctx context.Context, id mailbox.AccountID, drop []mailbox.CredentialID, add []mailbox.Credential, key *mailbox.KeyChange) error {
	return s.write(ctx, "replace credentials", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		for _, c := range drop {
			if err := changed(mailbox.ErrGone)(t.exec(queryDropCredential, int64(id), int64(c))); err != nil {
				return err
			}
			for _, query := range []string{queryDropPublic, queryDropDevice} {
				if _, err := t.exec(query, int64(id), int64(c)); err != nil {
					return err
				}
			}
		}
		if key != nil {
			if err := t.replaceKey(id, key); err != nil {
				return err
			}
		}
		for _, c := range add {
			if err := t.sealedNow(id, c.Generation); err != nil {
				return err
			}
			if err := t.addCredential(id, c); err != nil {
				return err
			}
		}
		return nil
	}, id)
}

// replaceKey replaces an account's key and the entries of all its addresses, and
// forgets the keys of former generations.
func (t *tx) replaceKey(id mailbox.AccountID, key *mailbox.KeyChange) error {
	err := changed(mailbox.ErrGone)(t.exec(queryReplaceKey, int64(key.Generation), notNull(key.Public), int64(id)))
	if err != nil {
		return err
	}
	if _, err := t.exec(queryNoFormer, int64(id)); err != nil {
		return err
	}
	var addresses int
	if _, err := t.one(queryCountAddresses, []any{num(&addresses)}, int64(id)); err != nil {
		return err
	}
	if addresses != len(key.Addresses) {
		return mailbox.ErrGone
	}
	for _, a := range key.Addresses {
		if err := changed(mailbox.ErrGone)(t.exec(queryReplaceEntry, notNull(a.Entry), a.MAC[:], int64(id))); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) addCredential(id mailbox.AccountID, c mailbox.Credential) error {
	err := changed(mailbox.ErrExists)(t.exec(queryNewCredential, int64(id), int64(c.ID), int64(c.Kind), c.Selector,
		notNull(c.KDF), notNull(c.Verifier), notNull(c.Wrapped), notNull(c.Label), int64(c.Created)))
	if err != nil || len(c.Public) == 0 {
		return err
	}
	_, err = t.exec(querySetPublic, int64(id), int64(c.ID), c.Public)
	return err
}

// changed makes an outcome of a statement that changed no row.
func changed(outcome error) func(int64, error) error {
	return func(n int64, err error) error {
		if err == nil && n == 0 {
			return outcome
		}
		return err
	}
}
