package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/sqlstore"
)

const backupHelp = `Copy all that the relay keeps to a folder, while it runs or not. The first backup takes everything, later ones what
has changed, so that one an hour is cheap. The copy is of one moment, and is renewed in place; copies of former days stay
as well (--keep). Everything in it is sealed as in the store.

Keys are not in the store: the relay key, the relay's own certificate authority, DKIM keys. They go into the backup
encrypted, with --recipient (an age key, of which the relay needs the public half only) or --passphrase-file. The same
word is needed again only when a key has changed.

--without-keys leaves them out. Then keep them yourself: without the relay key a backup can't be restored.`

// backupFlags are those of the command backup.
type backupFlags struct {
	config      string
	recipients  []string
	passphrase  string // file
	withoutKeys bool
	request     storeRequest
}

func backupCommand(e env) *cobra.Command {
	f := backupFlags{request: storeRequest{Op: storeBackup}}
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy all that is kept, while the relay runs",
		Long:  backupHelp,
		Args:  exactly(1, "the folder of the backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			f.request.Dir = dir
			return backup(cmd.Context(), e, f)
		},
	}
	cmd.Flags().StringVar(&f.config, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().StringArrayVar(&f.recipients, "recipient", nil, "age `KEY` (age1…) to which the relay's keys are encrypted; can be given several times")
	cmd.Flags().StringVar(&f.passphrase, "passphrase-file", "", "`FILE` with a passphrase to which they are encrypted")
	cmd.Flags().BoolVar(&f.withoutKeys, "without-keys", false, "leave the relay's keys out")
	cmd.Flags().IntVar(&f.request.Keep, "keep", 7, "how many `DAYS` have a copy of their own")
	cmd.Flags().BoolVar(&f.request.Full, "full", false, "compare every row and byte, as should be done now and then")
	return cmd
}

func backup(ctx context.Context, e env, f backupFlags) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	work, secret, done, err := openStoreWork(ctx, cfg, e)
	if err != nil {
		return err
	}
	defer done()
	if err := backupKeys(cfg, secret, f); err != nil {
		return err
	}
	reply, err := work.do(ctx, f.request, progressOn(e.stderr))
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "restante: the backup in %s is whole: %d rows, of which %d were new or had changed\n",
		f.request.Dir, reply.Progress.Holds.Rows(), reply.Progress.Rows)
	if f.withoutKeys {
		fmt.Fprintln(e.stderr, "restante: the relay key is not in it. Whoever restores it needs relay.key as well: without it no address can be found,\n"+
			"and all mail is lost. The folders of data_dir (certificate authority, DKIM keys) are not in it either.")
	}
	return nil
}

// backupKeys puts the keys into the backup before the store, so that no backup is
// made that turns out to be of no use.
func backupKeys(cfg *config.Config, secret relaySecret, f backupFlags) error {
	if f.withoutKeys {
		return nil
	}
	recipients, err := ageRecipients(f.recipients, f.passphrase)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.request.Dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return saveKeys(f.request.Dir, cfg, secret, recipients)
}

func ageRecipients(keys []string, passphraseFile string) ([]age.Recipient, error) {
	if len(keys) > 0 && passphraseFile != "" {
		return nil, usageError{errors.New("give --recipient or --passphrase-file, not both: age has one or the other")}
	}
	var all []age.Recipient
	for _, k := range keys {
		r, err := age.ParseRecipients(strings.NewReader(k))
		if err != nil {
			return nil, usageError{fmt.Errorf("--recipient: this is no age key (age1…, of `age-keygen`): %w", err)}
		}
		all = append(all, r...)
	}
	if passphraseFile == "" {
		return all, nil
	}
	p, err := readPassphrase(passphraseFile)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(p)
	return []age.Recipient{r}, err
}

// readPassphrase reads the first line of a file.
func readPassphrase(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("passphrase: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("passphrase: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("passphrase: the first line of %s is empty", file)
	}
	return line, nil
}

// openStoreWork opens the store for work that does not mind a running relay: on the
// store itself or, if the relay runs, through its admin socket.
func openStoreWork(ctx context.Context, cfg *config.Config, e env) (storeWork, relaySecret, func(), error) {
	log := newLog(e.stderr, config.Log{Level: "error"})
	var d domain
	secret, err := d.openStore(ctx, cfg, log, e.getenv)
	if errors.Is(err, sqlstore.ErrLocked) {
		return remoteStore{remote{cfg.AdminSocket}}, secret, func() {}, nil
	}
	if err != nil {
		return nil, secret, nil, err
	}
	return onStore{d.store}, secret, func() { closeStore(e, d.store) }, nil
}

func closeStore(e env, s *sqlstore.Store) {
	if err := s.Close(); err != nil {
		fmt.Fprintf(e.stderr, "restante: close the store: %v\n", err)
	}
}

// progressEvery is how often somebody at a terminal is told how far it is.
const progressEvery = 2 * time.Second

// progressOn tells of progress now and then.
func progressOn(w io.Writer) func(sqlstore.Progress) {
	last := time.Now()
	return func(p sqlstore.Progress) {
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		fmt.Fprintf(w, "restante: %d of %d accounts, %d rows and %s of large bodies\n", p.Accounts, p.Of, p.Rows, sizeString(p.Bytes))
	}
}
