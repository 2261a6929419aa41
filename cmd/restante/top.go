package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const opMeasures adminOp = "measures"

func topCommand(e env) *cobra.Command {
	var configFile string
	var every time.Duration
	var count int
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the running relay: rates, queue, sessions",
		Long:  "Watch the running relay until Ctrl-C. No address and no name is in it. Where the output is no terminal, each view is printed below the last.",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usageError{errors.New("--every is at least 100ms")}
			}
			a, done, err := openAccounts(cmd.Context(), configFile, e)
			if err != nil {
				return err
			}
			defer done()
			v := &liveView{ask: a, out: e.stdout, screen: isTerminal(e.stdout)}
			return v.run(cmd.Context(), every, count)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", defaultConfigFile, "configuration `FILE` of the relay")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "time between two looks")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many views; 0 is never")
	return cmd
}

// liveView prints what has changed between two looks at the relay.
type liveView struct {
	ask    accounts
	out    io.Writer
	screen bool // draw over the last view

	last []measure
	at   time.Time
}

// run shows count views, or until ctx ends. The first one comes after one interval,
// since rates need two looks.
func (v *liveView) run(ctx context.Context, every time.Duration, count int) error {
	if err := v.look(ctx, io.Discard); err != nil {
		return err
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; count == 0 || n < count; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := v.look(ctx, v.out); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// look reads the measures and prints the view.
func (v *liveView) look(ctx context.Context, out io.Writer) error {
	reply, err := v.ask.do(ctx, adminRequest{Op: opMeasures})
	if err != nil {
		return err
	}
	if len(reply.Measures) == 0 {
		return errors.New("the relay does not run: start it with `restante serve`")
	}
	now := time.Now()
	text := viewText(v.last, reply.Measures, now.Sub(v.at))
	v.last, v.at = reply.Measures, now
	if v.screen {
		text = "\x1b[H\x1b[2J" + text // to the corner, and clear
	}
	_, err = io.WriteString(out, text)
	return err
}

// viewText is the view of what lies between two looks.
func viewText(old, now []measure, between time.Duration) string {
	rate := func(name string, labels ...string) string {
		per := (find(now, name, labels...) - find(old, name, labels...)) / between.Seconds()
		return fmt.Sprintf("%.1f/s", per)
	}
	level := func(name string) string { return fmt.Sprintf("%.0f", find(now, name)) }
	var b strings.Builder
	fmt.Fprintf(&b, "restante, up %s, memory %s\n\n", time.Duration(find(now, "restante_uptime_seconds")*1e9).Round(time.Second),
		sizeString(int64(find(now, "restante_memory_bytes"))))
	printColumns(&b, mailView(rate))
	b.WriteByte('\n')
	printTable(&b, [][2]string{
		{"logins", rate("restante_logins_total", "outcome", "ok") + ", " + rate("restante_logins_total", "outcome", "refused") + " refused, " +
			rate("restante_logins_total", "outcome", "busy") + " put off"},
		{"sessions", level("restante_imap_sessions") + " of " + level("restante_imap_accounts") + " accounts"},
		{"commands", rate("restante_imap_commands_total") + ", " + rate("restante_imap_bodies_total") + " bodies fetched"},
		{"commits", rate("restante_store_commits_total") + commitView(old, now)},
		{"queue", level("restante_queue_messages") + " messages for " + level("restante_queue_domains") + " domains"},
		{"store", level("restante_messages") + " messages of " + level("restante_accounts") + " accounts, " +
			sizeString(int64(find(now, "restante_message_bytes")))},
	})
	b.WriteByte('\n')
	portView(&b, now)
	return b.String()
}

// mailView is what became of messages.
func mailView(rate func(name string, labels ...string) string) [][]string {
	rows := [][]string{{"mail from", "kept", "not encrypted", "refused", "deferred"}}
	for _, from := range []string{"submission", "mx"} {
		row := []string{from}
		for _, outcome := range []string{"kept", "not_encrypted", "refused", "deferred"} {
			row = append(row, rate("restante_messages_total", "from", from, "outcome", outcome))
		}
		rows = append(rows, row)
	}
	return rows
}

// commitView says what one commit took, on average.
func commitView(old, now []measure) string {
	diff := func(name string) float64 { return find(now, name) - find(old, name) }
	commits := diff("restante_store_commits_total")
	if commits <= 0 {
		return ""
	}
	return fmt.Sprintf(", of %.1f requests and %.1f ms each", diff("restante_store_requests_total")/commits,
		1000*diff("restante_store_commit_seconds_total")/commits)
}

// portView lists the ports in the order in which they were measured.
func portView(b *strings.Builder, now []measure) {
	rows := [][]string{{"port", "open", "accepted", "refused", "broken"}}
	for _, m := range now {
		if m.Name != "restante_connections" {
			continue
		}
		count := func(name string) string { return fmt.Sprintf("%.0f", find(now, name, m.Labels...)) }
		rows = append(rows, []string{m.Labels[1], fmt.Sprintf("%.0f", m.Value), count("restante_connections_accepted_total"),
			count("restante_connections_refused_total"), count("restante_handshakes_broken_total")})
	}
	printColumns(b, rows)
}
