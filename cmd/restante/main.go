// Command restante is an end-to-end encrypted mail relay and its tools.
//
//	restante demo                    try it: a relay on loopback, one encrypted message
//	restante serve --config FILE     run a relay
//	restante account new             make an account
//	restante backup DIR              copy all that is kept, while the relay runs
//	restante restore DIR             make a store of a backup
//	restante migrate STORE           move the store to another engine
//	restante store check|repair      look over what is kept
//	restante config check|show       read the configuration as the relay would
//	restante status                  say how a relay is doing
//	restante queue list              show the mail that waits to go to other relays
//	restante dns                     print the records that the domain needs
//	restante gateway init|run|…      encrypt for a mail client that can't
//
// Data goes to standard output, talk to standard error. The exit code is 0, 1
// for a failure, or 2 for words that make no sense.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// env is what a command has of the world.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// usageError is an error in the words of the command line.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	e := env{os.Stdin, os.Stdout, os.Stderr, os.Getenv}
	code := run(ctx, os.Args[1:], e)
	stop()
	os.Exit(code)
}

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, e env) int {
	cmd := rootCommand(e)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(e.stderr, wrapLines("restante: "+err.Error(), terminalWidth(e.stderr)))
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(e.stderr, wrapLines("restante: `restante --help` lists the commands; --help after a command lists its flags", terminalWidth(e.stderr)))
		return 2
	}
	return 1
}

func rootCommand(e env) *cobra.Command {
	root := &cobra.Command{
		Use:     "restante",
		Version: version(),
		Short:   "An end-to-end encrypted mail relay",
		Long: "Restante keeps encrypted mail under any name you like until you call for it:\n" +
			"pseudonymous addresses, OpenPGP end to end, SMTP in, IMAP out.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(demoCommand(e), serveCommand(e), accountCommand(e), configCommand(e), queueCommand(e), dnsCommand(e), dkimCommand(e), statusCommand(e), topCommand(e), setupCommand(e), doctorCommand(e), versionCommand(e), manCommand())
	root.AddCommand(backupCommand(e), restoreCommand(e), migrateCommand(e), storeCommand(e))
	root.AddCommand(gatewayCommand(e), tokenCommand(e))
	wrapHelp(root, e)
	return root
}

// unknownCommand refuses words that are no subcommand.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(": did you mean %q?", near[0])
	}
	return usageError{errors.New(text)}
}

// exactly is cobra.ExactArgs with an exit code of 2.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("this command takes %s", what)}
		}
		return nil
	}
}

// atMost is cobra.MaximumNArgs with an exit code of 2.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("this command takes %s", what)}
		}
		return nil
	}
}
