package gateway

import (
	"context"
	"fmt"

	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/pgp"
)

// LostDevice makes what a lost device knows useless for what comes: new encryption subkeys
// for each identity, the old ones revoked, and a new recovery code, under which the backup is written anew.
// Contacts hear of the subkeys with the next mail to each. It can be repeated after an
// error. The account's password and those of other devices are for RenewPassword and
// RevokeDevices, before this.
func (g *Gateway) LostDevice(ctx context.Context) error {
	if err := g.keeper.recode(ctx); err != nil {
		return err
	}
	now, all := g.o.Now(), g.own.Load()
	for _, own := range append([]*Identity{all.main}, all.apart...) {
		if own.Current == nil {
			continue
		}
		renewed, err := own.Current.Renew(pgp.KeyOptions{Now: g.o.Now})
		if err != nil {
			return err
		}
		if err := AddKey(g.o.Vault, own.Address, renewed, now); err != nil {
			return err
		}
	}
	if err := g.ReloadKeys(); err != nil {
		return err
	}
	return g.keeper.save(ctx)
}

// recode gives the backup a new code. What other devices have put into it is taken over
// first. The old code stays known until the backup is under the new one.
func (k *keeper) recode(ctx context.Context) error {
	if err := k.save(ctx); err != nil {
		return err
	}
	code, err := RecoveryCode(k.vault)
	if err != nil {
		return err
	}
	secret := seal.NewSecret()
	defer secret.Wipe()
	if err := putSettings(k.vault, recoveryName, recovery{Code: secret.Reveal(), Previous: code}); err != nil {
		return fmt.Errorf("new recovery code: %w", err)
	}
	return k.save(ctx)
}
