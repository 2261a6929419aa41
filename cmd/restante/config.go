package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/internal/config"
)

// defaultConfigFile is where commands look without --config.
const defaultConfigFile = "/etc/restante/config.toml"

func configCommand(e env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check or show the configuration",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&file, "config", defaultConfigFile, "configuration `FILE`")
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and name every fault in it",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if _, err := config.Load(file); err != nil {
				return err
			}
			fmt.Fprintf(e.stderr, "restante: %s is good\n", file)
			old, err := config.Outdated(file)
			for _, f := range old {
				fmt.Fprintf(e.stderr, "restante: %v\n", f)
			}
			return err
		},
	}
	show := &cobra.Command{
		Use:   "show",
		Short: "Print every setting as the relay would use it",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			c, err := config.Load(file)
			if err != nil {
				return err
			}
			return c.Show(e.stdout)
		},
	}
	cmd.AddCommand(check, show)
	return cmd
}
