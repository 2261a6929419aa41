package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/gateway/page"
)

func gatewayRun(e env, h *gatewayHome) *cobra.Command {
	var readyFile string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway for your mail client, until Ctrl-C",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runGateway(cmd.Context(), e, h, readyFile)
		},
	}
	cmd.Flags().StringVar(&readyFile, "ready", "", "write ports, user and password to `FILE` as JSON once everything listens")
	return cmd
}

func runGateway(ctx context.Context, e env, h *gatewayHome, readyFile string) (err error) {
	o, err := h.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	o.running = true
	at, err := gateway.LoadListen(o.vault)
	if err != nil {
		return err
	}
	imap, err := listenLoopback(at.IMAP)
	if err != nil {
		return err
	}
	defer imap.Close()
	smtp, err := listenLoopback(at.SMTP)
	if err != nil {
		return err
	}
	defer smtp.Close()
	console, err := gatewaySocket(o.dir).listen()
	if err != nil {
		return err
	}
	defer console.Close()
	browser, err := listenLoopback("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer browser.Close()
	p := page.New(page.Options{Desk: desk{o}})
	o.page = p.URL(browser.Addr())
	if readyFile != "" {
		say := gatewayReady{IMAP: imap.Addr().String(), SMTP: smtp.Addr().String(), User: o.Local().User, Password: o.Local().Password, Page: o.page, PID: os.Getpid()}
		if err := say.write(readyFile); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.stderr, "restante: the gateway runs: IMAP at %s, SMTP at %s; `restante gateway page` leads to its page\n", imap.Addr(), smtp.Addr())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.ServeIMAP(ctx, imap) })
	group.Go(func() error { return o.ServeSubmission(ctx, smtp) })
	group.Go(func() error { return o.Run(ctx) })
	group.Go(func() error { return serveConsole(ctx, console, o) })
	group.Go(func() error { return p.Serve(ctx, browser) })
	return group.Wait()
}

// listenLoopback opens a port that only this machine reaches: connections to it are
// not encrypted.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("the gateway speaks to the mail client without encryption, so it listens on 127.0.0.1 or ::1 only, not on %q", host)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: give another port with `restante gateway init --listen-imap` or `--listen-smtp`, and change it in the mail client", err)
	}
	return ln, nil
}

// gatewayReady is what the file of --ready says. Programs depend on it: fields are
// added, never renamed or removed.
type gatewayReady struct {
	IMAP     string `json:"imap"`
	SMTP     string `json:"smtp"`
	User     string `json:"user"`
	Password string `json:"password"`
	Page     string `json:"page"`
	PID      int    `json:"pid"`
}

func (r gatewayReady) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeReady(file, b)
}
