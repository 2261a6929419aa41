package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/restante/restante/mailbox"
)

func accountCommand(e env) *cobra.Command {
	var configFile string
	var addresses bool
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Make, show and change accounts",
		Long: "Make, show and change accounts. The commands work while the relay runs, and while it does not. Addresses are shown on\n" +
			"a terminal, or with --addresses; else short ids stand for accounts.",
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.PersistentFlags().BoolVar(&addresses, "addresses", false, addressesFlagHelp)
	open := func(ctx context.Context) (accounts, func(), error) { return openAccounts(ctx, configFile, e) }
	show := func() bool { return addresses || isTerminal(e.stdout) }
	cmd.AddCommand(accountNew(e, open, show), accountList(e, open, show), accountShow(e, open, show), accountPasswd(e, open),
		aliasCommand(e, open, show), accountDebug(e, open),
		accountState(e, open, "disable", opDisable, "Refuse logins and mail for an account; nothing is deleted"),
		accountState(e, open, "enable", opEnable, "Undo disable"),
		accountRotate(e, open), accountRemove(e, open))
	return cmd
}

// opener gives access to the accounts, and a function that ends it.
type opener func(context.Context) (accounts, func(), error)

// do opens the accounts for one request.
func (open opener) do(ctx context.Context, r adminRequest) (adminReply, error) {
	a, done, err := open(ctx)
	if err != nil {
		return adminReply{}, err
	}
	defer done()
	return a.do(ctx, r)
}

const stdinFlagHelp = "read the password from standard input instead of generating one"

func accountNew(e env, open opener, show func() bool) *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "new [NAME]",
		Short: "Make an account, under a random name when none is given",
		Args:  atMost(1, "one name at most"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := adminRequest{Op: opNew, Ref: strings.Join(args, "")}
			if fromStdin {
				lines, err := readSecrets(e.stdin, 1)
				if err != nil {
					return err
				}
				r.Password = lines[0]
			}
			reply, err := open.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			printNewAccount(e, reply, show())
			return nil
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, stdinFlagHelp)
	return cmd
}

func printNewAccount(e env, reply adminReply, addresses bool) {
	v := reply.Accounts[0]
	printTable(e.stdout, [][2]string{
		{"Account", v.ID},
		{"Address", shownAddresses(v, addresses)},
		{"Password", reply.Secret},
		{"Recovery code", reply.Recovery},
	})
	fmt.Fprintln(e.stderr, wrapLines("restante: the password and the recovery code can't be shown again. The recovery code sets a new "+
		"password when the old one is lost; keep it apart. Whoever has neither can't read the mail, nor can we.", terminalWidth(e.stderr)))
}

// shownAddresses gives the addresses of an account to people, and hides them from
// files and programs that did not ask for them.
func shownAddresses(v accountView, addresses bool) string {
	if addresses {
		return strings.Join(v.Addresses, ", ")
	}
	return fmt.Sprintf("(%d, shown on a terminal or with --addresses)", len(v.Addresses))
}

func accountList(e env, open opener, show func() bool) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			reply, err := open.do(cmd.Context(), adminRequest{Op: opList})
			if err != nil {
				return err
			}
			printAccounts(e, reply.Accounts, show())
			return nil
		},
	}
}

func printAccounts(e env, views []accountView, addresses bool) {
	rows := [][]string{{"ACCOUNT", "STATE", "CREATED", "MESSAGES", "SIZE"}}
	if addresses {
		rows[0] = append(rows[0], "ADDRESSES")
	}
	for _, v := range views {
		row := []string{v.ID, v.State, v.Created, fmt.Sprint(v.Used.Messages), sizeString(v.Used.Bytes)}
		if addresses {
			row = append(row, strings.Join(v.Addresses, ", "))
		}
		rows = append(rows, row)
	}
	printColumns(e.stdout, rows)
	if len(views) == 0 {
		fmt.Fprintln(e.stderr, "restante: there are no accounts yet; `restante account new` makes one")
	}
}

func accountShow(e env, open opener, show func() bool) *cobra.Command {
	return &cobra.Command{
		Use:   "show ACCOUNT",
		Short: "Show one account, given by address, name or short id",
		Args:  exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := open.do(cmd.Context(), adminRequest{Op: opShow, Ref: args[0]})
			if err != nil {
				return err
			}
			v := reply.Accounts[0]
			printTable(e.stdout, [][2]string{
				{"Account", v.ID},
				{"Addresses", shownAddresses(v, show())},
				{"State", v.State},
				{"Created", v.Created},
				{"Messages", ofQuota(fmt.Sprint(v.Used.Messages), v.Quota.Messages, fmt.Sprint(v.Quota.Messages))},
				{"Size", ofQuota(sizeString(v.Used.Bytes), v.Quota.Bytes, sizeString(v.Quota.Bytes))},
				{"Keys", keysOf(v)},
				{"Terms", v.Terms},
				{"Mail goes", mailGoes(v.Outlook)},
				{"Account goes", accountGoes(v.Outlook)},
			})
			return nil
		},
	}
}

// mailGoes says which mail of an account goes next, and when.
func mailGoes(o mailbox.Outlook) string {
	switch {
	case o.Crowded:
		return "within the hour, the oldest first: the account is too full"
	case o.Mail == 0:
		return "none by its age"
	}
	return fmt.Sprintf("%s, %d messages", dayString(o.Mail), o.Messages)
}

func accountGoes(o mailbox.Outlook) string {
	if o.Account == 0 {
		return "never by itself"
	}
	return dayString(o.Account) + ", unless somebody logs in before"
}

func accountPasswd(e env, open opener) *cobra.Command {
	var fromStdin, reset, newKeys, yes bool
	cmd := &cobra.Command{
		Use:   "passwd ACCOUNT",
		Short: "Set a new password, given the old one or the recovery code",
		Long: "Set a new password. The old password or the recovery code is asked for: without one of them the keys can't be\n" +
			"opened. If both are lost, --reset gives the account new keys; all mail in it becomes unreadable and is deleted.",
		Args: exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := adminRequest{Op: opPasswd, Ref: args[0], NewKeys: newKeys}
			if reset {
				r.Op = opReset
			}
			if err := askPasswords(e, &r, fromStdin, yes); err != nil {
				return err
			}
			reply, err := open.do(cmd.Context(), r)
			if err != nil {
				return err
			}
			printNewPassword(e, r, reply)
			return nil
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the old password (not with --reset) and then the new one from standard input, one a line; an empty new one is generated")
	cmd.Flags().BoolVar(&reset, "reset", false, "make new keys: the account's mail is lost")
	cmd.Flags().BoolVar(&newKeys, "new-keys", false, "replace the account's keys as well, because others may know the old password; no mail is lost")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask before --reset")
	cmd.MarkFlagsMutuallyExclusive("reset", "new-keys")
	return cmd
}

// askPasswords fills in what r needs from standard input or the terminal.
func askPasswords(e env, r *adminRequest, fromStdin, yes bool) error {
	switch {
	case fromStdin && r.Op == opReset:
		lines, err := readSecrets(e.stdin, 1)
		r.Password = lines[0]
		return err
	case fromStdin:
		lines, err := readSecrets(e.stdin, 2)
		r.Old, r.Password = lines[0], lines[1]
		return err
	case r.Op == opReset && yes:
		return nil
	case r.Op == opReset:
		return confirm(e, "All mail of this account becomes unreadable and is deleted. Type yes to go on: ")
	}
	old, err := promptSecret(e, "Old password or recovery code: ")
	r.Old = old
	return err
}

func printNewPassword(e env, r adminRequest, reply adminReply) {
	rows := [][2]string{{"Password", reply.Secret}}
	if r.Op == opReset {
		rows = append(rows, [2]string{"Recovery code", reply.Recovery})
	}
	printTable(e.stdout, rows)
	if r.Op == opReset {
		fmt.Fprintf(e.stderr, "restante: new keys made; %d messages were unreadable with them and are gone\n", reply.Unreadable)
	}
}

func accountState(e env, open opener, name string, op adminOp, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ACCOUNT",
		Short: short,
		Args:  exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			reply, err := open.do(cmd.Context(), adminRequest{Op: op, Ref: args[0]})
			if err == nil {
				fmt.Fprintf(e.stderr, "restante: account %s is now %sd\n", reply.Accounts[0].ID, name)
			}
			return err
		},
	}
}

func accountRemove(e env, open opener) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove ACCOUNT",
		Short: "Delete an account and all its mail",
		Args:  exactly(1, "one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := confirm(e, "The account and all its mail are deleted for good. Type yes to go on: "); err != nil {
					return err
				}
			}
			reply, err := open.do(cmd.Context(), adminRequest{Op: opRemove, Ref: args[0]})
			if err == nil {
				fmt.Fprintf(e.stderr, "restante: account %s is gone, and %d messages with it\n", reply.Accounts[0].ID, reply.Accounts[0].Used.Messages)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// readSecrets reads n lines; missing ones are empty. The first must not be.
func readSecrets(r io.Reader, n int) ([]string, error) {
	lines := make([]string, n)
	scanner := bufio.NewScanner(r)
	for i := 0; i < n && scanner.Scan(); i++ {
		lines[i] = strings.TrimSuffix(scanner.Text(), "\r")
	}
	if err := scanner.Err(); err != nil {
		return lines, fmt.Errorf("read standard input: %w", err)
	}
	if lines[0] == "" {
		return lines, errors.New("--password-stdin: there is no password on standard input")
	}
	return lines, nil
}

var errNoTerminal = errors.New("there is no terminal to ask at: use --password-stdin, or --yes where a yes is asked for")

func promptSecret(e env, prompt string) (string, error) {
	f, ok := e.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", errNoTerminal
	}
	fmt.Fprint(e.stderr, prompt)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(e.stderr)
	return string(b), err
}

func confirm(e env, prompt string) error {
	f, ok := e.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return errNoTerminal
	}
	fmt.Fprint(e.stderr, prompt)
	answer, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func dayString(d mailbox.Day) string {
	return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly)
}
