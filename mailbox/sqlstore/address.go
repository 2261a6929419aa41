package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryNewAddress = `INSERT INTO address (addr_mac, account_id, n, entry_ct)
		VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	queryRetired     = `SELECT count(*) FROM retired WHERE addr_mac = $1`
	queryNextAddress = `UPDATE account SET next_address = next_address + 1
		WHERE account_id = $1 RETURNING next_address - 1`
)

// addAddress adds the address of a number. Whether it was given up is looked at
// last: another node may do so at the same moment, and has then committed.
func (t *tx) addAddress(id mailbox.AccountID, a mailbox.Address, n int) error {
	err := changed(mailbox.ErrExists)(t.exec(queryNewAddress, a.MAC[:], int64(id), int64(n), notNull(a.Entry)))
	if err != nil {
		return err
	}
	var retired int
	if _, err := t.one(queryRetired, []any{num(&retired)}, a.MAC[:]); err != nil {
		return err
	}
	if retired > 0 {
		return mailbox.ErrExists
	}
	return nil
}

// AddAddress implements mailbox.Store.
func (s *Store) AddAddress(ctx context.Context, id mailbox.AccountID, a mailbox.Address, max, ever int) error {
	return s.write(ctx, "add address", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		var n, have int
		if _, err := t.update(queryNextAddress, []any{num(&n)}, int64(id)); err != nil {
			return err
		}
		if _, err := t.one(queryCountAddresses, []any{num(&have)}, int64(id)); err != nil {
			return err
		}
		if have >= max || n > ever {
			return mailbox.ErrLimit
		}
		return t.addAddress(id, a, n)
	}, id)
}

const (
	queryUnpublish   = `DELETE FROM published WHERE account_id = $1 AND addr_mac = $2`
	queryDropAddress = `DELETE FROM address WHERE addr_mac = $1 AND account_id = $2`
	queryRetire      = `INSERT INTO retired (addr_mac) VALUES ($1) ON CONFLICT DO NOTHING`
)

// RetireAddress implements mailbox.Store.
func (s *Store) RetireAddress(ctx context.Context, id mailbox.AccountID, mac seal.AddressMAC) error {
	return s.write(ctx, "retire address", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		if _, err := t.exec(queryUnpublish, int64(id), mac[:]); err != nil {
			return err
		}
		if err := changed(mailbox.ErrGone)(t.exec(queryDropAddress, mac[:], int64(id))); err != nil {
			return err
		}
		var have int
		if _, err := t.one(queryCountAddresses, []any{num(&have)}, int64(id)); err != nil {
			return err
		}
		if have == 0 {
			return mailbox.ErrLimit
		}
		_, err := t.exec(queryRetire, mac[:])
		return err
	}, id)
}

const querySetEntry = `UPDATE address SET entry_ct = $1 WHERE addr_mac = $2 AND account_id = $3 AND entry_ct = $4`

// SetEntry implements mailbox.Store.
func (s *Store) SetEntry(ctx context.Context, id mailbox.AccountID, mac seal.AddressMAC, old, entry []byte) error {
	return s.write(ctx, "set entry", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		return changed(mailbox.ErrGone)(t.exec(querySetEntry, notNull(entry), mac[:], int64(id), notNull(old)))
	}, id)
}
