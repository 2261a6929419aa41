package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/pgp"
)

// The outcomes of Restore that callers tell apart.
var (
	// ErrNoBackup: there is none in the account.
	ErrNoBackup = errors.New("there is no backup in this account")
	// ErrRecoveryCode: the code is not that of the backup. Nothing was changed.
	ErrRecoveryCode = errors.New("the recovery code does not open the backup: compare it with the sheet")
)

// HasBackup reports whether a gateway has left its backup in the account: who sets up
// another one with a new key would be two people to all contacts.
func (u Upstream) HasBackup(ctx context.Context) (bool, error) {
	found := false
	err := u.onServer(ctx, func(r *remote) error {
		list, err := r.deviceMails()
		for _, m := range list {
			found = found || m.purpose == backupPurpose
		}
		return err
	})
	return found, err
}

// Restore brings the newest backup in the account into a vault that has no account yet,
// by the recovery code alone. How the account is reached stays as it is given here. The
// vault is whole when Restore returns nil; after an error, or a crash, Restore can be
// repeated. Errors: ErrNoBackup, ErrRecoveryCode, ErrPassword.
func Restore(ctx context.Context, v *vault.Vault, account Account, code string, now time.Time) error {
	secret, err := seal.ParseSecret(code)
	if err != nil {
		return fmt.Errorf("%w: a letter or digit is wrong or missing", ErrRecoveryCode)
	}
	defer secret.Wipe()
	u, err := account.Upstream()
	if err != nil {
		return err
	}
	var b *bundle
	err = u.onServer(ctx, func(r *remote) (err error) {
		b, err = newestBackup(r, secret.Reveal())
		return err
	})
	if err != nil {
		return err
	}
	return b.install(v, account)
}

// newestBackup opens the last one that is there.
func newestBackup(r *remote, code string) (*bundle, error) {
	list, err := r.deviceMails()
	if err != nil {
		return nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].purpose != backupPurpose {
			continue
		}
		b, err := readBackup(r, list[i], code)
		if errors.Is(err, pgp.ErrNoKey) || errors.Is(err, pgp.ErrDamaged) {
			err = ErrRecoveryCode
		}
		if b != nil || err != nil {
			return b, err
		}
	}
	return nil, ErrNoBackup
}

// install puts a bundle into a vault, for an account that is reached as account says.
func (b *bundle) install(v *vault.Vault, account Account) error {
	said, err := b.account()
	if err != nil {
		return err
	}
	account.Name = said.Name
	if err := b.restore(v); err != nil {
		return err
	}
	return SaveAccount(v, account)
}
