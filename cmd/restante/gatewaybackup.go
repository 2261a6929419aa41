package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/provider"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

func gatewayBackup(e env, h *gatewayHome) *cobra.Command {
	var showSheet bool
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write the backup now, or print the recovery sheet again",
		Long: "Write the backup now. It lies in your account, in the mailbox Restante, sealed under the recovery code, and has your\n" +
			"keys, contacts, trust and groups. The running gateway writes it anew when one of these changes.",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showSheet {
				var s sheet
				if err := h.do(cmd.Context(), "sheet", struct{}{}, &s); err != nil {
					return err
				}
				s.print(e.stdout)
				return nil
			}
			if err := h.do(cmd.Context(), "backup", struct{}{}, nil); err != nil {
				return err
			}
			say(e, "the backup in the account is up to date")
			return nil
		},
	}
	cmd.Flags().BoolVar(&showSheet, "sheet", false, "print the recovery sheet")
	return cmd
}

func opBackup(ctx context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	return nil, g.Backup(ctx)
}

func opSheet(_ context.Context, g *openedGateway, _ json.RawMessage) (any, error) { return sheetOf(g) }

func gatewayRestore(e env, h *gatewayHome) *cobra.Command {
	var s gatewaySetup
	var file string
	cmd := &cobra.Command{
		Use:   "restore [ADDRESS]",
		Short: "Set up a new machine with the recovery sheet",
		Long: "Set up a new machine with the recovery sheet: the file that it was saved to, with --sheet, or what is asked for. Keys,\n" +
			"contacts, trust and groups come from the backup in the account; the mail follows when the gateway runs.",
		Args: atMost(1, "one address at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				s.code = args[0]
			}
			return restoreGateway(cmd.Context(), e, h, s, file)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "sheet", "", "read the recovery sheet from `FILE`")
	f.StringVar(&s.imap, "imap", "", "the provider's IMAP server, `HOST:PORT`, if it is another than on the sheet")
	f.StringVar(&s.smtp, "smtp", "", "the provider's server for sending, `HOST:PORT`")
	f.StringVar(&s.caFile, "ca", "", "trust the certificate authority in `FILE`, for a provider that has its own")
	f.StringVar(&s.proxy, "proxy", "", proxyUsage)
	f.StringVar(&s.listen.IMAP, "listen-imap", "", "where your mail client reads mail (default "+gateway.DefaultListen().IMAP+")")
	f.StringVar(&s.listen.SMTP, "listen-smtp", "", "where your mail client sends mail (default "+gateway.DefaultListen().SMTP+")")
	return cmd
}

// restoreGateway makes a gateway of the backup. Everything is asked for and tried before
// anything is kept.
func restoreGateway(ctx context.Context, e env, h *gatewayHome, s gatewaySetup, file string) error {
	sheet, err := readSheet(e, s, file)
	if err != nil {
		return err
	}
	account, err := sheet.account(ctx, e, s)
	if err != nil {
		return err
	}
	return h.fromElsewhere(ctx, s.listen, func(v *vault.Vault) error {
		return gateway.Restore(ctx, v, account, sheet.Code, time.Now())
	})
}

// emptyVault opens a vault that has no account yet, and keeps in it where the gateway
// is to listen.
func (h *gatewayHome) emptyVault(dir string, listen gateway.Listen) (*vault.Vault, error) {
	v, err := h.openVault(dir)
	if err != nil {
		return nil, err
	}
	have, err := gateway.LoadAccount(v)
	if err == nil {
		err = fmt.Errorf("there is a gateway for %s here already: for another account, give another folder with --dir; "+
			"to set this one up anew, stop it and move its folder away first, which is %s", have.Address, dir)
	} else {
		err = setUpListen(v, listen)
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// fromElsewhere makes a gateway here of what fill brings into a vault that has no
// account yet.
func (h *gatewayHome) fromElsewhere(ctx context.Context, listen gateway.Listen, fill func(*vault.Vault) error) error {
	dir, err := h.dir()
	if err != nil {
		return err
	}
	v, err := h.emptyVault(dir, listen)
	if err != nil {
		return err
	}
	err = fill(v)
	if errors.Is(err, gateway.ErrPassword) {
		err = explainLogin(err)
	}
	if err != nil {
		return errors.Join(err, v.Close())
	}
	return h.finish(ctx, dir, v)
}

// readSheet gets the sheet from the file, and what it lacks from the terminal.
func readSheet(e env, s gatewaySetup, file string) (sheet, error) {
	var got sheet
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return got, fmt.Errorf("recovery sheet: %w", err)
		}
		defer f.Close()
		if got, err = parseSheet(f); err != nil {
			return got, err
		}
	}
	got.Address = orElse(s.code, got.Address)
	for _, ask := range []struct {
		field  *string
		prompt string
		get    func(env, string) (string, error)
	}{
		{&got.Address, "Address on the sheet: ", promptLine},
		{&got.Password, "Password of the account on the sheet: ", promptSecret},
		{&got.Code, "Recovery code on the sheet: ", promptSecret},
	} {
		if *ask.field != "" {
			continue
		}
		var err error
		if *ask.field, err = ask.get(e, ask.prompt); err != nil {
			return got, errors.Join(errors.New("the recovery sheet is not whole: save its lines to a file, and name that with --sheet"), err)
		}
	}
	return got, nil
}

// account returns how the account is reached. Servers that flags name count most.
func (s sheet) account(ctx context.Context, e env, flags gatewaySetup) (gateway.Account, error) {
	a, err := addr.Parse(s.Address)
	if err != nil {
		return gateway.Account{}, fmt.Errorf("recovery sheet: %w", err)
	}
	proxy, err := flags.proxyOr(s.Proxy)
	if err != nil {
		return gateway.Account{}, err
	}
	f, ca, err := flags.finder(proxy)
	if err != nil {
		return gateway.Account{}, err
	}
	account := gateway.Account{Address: a.String(), User: s.User, Password: s.Password, CA: ca, Proxy: proxy}
	if s.IMAP != "" && s.SMTP != "" {
		imap, imapErr := provider.ParseServer(s.IMAP, 993)
		smtp, smtpErr := provider.ParseServer(s.SMTP, 465)
		if err := errors.Join(imapErr, smtpErr); err != nil {
			return account, fmt.Errorf("recovery sheet: %w", err)
		}
		account = withServers(account, provider.Servers{IMAP: imap, SMTP: smtp, User: s.User})
	}
	return flags.servers(ctx, e, f, account)
}
