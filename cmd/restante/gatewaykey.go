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
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/pgp"
)

func gatewayKey(e env, h *gatewayHome) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show, export and import your own key",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(gatewayKeyShow(e, h), gatewayKeyExport(e, h), gatewayKeyImport(e, h))
	return cmd
}

// keyView is the user's own keys.
type keyView struct {
	Address     string
	Fingerprint string
	Created     time.Time
	PostQuantum bool
	Old         []string
}

func viewOfKeys(i *gateway.Identity) keyView {
	cert := i.Current.Cert()
	v := keyView{Address: i.Address.String(), Fingerprint: string(cert.Fingerprint()), Created: cert.Created(), PostQuantum: cert.PostQuantum(time.Now())}
	for _, k := range i.Old {
		v.Old = append(v.Old, string(k.Fingerprint()))
	}
	return v
}

func gatewayKeyShow(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show your key's fingerprint, as digits and as words",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v keyView
			if err := h.do(cmd.Context(), "key", struct{}{}, &v); err != nil {
				return err
			}
			printKey(e, v)
			return nil
		},
	}
}

func printKey(e env, v keyView) {
	against := "today's computers"
	if v.PostQuantum {
		against = "today's computers and quantum computers"
	}
	rows := [][2]string{
		{"Address", v.Address}, {"Fingerprint", fingerprintText(v.Fingerprint)}, {"In words", gateway.Words(pgp.Fingerprint(v.Fingerprint))},
		{"Made", v.Created.UTC().Format(time.DateOnly)}, {"Holds against", against},
	}
	for _, old := range v.Old {
		rows = append(rows, [2]string{"For old mail", fingerprintText(old)})
	}
	printTable(e.stdout, rows)
}

func opKey(_ context.Context, g *openedGateway, _ json.RawMessage) (any, error) {
	return viewOfKeys(g.Identity()), nil
}

// keyExport asks for a key in ASCII armor.
type keyExport struct {
	Secret     bool
	Passphrase string `json:",omitempty"` // to lock the secret key with
}

func gatewayKeyExport(e env, h *gatewayHome) *cobra.Command {
	var r keyExport
	var out string
	var open bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write your public key, to give away; or with --secret the secret one, for another program",
		Long: "Write your public key in ASCII armor, to give away. With --secret it is the secret key, which Thunderbird (OpenPGP Key\n" +
			"Manager, Import Secret Key), gpg --import, OpenKeychain and Delta Chat (Import Keys) take, so that one mail is readable\n" +
			"in all of them. It is locked with a passphrase, which is asked for or read from the file in " + keyPassphraseFileEnv + ".",
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Secret && !open {
				var err error
				if r.Passphrase, err = newKeyPassphrase(e); err != nil {
					return err
				}
			}
			var armored string
			if err := h.do(cmd.Context(), "key-export", r, &armored); err != nil {
				return err
			}
			return writeKey(e, out, armored)
		},
	}
	cmd.Flags().BoolVar(&r.Secret, "secret", false, "the secret key: whoever has it reads your mail and writes in your name")
	cmd.Flags().BoolVar(&open, "without-passphrase", false, "leave the secret key unlocked, for programs that take no other (Delta Chat)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write it to `FILE`, which only you can read, and not to the terminal")
	return cmd
}

func newKeyPassphrase(e env) (string, error) {
	if file := e.getenv(keyPassphraseFileEnv); file != "" {
		return vault.PassphraseFile(file)()
	}
	text, err := promptSecret(e, "New passphrase for the exported key: ")
	switch {
	case errors.Is(err, errNoTerminal):
		return "", errors.New("there is no terminal to ask for a passphrase at: name a file that holds one in " + keyPassphraseFileEnv + ", or use --without-passphrase")
	case err == nil && text == "":
		return "", errors.New("the passphrase is empty: if you want none, use --without-passphrase")
	}
	return text, err
}

// writeKey writes to a new file or to standard output.
func writeKey(e env, out, armored string) error {
	if out == "" {
		_, err := fmt.Fprint(e.stdout, armored)
		return err
	}
	return writePrivate(out, armored)
}

// writePrivate writes a new file that only the user can read.
func writePrivate(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func opKeyExport(_ context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r keyExport
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	key := g.Identity().Current
	if !r.Secret {
		return string(key.Cert().Armor()), nil
	}
	b, err := key.Armor([]byte(r.Passphrase))
	return string(b), err
}

// keyImport brings a secret key, unlocked, as the vault will keep it.
type keyImport struct {
	Secret []byte
}

func gatewayKeyImport(e env, h *gatewayHome) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Use your key of another program from now on",
		Long: "Use the secret key in FILE from now on: one that Thunderbird (OpenPGP Key Manager, Backup Secret Key), gpg\n" +
			"(--export-secret-keys), OpenKeychain (Backup key, without encryption) or Delta Chat (Export Keys, or a whole\n" +
			"backup without a passphrase, the file that ends in .tar) has written. The key that was in use stays, to read old\n" +
			"mail. Your contacts see the new one as a changed key.",
		Args: exactly(1, "one key file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := readSecretKey(cmd.Context(), e, args[0])
			if err != nil {
				return err
			}
			secret, err := key.Bytes(nil)
			if err != nil {
				return err
			}
			var v keyView
			if err := h.do(cmd.Context(), "key-import", keyImport{secret}, &v); err != nil {
				return err
			}
			printKey(e, v)
			return nil
		},
	}
}

func opKeyImport(_ context.Context, g *openedGateway, request json.RawMessage) (any, error) {
	var r keyImport
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	key, err := pgp.ParseKey(r.Secret, nil)
	if err != nil {
		return nil, err
	}
	if err := gateway.AddKey(g.vault, g.Identity().Address, key, time.Now()); err != nil {
		return nil, err
	}
	if err := g.ReloadKeys(); err != nil {
		return nil, err
	}
	return viewOfKeys(g.Identity()), nil
}
