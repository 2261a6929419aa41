package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/deltachat"
	"github.com/restante/restante/gateway/provider"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// gatewaySetup is what `gateway init` was told.
type gatewaySetup struct {
	code          string
	passwordStdin bool
	imap, smtp    string // servers, if they are not to be found
	user, name    string
	caFile        string
	keyFile       string
	newKey        bool
	listen        gateway.Listen
	noWKD         bool
	proxy         string
}

func gatewayInit(e env, h *gatewayHome) *cobra.Command {
	var s gatewaySetup
	cmd := &cobra.Command{
		Use:   "init [CODE]",
		Short: "Set the gateway up: account, key, and the settings for your mail client",
		Long: "Set the gateway up. CODE is the address of an account, whose password is asked for; or the link or code that a relay's\n" +
			"page shows (https://…, dcaccount:…, dclogin:…); without it you are asked. The command can be repeated: it goes on\n" +
			"where it was interrupted, and changes nothing that is there but what its flags say.",
		Args: atMost(1, "one code at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				s.code = args[0]
			}
			return initGateway(cmd.Context(), e, h, s)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&s.passwordStdin, "password-stdin", false, "read the account's password from standard input")
	f.StringVar(&s.imap, "imap", "", "the provider's IMAP server, `HOST:PORT` (default: found by autoconfig)")
	f.StringVar(&s.smtp, "smtp", "", "the provider's server for sending, `HOST:PORT`")
	f.StringVar(&s.user, "user", "", "`NAME` to log in with, if that is not the address")
	f.StringVar(&s.name, "name", "", "your `NAME`, for mail that you send")
	f.StringVar(&s.caFile, "ca", "", "trust the certificate authority in `FILE`, for a provider that has its own")
	f.StringVar(&s.keyFile, "key", "", "import the OpenPGP secret key in `FILE` instead of making one")
	f.BoolVar(&s.newKey, "new-key", false, "make a key although another gateway has left its backup in the account")
	f.StringVar(&s.listen.IMAP, "listen-imap", "", "where your mail client reads mail (default "+gateway.DefaultListen().IMAP+")")
	f.StringVar(&s.listen.SMTP, "listen-smtp", "", "where your mail client sends mail (default "+gateway.DefaultListen().SMTP+")")
	f.StringVar(&s.proxy, "proxy", "", proxyUsage)
	f.BoolVar(&s.noWKD, "no-wkd", false, "don't ask people's domains for their keys when you write to them for the first time")
	return cmd
}

// initGateway sets up what is missing, each part durably before the next begins.
func initGateway(ctx context.Context, e env, h *gatewayHome, s gatewaySetup) error {
	dir, err := h.dir()
	if err != nil {
		return err
	}
	if s.code != "" { // what makes no sense leaves no folder behind
		if _, err := provider.Parse(s.code); err != nil {
			return err
		}
	}
	if _, err := s.proxyOr(""); err != nil {
		return err
	}
	v, err := h.openVault(dir)
	if errors.Is(err, vault.ErrLocked) {
		return errors.New("the gateway runs: stop it before you set it up anew")
	}
	if err != nil {
		return err
	}
	if err := setUp(ctx, e, v, s); err != nil {
		return errors.Join(err, v.Close())
	}
	return h.finish(ctx, dir, v)
}

// finish opens the gateway that was set up, writes its backup and says what to do next.
func (h *gatewayHome) finish(ctx context.Context, dir string, v *vault.Vault) error {
	o, err := h.openOn(ctx, dir, v)
	if err != nil {
		return err
	}
	if err := o.Backup(ctx); err != nil {
		say(h.env, "the backup is not written yet, the gateway will try again when it runs: %v", err)
	}
	return errors.Join(welcome(h.env, o), o.close())
}

func setUp(ctx context.Context, e env, v *vault.Vault, s gatewaySetup) error {
	if err := setUpListen(v, s.listen); err != nil {
		return err
	}
	if s.noWKD {
		if err := gateway.SaveDiscovery(v, gateway.Discovery{NoWKD: true}); err != nil {
			return err
		}
	}
	account, err := setUpAccount(ctx, e, v, s)
	if err != nil {
		return err
	}
	return setUpKey(ctx, e, v, account, s)
}

// setUpListen keeps where the gateway listens, if a flag says so.
func setUpListen(v *vault.Vault, flags gateway.Listen) error {
	l, err := gateway.LoadListen(v)
	if err != nil {
		return err
	}
	for _, f := range []struct{ flag, setting *string }{{&flags.IMAP, &l.IMAP}, {&flags.SMTP, &l.SMTP}} {
		if *f.flag == "" {
			continue
		}
		ln, err := listenLoopback(*f.flag) // what can't be listened on is not kept
		if err != nil {
			return err
		}
		if err := ln.Close(); err != nil {
			return err
		}
		*f.setting = *f.flag
	}
	return gateway.SaveListen(v, l)
}

// setUpKey imports or makes the key of the account, unless there is one.
func setUpKey(ctx context.Context, e env, v *vault.Vault, account gateway.Account, s gatewaySetup) error {
	a, err := addr.Parse(account.Address)
	if err != nil {
		return err
	}
	_, err = gateway.LoadIdentity(v, a)
	if err == nil && s.keyFile != "" {
		return errors.New("--key: there is a key already; `restante gateway key import` replaces it")
	}
	if !errors.Is(err, gateway.ErrNoIdentity) {
		return err
	}
	if err := refuseSecondKey(ctx, account, s); err != nil {
		return err
	}
	var key *pgp.Key
	if s.keyFile != "" {
		if key, err = readSecretKey(ctx, e, s.keyFile); err != nil {
			return err
		}
	} else if key, err = pgp.Generate(a, pgp.KeyOptions{}); err != nil {
		return err
	}
	return gateway.AddKey(v, a, key, time.Now())
}

// refuseSecondKey looks whether another gateway has a key for the account already. Two
// keys of one person would hold up the mail of all who write to them.
func refuseSecondKey(ctx context.Context, account gateway.Account, s gatewaySetup) error {
	if s.newKey {
		return nil
	}
	u, err := account.Upstream()
	if err != nil {
		return err
	}
	has, err := u.HasBackup(ctx)
	if err != nil {
		return fmt.Errorf("look for a backup: %w", err)
	}
	if has {
		return errors.New("another gateway keeps its backup in this account: `restante gateway restore` brings its keys here, or\n" +
			"`restante gateway pair` if it still runs. If both are lost, --new-key begins anew; old mail stays closed then")
	}
	return nil
}

// readSecretKey reads a secret key from a file, or from a backup of Delta Chat's, and
// asks for its passphrase if it is locked.
func readSecretKey(ctx context.Context, e env, file string) (*pgp.Key, error) {
	b, err := readKeyOrBackup(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	key, err := pgp.ParseKey(b, nil)
	if errors.Is(err, pgp.ErrPassphrase) {
		var text string
		if text, err = keyPassphrase(e); err != nil {
			return nil, err
		}
		key, err = pgp.ParseKey(b, []byte(text))
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return key, nil
}

func readKeyOrBackup(ctx context.Context, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if head, _ := r.Peek(512); deltachat.IsBackup(head) { // a file may be shorter
		return deltachat.SecretKey(ctx, r)
	}
	return readAtMost(r, pgp.MaxKey*2)
}

// keyPassphraseFileEnv names a file with the passphrase of a key that is imported or
// exported.
const keyPassphraseFileEnv = "RESTANTE_KEY_PASSPHRASE_FILE"

func keyPassphrase(e env) (string, error) {
	if file := e.getenv(keyPassphraseFileEnv); file != "" {
		return vault.PassphraseFile(file)()
	}
	text, err := promptSecret(e, "Passphrase of the key: ")
	if errors.Is(err, errNoTerminal) {
		err = errors.New("the key has a passphrase, and there is no terminal to ask for it at: name a file that holds it in " + keyPassphraseFileEnv)
	}
	return text, err
}

// readSmall reads a file of at most limit bytes.
func readSmall(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, limit)
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %d kB", limit>>10)
	}
	return b, err
}

// welcome prints what the user needs next: what to type into the mail client.
func welcome(e env, o *openedGateway) error {
	at, err := gateway.LoadListen(o.vault)
	if err != nil {
		return err
	}
	w := e.stdout
	printTable(w, [][2]string{
		{"Address", o.Local().User},
		{"Key", fingerprintText(string(o.Identity().Current.Fingerprint()))},
	})
	fmt.Fprintln(w, "\nSettings for your mail client")
	rows := clientSettings(o, at)
	for i := range rows {
		rows[i][0] = "  " + rows[i][0]
	}
	printTable(w, rows)
	s, err := sheetOf(o)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	s.print(w)
	fmt.Fprintln(e.stderr)
	say(e, "`restante gateway run` starts the gateway, `restante gateway service` starts it at each login.")
	return nil
}

// clientSettings is what to type into the mail client of this machine.
func clientSettings(o *openedGateway, at gateway.Listen) [][2]string {
	imapHost, imapPort := splitPort(at.IMAP)
	smtpHost, smtpPort := splitPort(at.SMTP)
	return [][2]string{
		{"IMAP server", imapHost}, {"IMAP port", imapPort}, {"IMAP security", "none (the connection does not leave this machine)"},
		{"SMTP server", smtpHost}, {"SMTP port", smtpPort}, {"SMTP security", "none"},
		{"User name", o.Local().User}, {"Password", o.Local().Password}, {"Login", "normal password"},
	}
}
