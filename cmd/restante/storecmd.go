package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mailbox/sqlstore"
)

func storeCommand(e env) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look over what is kept, and mend it",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	check := &cobra.Command{
		Use:   "check",
		Short: "Look over rows, files and counters, while the relay runs or not",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkStore(cmd.Context(), e, configFile)
		},
	}
	cmd.AddCommand(check, repairCommand(e, &configFile))
	return cmd
}

func checkStore(ctx context.Context, e env, configFile string) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	work, _, done, err := openStoreWork(ctx, cfg, e)
	if err != nil {
		return err
	}
	defer done()
	reply, err := work.do(ctx, storeRequest{Op: storeCheck}, progressOn(e.stderr))
	if err != nil {
		return err
	}
	if reply.Found == "" {
		fmt.Fprintln(e.stderr, "restante: the store is sound")
		return nil
	}
	fmt.Fprintln(e.stdout, reply.Found)
	return errors.New("the store is damaged: stop the relay and use `restante store repair`, or restore a backup")
}

const repairHelp = `Mend what ` + "`restante store check`" + ` finds: counters, numbers, leftovers, indexes. The relay must be stopped, and all its nodes.
An SQLite file is copied first, beside the store (".damaged").

No message is given up without --drop, which deletes those of which a part is missing, so that nobody can open them any
more. Look first whether the part comes back: with a disk that is not mounted, or from a backup.`

func repairCommand(e env, configFile *string) *cobra.Command {
	var o sqlstore.RepairOptions
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Mend what check finds, while the relay is stopped",
		Long:  repairHelp,
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return repairStore(cmd.Context(), e, *configFile, o)
		},
	}
	cmd.Flags().BoolVar(&o.Drop, "drop", false, "delete messages of which a part is missing")
	return cmd
}

func repairStore(ctx context.Context, e env, configFile string, o sqlstore.RepairOptions) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	var d domain
	if _, err := d.openStore(ctx, cfg, newLog(e.stderr, config.Log{Level: "warn"}), e.getenv, sqlstore.Served); err != nil {
		return err
	}
	defer closeStore(e, d.store)
	done, err := d.store.Repair(ctx, o)
	for _, r := range done {
		fmt.Fprintf(e.stdout, "%d: %s\n", r.Rows, r.What)
	}
	if err != nil {
		return fmt.Errorf("%w\nwhat is left can't be mended: messages can be given up with --drop, else restore a backup", err)
	}
	fmt.Fprintln(e.stderr, "restante: the store is sound")
	return nil
}
