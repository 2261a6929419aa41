package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mta/queue"
)

// Operations on the queue. Their replies are text, made where the store is open.
const (
	opQueueList  adminOp = "queue list"
	opQueueShow  adminOp = "queue show"
	opQueueWhy   adminOp = "queue why"
	opQueueRetry adminOp = "queue retry"
	opQueueDrop  adminOp = "queue drop"
)

func queueCommand(e env) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Show and change the mail that waits to go to other relays",
		Long:  "Show and change the mail that waits to go to other relays. The commands work while the relay runs, and while it does not.",
		Args:  unknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	open := func(ctx context.Context) (accounts, func(), error) { return openAccounts(ctx, configFile, e) }
	cmd.AddCommand(queueList(e, open),
		queuePrint(e, open, "show", opQueueShow, "Show one message"),
		queuePrint(e, open, "why", opQueueWhy, "Say what the last attempt at a message came to"),
		queueRetry(e, open),
		queueChange(e, open, "drop", opQueueDrop, "Remove a message; its sender is not told", "is gone"))
	return cmd
}

const addressesFlagHelp = "show addresses even if the output is not a terminal"

func queueList(e env, open opener) *cobra.Command {
	r := adminRequest{Op: opQueueList}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the messages that wait",
		Long:  "List the messages that wait. Recipients are shown on a terminal, or with --addresses; else how many there are.",
		Args:  exactly(0, "no arguments"),
		RunE:  func(cmd *cobra.Command, _ []string) error { return printText(cmd.Context(), e, open, r) },
	}
	cmd.Flags().BoolVar(&r.Addresses, "addresses", false, addressesFlagHelp)
	cmd.Flags().IntVar(&r.Limit, "limit", 1000, "list at most `N` messages")
	return cmd
}

func queuePrint(e env, open opener, name string, op adminOp, short string) *cobra.Command {
	r := adminRequest{Op: op}
	cmd := &cobra.Command{
		Use:   name + " MESSAGE",
		Short: short,
		Args:  exactly(1, "one message, by its id in `restante queue list`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Ref = args[0]
			return printText(cmd.Context(), e, open, r)
		},
	}
	cmd.Flags().BoolVar(&r.Addresses, "addresses", false, addressesFlagHelp)
	return cmd
}

// printText prints what an operation has to say.
func printText(ctx context.Context, e env, open opener, r adminRequest) error {
	r.Addresses = r.Addresses || isTerminal(e.stdout)
	reply, err := open.do(ctx, r)
	if err == nil {
		_, err = fmt.Fprint(e.stdout, reply.Text)
	}
	return err
}

// queueRetry is queueChange for one message or for all.
func queueRetry(e env, open opener) *cobra.Command {
	cmd := queueChange(e, open, "retry", opQueueRetry, "Try a message again now, or with --all every one", "is due now")
	one := cmd.RunE
	var all bool
	cmd.Flags().BoolVar(&all, "all", false, "try every message again, as after an outage")
	cmd.Args = nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !all {
			if err := exactly(1, "one message, by its id in `restante queue list`, or --all")(cmd, args); err != nil {
				return err
			}
			return one(cmd, args)
		}
		if len(args) > 0 {
			return usageError{errors.New("give either one message or --all")}
		}
		reply, err := open.do(cmd.Context(), adminRequest{Op: opQueueRetry})
		if err == nil {
			fmt.Fprint(e.stderr, reply.Text)
		}
		return err
	}
	return cmd
}

func queueChange(e env, open opener, name string, op adminOp, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " MESSAGE",
		Short: short,
		Args:  exactly(1, "one message, by its id in `restante queue list`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := open.do(cmd.Context(), adminRequest{Op: op, Ref: args[0]})
			if err == nil {
				fmt.Fprintf(e.stderr, "restante: message %s %s\n", args[0], done)
			}
			return err
		},
	}
}

// onQueue does an operation on the queue.
func (d direct) onQueue(ctx context.Context, r adminRequest) (adminReply, error) {
	var text bytes.Buffer
	o := queue.Operator{Outbox: d.service.Outbox(), Addresses: r.Addresses, Limit: r.Limit}
	if r.Op == opQueueList {
		err := o.List(ctx, &text)
		return adminReply{Text: text.String()}, err
	}
	if r.Op == opQueueRetry && r.Ref == "" {
		n, err := o.RetryAll(ctx)
		return adminReply{Text: fmt.Sprintf("restante: %d messages are due now\n", n)}, err
	}
	id, err := mailbox.ParseJobID(r.Ref)
	if err != nil {
		return adminReply{}, err
	}
	switch r.Op {
	case opQueueShow:
		err = o.Show(ctx, &text, id)
	case opQueueWhy:
		err = o.Why(ctx, &text, id)
	case opQueueRetry:
		err = o.Retry(ctx, id)
	case opQueueDrop:
		err = o.Drop(ctx, id)
	}
	if errors.Is(err, mailbox.ErrGone) {
		err = fmt.Errorf("there is no message %s in the queue: it was delivered, came back to its sender or was dropped; `restante queue list` shows what waits", r.Ref)
	}
	return adminReply{Text: text.String()}, err
}
