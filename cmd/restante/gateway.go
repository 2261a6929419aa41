package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
)

// The environment that the gateway's commands look at.
const (
	passphraseFileEnv = "RESTANTE_PASSPHRASE_FILE"
	gatewayDirEnv     = "RESTANTE_GATEWAY_DIR"
)

func gatewayCommand(e env) *cobra.Command {
	h := &gatewayHome{env: e}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Encrypt for a mail client that can't: runs on your own machine",
		Long: "The gateway runs on your machine, between your mail client and your account. It makes and finds keys, encrypts on the\n" +
			"way out and decrypts on the way in. `restante gateway init` sets it up, `restante gateway run` runs it. The other\n" +
			"commands work while it runs, and while it does not.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&h.flag, "dir", "", "keep keys and mail in `DIR` (default: what "+gatewayDirEnv+" says, else a folder of the user's)")
	cmd.AddCommand(gatewayInit(e, h), gatewayRun(e, h), gatewayStatus(e, h), gatewayService(e, h),
		gatewayContacts(e, h), gatewayAccept(e, h), gatewayInvite(e, h), gatewayGroup(e, h), gatewayIdentity(e, h), gatewayKey(e, h),
		gatewayBackup(e, h), gatewayRestore(e, h), gatewayPair(e, h),
		gatewayLost(e, h), gatewayDevice(e, h), gatewayPage(e, h), gatewayLeakcheck(e, h))
	return cmd
}

// gatewayHome is the folder of one gateway, with one account. In it are the vault,
// the local mail store and the socket on which the running gateway takes commands.
type gatewayHome struct {
	env  env
	flag string
}

// dir returns the folder, as an absolute path.
func (h *gatewayHome) dir() (string, error) {
	dir := h.flag
	if dir == "" {
		dir = h.env.getenv(gatewayDirEnv)
	}
	if dir == "" {
		base, err := userDataDir(h.env.getenv)
		if err != nil {
			return "", fmt.Errorf("no folder for the gateway: give one with --dir (%w)", err)
		}
		dir = filepath.Join(base, "restante")
	}
	return filepath.Abs(dir)
}

// openedGateway is a gateway in this process, with what it stands on.
type openedGateway struct {
	*gateway.Gateway
	dir   string
	vault *vault.Vault
	store *sqlstore.Store

	running bool           // it serves a mail client
	listen  gateway.Listen // where it does
	phones  *phoneDoor     // for other devices; nil if they are not let in
	page    string         // its address in a browser; "" while it does not run
	tasks   sync.WaitGroup // what goes on in the background until it closes
}

// open opens the gateway in this process. Errors: vault.ErrNone, vault.ErrLocked if it
// runs in another.
func (h *gatewayHome) open(ctx context.Context) (*openedGateway, error) {
	dir, err := h.dir()
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(vault.Options{Dir: vaultDir(dir), Keyring: vault.OSKeyring(), Passphrase: h.passphrase})
	if err != nil {
		return nil, err
	}
	return h.openOn(ctx, dir, v)
}

// openOn opens the gateway on an open vault, which it takes over.
func (h *gatewayHome) openOn(ctx context.Context, dir string, v *vault.Vault) (*openedGateway, error) {
	o := &openedGateway{dir: dir, vault: v}
	log := newLog(h.env.stderr, config.Log{Level: "info"})
	fail := func(err error) (*openedGateway, error) { return nil, errors.Join(err, o.close()) }
	if err := os.MkdirAll(spoolDir(dir), 0o700); err != nil {
		return fail(fmt.Errorf("gateway: %w", err))
	}
	var err error
	var keyErr error
	o.store, err = sqlstore.Open(ctx, sqlstore.Options{
		Path: filepath.Join(dir, "mail.db"), Log: log,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck {
			key, err := gateway.StoreKey(v, id)
			if err != nil {
				keyErr = err
				return seal.KeyCheck{}
			}
			return key.Check()
		},
	})
	if err := errors.Join(keyErr, err); err != nil {
		return fail(fmt.Errorf("local mail store: %w", err))
	}
	o.Gateway, err = gateway.Open(ctx, gateway.Options{
		Vault: v, Store: o.store, TempDir: spoolDir(dir), Log: log, Web: &http.Client{},
	})
	if err != nil {
		return fail(err)
	}
	return o, nil
}

// close ends what goes on, whose context must have ended, and closes the gateway.
func (o *openedGateway) close() error {
	o.tasks.Wait()
	var errs []error
	if o.Gateway != nil {
		errs = append(errs, o.Gateway.Close())
	}
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	return errors.Join(append(errs, o.vault.Close())...)
}

func vaultDir(dir string) string { return filepath.Join(dir, "vault") }

// spoolDir is for files of a moment, which are sealed under keys in memory.
func spoolDir(dir string) string { return filepath.Join(dir, "spool") }

// passphrase gets what opens the vault where the keyring does not.
func (h *gatewayHome) passphrase() (string, error) {
	if file := h.env.getenv(passphraseFileEnv); file != "" {
		return vault.PassphraseFile(file)()
	}
	text, err := promptSecret(h.env, "Passphrase of the gateway: ")
	if errors.Is(err, errNoTerminal) {
		err = errors.New("there is no terminal to ask for the passphrase at: name a file that holds it in " + passphraseFileEnv)
	}
	return text, err
}

// newPassphrase gets the passphrase of a vault that is made.
func (h *gatewayHome) newPassphrase() (string, error) {
	if h.env.getenv(passphraseFileEnv) != "" {
		return h.passphrase()
	}
	say(h.env, "a passphrase protects keys and mail on this machine. Several words that nobody guesses are good.")
	text, err := h.passphrase()
	if err != nil {
		return "", err
	}
	again, err := promptSecret(h.env, "Once more: ")
	if err == nil && again != text {
		err = errors.New("the two passphrases differ: nothing was made")
	}
	return text, err
}

// openVault opens the vault, and makes it if there is none: under the system's keyring
// where that works, else under a passphrase.
func (h *gatewayHome) openVault(dir string) (*vault.Vault, error) {
	o := vault.Options{Dir: vaultDir(dir), Keyring: vault.OSKeyring(), Passphrase: h.passphrase}
	v, err := vault.Open(o)
	if !errors.Is(err, vault.ErrNone) {
		return v, err
	}
	if h.env.getenv(passphraseFileEnv) == "" {
		v, err := vault.Create(vault.Options{Dir: o.Dir, Keyring: o.Keyring})
		if err == nil || errors.Is(err, vault.ErrLocked) {
			return v, err
		}
		say(h.env, "the system's keyring can't be used (%v)", rootOf(err))
	}
	return vault.Create(vault.Options{Dir: o.Dir, Passphrase: h.newPassphrase})
}

// rootOf returns the innermost error: what went wrong, without what was tried.
func rootOf(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}
