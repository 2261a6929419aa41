package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/vault"
)

func gatewayLost(e env, h *gatewayHome) *cobra.Command {
	var fromStdin, keep bool
	cmd := &cobra.Command{
		Use:   "lost-device",
		Short: "A device is lost: take from it what it could still read",
		Long: "A device is lost. First set a new password for the account, on your relay's account page or at your provider, and\n" +
			"revoke the device's password there if it has one of its own; this command asks for the new one. Then it makes new\n" +
			"encryption subkeys and revokes the old, which your contacts learn with your next mail to each, and a new recovery\n" +
			"code: it prints a new sheet, and the old one is void. Stop the gateway before, and start it again after. Set up your\n" +
			"other devices anew with `restante gateway pair`.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return lostDevice(cmd.Context(), e, h, fromStdin, keep)
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the account's new password from standard input")
	cmd.Flags().BoolVar(&keep, "keep-password", false, "the password stays: the lost device never had it")
	return cmd
}

func lostDevice(ctx context.Context, e env, h *gatewayHome, fromStdin, keep bool) error {
	dir, err := h.dir()
	if err != nil {
		return err
	}
	v, err := vault.Open(vault.Options{Dir: vaultDir(dir), Keyring: vault.OSKeyring(), Passphrase: h.passphrase})
	if errors.Is(err, vault.ErrLocked) {
		return errors.New("the gateway runs with the old password: stop it first")
	}
	if err != nil {
		return err
	}
	if !keep {
		if err := newAccountPassword(ctx, e, v, fromStdin); err != nil {
			return errors.Join(err, v.Close())
		}
	}
	o, err := h.openOn(ctx, dir, v)
	if err != nil {
		return err
	}
	if err := o.LostDevice(ctx); err != nil {
		return errors.Join(err, o.close())
	}
	s, err := sheetOf(o)
	if err == nil {
		s.print(e.stdout)
		fmt.Fprintln(e.stderr, "restante: the old sheet is void. Your contacts hear of the new key with your next mail to each.")
	}
	return errors.Join(err, o.close())
}

// newAccountPassword keeps a password that was set at the provider, once it is seen to work.
func newAccountPassword(ctx context.Context, e env, v *vault.Vault, fromStdin bool) error {
	account, err := gateway.LoadAccount(v)
	if err != nil {
		return err
	}
	if account.Password, err = (gatewaySetup{passwordStdin: fromStdin}).password(e); err != nil {
		return err
	}
	u, err := account.Upstream()
	if err != nil {
		return err
	}
	if err := u.Check(ctx); err != nil {
		return explainLogin(err)
	}
	return gateway.SaveAccount(v, account)
}
