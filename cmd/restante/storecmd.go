package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
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
	cmd.AddCommand(check)
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
