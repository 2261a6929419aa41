package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/sqlstore"
)

const migrateHelp = `Move the store of the configuration to another place or engine: "sqlite:/path/mail.db" or "postgres://user@host/database",
as the setting store has it. The relay must be stopped, and all its nodes. Every row and byte is compared; nobody's client
notices anything. If it is interrupted, the same command goes on where it was, and until it is done the old store can be
served.

The old store stays, but can't be served any more: otherwise two stores would give the same UIDs to different messages.
To go back, migrate from the new store to the old one.`

func migrateCommand(e env) *cobra.Command {
	var configFile, passwordFile string
	cmd := &cobra.Command{
		Use:   "migrate STORE",
		Short: "Move the store to SQLite or PostgreSQL",
		Long:  migrateHelp,
		Args:  exactly(1, "the store to move to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return moveStore(cmd.Context(), e, configFile, args[0], passwordFile)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`FILE` with the password for a PostgreSQL store to move to")
	return cmd
}

func moveStore(ctx context.Context, e env, configFile, target, passwordFile string) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	next := *cfg
	next.Store, next.StorePasswordFile = target, passwordFile
	log := newLog(e.stderr, config.Log{Level: "warn"})
	to, err := storeOptions(&next, log)
	if err != nil {
		return usageError{fmt.Errorf("%q: %w", target, err)}
	}
	if next.Store == cfg.Store {
		return usageError{errors.New("the store is there already")}
	}
	d, err := openToMove(ctx, cfg, e)
	if err != nil {
		return err
	}
	defer closeStore(e, d.store)
	p, err := sqlstore.Move(ctx, d.store, to, progressOn(e.stderr))
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "restante: the store is moved and compared: %d rows, %s of large bodies. Now set in %s:\n", p.Holds.Rows(), sizeString(p.Holds.Bytes), configFile)
	fmt.Fprintf(e.stdout, "store = %q\n", target)
	fmt.Fprintf(e.stderr, "restante: the way back, after that: restante migrate %q\n", cfg.Store)
	return nil
}

// openToMove opens the store for nobody else.
func openToMove(ctx context.Context, cfg *config.Config, e env) (d domain, err error) {
	_, err = d.openStore(ctx, cfg, newLog(e.stderr, config.Log{Level: "warn"}), e.getenv, sqlstore.Served, sqlstore.Moved)
	return d, err
}
