package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/restante/restante/mailbox"
)

func accountDebug(e env, open opener) *cobra.Command {
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "debug ACCOUNT",
		Short: "Have the running relay log the commands of one account for a while",
		Long: "Have the running relay log which commands the mail programs of one account give, and what comes of them; not what\n" +
			"they are about. It ends by itself, and the log says so. --for 0 ends it at once.",
		Args: exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d < 0 || d > mailbox.MaxDebug {
				return usageError{fmt.Errorf("--for takes a time up to %v", mailbox.MaxDebug)}
			}
			a, done, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			if _, ok := a.(remote); !ok {
				return errors.New("the relay does not run, so there is nothing to log: start it first")
			}
			reply, err := a.do(cmd.Context(), adminRequest{Op: opDebug, Ref: args[0], For: d})
			if err == nil {
				fmt.Fprintf(e.stderr, "restante: the commands of account %s are logged for %v\n", reply.Accounts[0].ID, d)
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&d, "for", 30*time.Minute, "how long, up to 24h")
	return cmd
}
