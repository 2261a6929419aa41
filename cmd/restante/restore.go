package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/sqlstore"
)

const restoreHelp = `Make a store of a backup, where the configuration has it: an SQLite file or a PostgreSQL database, whichever the backup
was made of. DIR is the folder of the backup, or one of the days in its folder "daily". There must be no store yet; an
interrupted restore goes on where it was.

The relay's keys come out of the backup with --identity or --passphrase-file; files that are there already stay as they
are. Every row and byte is compared, and every UIDVALIDITY is raised, so that clients fetch their mailboxes anew: what
came after the backup is lost, and must not be taken for something else.`

// restoreFlags are those of the command restore.
type restoreFlags struct {
	config     string
	dir        string
	identity   string // file
	passphrase string // file
	options    sqlstore.RestoreOptions
}

func restoreCommand(e env) *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a store of a backup",
		Long:  restoreHelp,
		Args:  exactly(1, "the folder of the backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			f.dir = dir
			return restore(cmd.Context(), e, f)
		},
	}
	cmd.Flags().StringVar(&f.config, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().StringVar(&f.identity, "identity", "", "age key `FILE` that opens the relay's keys")
	cmd.Flags().StringVar(&f.passphrase, "passphrase-file", "", "`FILE` with the passphrase that opens them")
	cmd.Flags().BoolVar(&f.options.Unfinished, "unfinished", false, "take a backup that was interrupted, if there is no other")
	return cmd
}

func restore(ctx context.Context, e env, f restoreFlags) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	o, err := storeOptions(cfg, newLog(e.stderr, config.Log{Level: "warn"}))
	if err != nil {
		return err
	}
	secret, err := restoreKeys(e, cfg, f)
	if err != nil {
		return err
	}
	o.KeyCheck = keyCheckOf(secret)
	f.options.Progress = progressOn(e.stderr)
	p, err := sqlstore.Restore(ctx, f.dir, o, f.options)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "restante: the store is restored and compared: %d rows. `restante serve` can start\n", p.Holds.Rows())
	return nil
}

// restoreKeys puts the keys of the backup where the configuration has them, and
// returns the relay key. If that is in its place already, nothing has to be opened.
func restoreKeys(e env, cfg *config.Config, f restoreFlags) (relaySecret, error) {
	file, err := cfg.RelayKeyPath(e.getenv)
	if err != nil {
		return relaySecret{}, err
	}
	identities, err := ageIdentities(f.identity, f.passphrase)
	if err != nil {
		return relaySecret{}, err
	}
	if _, err := os.Stat(file); err != nil || len(identities) > 0 {
		keys, err := openKeys(f.dir, identities)
		if err != nil {
			return relaySecret{}, err
		}
		if err := placeKeys(cfg, file, keys); err != nil {
			return relaySecret{}, err
		}
	}
	secret, _, err := loadRelaySecret(file, true)
	return secret, err
}

// placeKeys writes the files that are not there yet.
func placeKeys(cfg *config.Config, relayKeyFile string, keys []keyFile) error {
	for _, k := range keys {
		path := filepath.Join(cfg.DataDir, filepath.FromSlash(k.name))
		if k.name == relayKeyEntry {
			path = relayKeyFile
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("keys: %w", err)
		}
		if err := writeNewFile(path, k.content); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keys: %w", err)
		}
	}
	return nil
}

func ageIdentities(file, passphraseFile string) ([]age.Identity, error) {
	switch {
	case file != "" && passphraseFile != "":
		return nil, usageError{errors.New("give --identity or --passphrase-file, not both")}
	case passphraseFile != "":
		p, err := readPassphrase(passphraseFile)
		if err != nil {
			return nil, err
		}
		i, err := age.NewScryptIdentity(p)
		return []age.Identity{i}, err
	case file == "":
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	defer f.Close()
	all, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return all, nil
}
