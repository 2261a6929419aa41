package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func accountRotate(e env, open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate ACCOUNT",
		Short: "Replace an account's keys at its owner's next login",
		Long: "Replace an account's keys at its owner's next login, for when the old ones may be known: to who saw the memory of\n" +
			"the relay, or had a password and a copy of the store. Nobody but the owner can open the old keys, so it is done as\n" +
			"soon as one of the account's passwords is used. Sessions end now; mail programs log in again by themselves. No mail\n" +
			"is lost, and passwords and codes stay as they are: change those that may be known as well.",
		Args: exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := open.do(cmd.Context(), adminRequest{Op: opRotate, Ref: args[0]})
			if err == nil {
				fmt.Fprintf(e.stderr, "restante: account %s gets new keys at its next login\n", reply.Accounts[0].ID)
			}
			return err
		},
	}
}

// keysOf says which keys an account has.
func keysOf(v accountView) string {
	text := fmt.Sprintf("generation %d", v.Keys)
	if v.NewKeys {
		text += ", new ones at the next login"
	}
	return text
}
