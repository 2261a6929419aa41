package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryNewAccount = `INSERT INTO account (account_id, state, quota_bytes, quota_messages,
		used_bytes, used_messages, change, next_mailbox, uidvalidity, created, seen)
		VALUES ($1, 0, $2, $3, 0, 0, 1, 1, 0, $4, $4) ON CONFLICT DO NOTHING`
	queryNewKey = `INSERT INTO account_key (account_id, generation, public) VALUES ($1, $2, $3)`
)

// CreateAccount implements mailbox.Store.
func (s *Store) CreateAccount(ctx context.Context, a mailbox.NewAccount) error {
	run := func(t *tx) error {
		if err := t.addAccount(a); err != nil {
			return err
		}
		for _, c := range a.Credentials {
			if err := t.addCredential(a.ID, c); err != nil {
				return err
			}
		}
		for _, m := range append([]mailbox.NewMailbox{a.Inbox}, a.Mailboxes...) {
			if _, err := t.addMailbox(a.ID, m); err != nil {
				return err
			}
		}
		t.hint(a.ID)
		return nil
	}
	return s.submit(ctx, &job{op: "create account", grows: true, accounts: []mailbox.AccountID{a.ID}, run: run})
}

// addAccount adds the rows that are one to an account.
func (t *tx) addAccount(a mailbox.NewAccount) error {
	if a.ID <= 0 {
		return mailbox.ErrNoAccount
	}
	n, err := t.exec(queryNewAccount, int64(a.ID), a.Quota.Bytes, a.Quota.Messages, int64(a.Created))
	if err != nil {
		return err
	}
	if n == 0 {
		return mailbox.ErrExists
	}
	if _, err := t.exec(queryNewKey, int64(a.ID), int64(a.Key.Generation), notNull(a.Key.Public)); err != nil {
		return err
	}
	return t.addAddress(a.ID, a.Address, 1)
}

// notNull makes an empty value of nil: the drivers would store NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// The columns that scanAccount reads.
const accountColumns = `account.account_id, state, quota_bytes, quota_messages,
	used_bytes, used_messages, change, created, seen, generation, public, due`

const (
	queryAccount = `SELECT ` + accountColumns + `
		FROM account JOIN account_key USING (account_id) WHERE account.account_id = $1`
	queryAccounts = `SELECT ` + accountColumns + `
		FROM account JOIN account_key USING (account_id) WHERE account.account_id > $1
		ORDER BY account.account_id LIMIT $2`
	queryLookup = `SELECT ` + accountColumns + `, entry_ct
		FROM address JOIN account ON account.account_id = address.account_id
		JOIN account_key ON account_key.account_id = address.account_id WHERE addr_mac = $1`
)

// scanAccount returns where the accountColumns go.
func scanAccount(a *mailbox.Account) []any {
	return []any{num(&a.ID), num(&a.State), num(&a.Quota.Bytes), num(&a.Quota.Messages),
		num(&a.Used.Bytes), num(&a.Used.Messages), num(&a.Change), num(&a.Created), num(&a.Seen),
		num(&a.Key.Generation), &a.Key.Public, flag{&a.RotateDue}}
}

// Account implements mailbox.Store.
func (s *Store) Account(ctx context.Context, id mailbox.AccountID) (mailbox.Account, error) {
	var a mailbox.Account
	return s.findAccount(ctx, &a, scanAccount(&a), queryAccount, int64(id))
}

// Lookup implements mailbox.Store.
func (s *Store) Lookup(ctx context.Context, mac seal.AddressMAC) (mailbox.Account, error) {
	var a mailbox.Account
	return s.findAccount(ctx, &a, append(scanAccount(&a), &a.Entry), queryLookup, mac[:])
}

// findAccount runs a query for one account, which it scans into dest and so into a.
func (s *Store) findAccount(ctx context.Context, a *mailbox.Account, dest []any, query string, key any) (mailbox.Account, error) {
	err := s.readOne(ctx, "find account", func(q querier) error {
		found, err := q.one(query, dest, key)
		if err == nil && !found {
			return mailbox.ErrNoAccount
		}
		return err
	})
	if err != nil {
		return mailbox.Account{}, err
	}
	return *a, nil
}

// accountsPerRead bounds what Accounts holds at a time.
const accountsPerRead = 256

// Accounts implements mailbox.Store. No read is open while f runs.
func (s *Store) Accounts(ctx context.Context, f func(mailbox.Account) error) error {
	last := mailbox.AccountID(0)
	for {
		page, err := s.accountsAfter(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			if err := f(a); err != nil {
				return err
			}
		}
		last = page[len(page)-1].ID
	}
}

func (s *Store) accountsAfter(ctx context.Context, last mailbox.AccountID) ([]mailbox.Account, error) {
	var page []mailbox.Account
	var a mailbox.Account
	err := s.readOne(ctx, "list accounts", func(q querier) error {
		return q.each(queryAccounts, scanAccount(&a), func() error {
			page = append(page, a)
			return nil
		}, int64(last), accountsPerRead)
	})
	return page, err
}

const queryAddresses = `SELECT addr_mac, entry_ct FROM address WHERE account_id = $1 ORDER BY n`

// Addresses implements mailbox.Store.
func (s *Store) Addresses(ctx context.Context, id mailbox.AccountID) ([]mailbox.Address, error) {
	var list []mailbox.Address
	var a mailbox.Address
	err := s.readOne(ctx, "list addresses", func(q querier) error {
		return q.each(queryAddresses, []any{macOf(&a.MAC), &a.Entry}, func() error {
			list = append(list, a)
			return nil
		}, int64(id))
	})
	if err == nil && list == nil {
		return nil, mailbox.ErrNoAccount // every account has one
	}
	return list, err
}

const querySetState = `UPDATE account SET state = $1 WHERE account_id = $2`

// SetState implements mailbox.Store.
func (s *Store) SetState(ctx context.Context, id mailbox.AccountID, state mailbox.AccountState) error {
	return s.write(ctx, "set account state", func(t *tx) error {
		if err := t.touch(id); err != nil {
			return err
		}
		_, err := t.exec(querySetState, int64(state), int64(id))
		return err
	}, id)
}
