package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/mailbox"
)

func aliasCommand(e env, open opener, show func() bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias",
		Short: "Add, list and remove the addresses of an account",
		Long: "An account can have several addresses. From outside, and in the store without the relay key, nothing tells that\n" +
			"they belong together.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(aliasAdd(e, open, show), aliasList(e, open, show), aliasRemove(e, open))
	return cmd
}

func aliasAdd(e env, open opener, show func() bool) *cobra.Command {
	return &cobra.Command{
		Use:   "add ACCOUNT [NAME]",
		Short: "Give an account one more address: of that name, or of a generated one",
		Args:  between(1, 2, "an account, and a name or none"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := adminRequest{Op: opAliasAdd, Ref: args[0]}
			if len(args) > 1 {
				r.Alias = args[1]
			}
			reply, err := open.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			if show() {
				fmt.Fprintln(e.stdout, reply.Text)
			} else {
				fmt.Fprintln(e.stderr, "restante: the account has one address more: `restante account alias list --addresses` shows it")
			}
			return nil
		},
	}
}

func aliasList(e env, open opener, show func() bool) *cobra.Command {
	return &cobra.Command{
		Use:   "list ACCOUNT",
		Short: "List the addresses of an account, the oldest first",
		Args:  exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := open.do(cmd.Context(), adminRequest{Op: opShow, Ref: args[0]})
			if err != nil {
				return err
			}
			if v := reply.Accounts[0]; !show() {
				fmt.Fprintln(e.stdout, shownAddresses(v, false))
			} else {
				fmt.Fprintln(e.stdout, strings.Join(v.Addresses, "\n"))
			}
			return nil
		},
	}
}

func aliasRemove(e env, open opener) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove ACCOUNT ADDRESS",
		Short: "Take an address from an account for good: nobody gets it again",
		Args:  exactly(2, "an account and one of its addresses"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := confirm(e, "Mail to this address is refused from then on, and nobody can have it again. Type yes to go on: "); err != nil {
					return err
				}
			}
			_, err := open.do(cmd.Context(), adminRequest{Op: opAliasRemove, Ref: args[0], Alias: args[1]})
			if err == nil {
				fmt.Fprintln(e.stderr, "restante: the address is given up")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// between is cobra.RangeArgs with an exit code of 2.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("this command takes %s", what)}
		}
		return nil
	}
}

// alias adds or removes an address of an account.
func (d direct) alias(ctx context.Context, r adminRequest, info mailbox.AccountInfo) (adminReply, error) {
	a, err := d.newAddress(r.Alias)
	if err != nil {
		return adminReply{}, err
	}
	if r.Op == opAliasAdd {
		err = d.service.AddAlias(ctx, info.ID, a)
		return adminReply{Text: a.String()}, explainAlias(err)
	}
	if !slices.ContainsFunc(info.Addresses, a.Equal) {
		return adminReply{}, errors.New("that is no address of this account: `restante account alias list` shows those it has")
	}
	return adminReply{}, explainAlias(d.service.RetireAlias(ctx, info.ID, a))
}

// explainAlias says what to do about an outcome that means something else here than
// for accounts.
func explainAlias(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrExists):
		return errors.New("the address is taken, or was given up once: choose another name, or give none for a random one")
	case errors.Is(err, mailbox.ErrLimit):
		return errors.New("an account has one address at least and 32 at most, and 500 in its life")
	}
	return err
}
