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
	browser, err := listenLoopback("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer browser.Close() // the server has done so, if it ran
	d, err := openDoors(ctx, o)
	defer d.close()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	p := page.New(page.Options{Desk: newDesk(ctx, o)})
	o.page = p.URL(browser.Addr())
	if readyFile != "" {
		if err := o.ready().write(readyFile); err != nil {
			return err
		}
	}
	o.serve(ctx, e, d, group)
	group.Go(func() error { return p.Serve(ctx, browser) })
	return group.Wait()
}

// serve has a group serve all doors until ctx ends.
func (o *openedGateway) serve(ctx context.Context, e env, d doors, group *errgroup.Group) {
	say(e, "the gateway runs: IMAP at %s, SMTP at %s; `restante gateway page` leads to its page", o.listen.IMAP, o.listen.SMTP)
	group.Go(func() error { return o.ServeIMAP(ctx, d.imap) })
	group.Go(func() error { return o.ServeSubmission(ctx, d.smtp) })
	group.Go(func() error { return o.Run(ctx) })
	group.Go(func() error { return serveConsole(ctx, d.console, o) })
	if o.phones != nil {
		group.Go(func() error { return o.phones.serve(ctx, o) })
	}
}

// doors are the listeners of a running gateway.
type doors struct {
	imap, smtp, console net.Listener

	phones *phoneDoor // nil if other devices are not let in
}

// openDoors opens all listeners of a gateway, which says from then on where they are. The
// doors must be closed after an error too.
func openDoors(ctx context.Context, o *openedGateway) (doors, error) {
	var d doors
	at, err := gateway.LoadListen(o.vault)
	if err != nil {
		return d, err
	}
	if d.imap, err = listenLoopback(at.IMAP); err != nil {
		return d, err
	}
	if d.smtp, err = listenLoopback(at.SMTP); err != nil {
		return d, err
	}
	if d.console, err = gatewaySocket(o.dir).listen(); err != nil {
		return d, err
	}
	if d.phones, err = openPhones(ctx, o); err != nil {
		return d, err
	}
	o.running, o.phones, o.listen = true, d.phones, gateway.Listen{IMAP: d.imap.Addr().String(), SMTP: d.smtp.Addr().String()}
	return d, nil
}

// close closes what is open. Servers that ended have closed theirs already.
func (d doors) close() {
	for _, ln := range []net.Listener{d.imap, d.smtp, d.console} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if d.phones != nil {
		d.phones.close()
	}
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

	Phones *phonesReady `json:"phones,omitempty"`
}

// phonesReady is where other devices are let in.
type phonesReady struct {
	Host  string `json:"host"`
	IMAP  string `json:"imap"`
	SMTP  string `json:"smtp"`
	Setup string `json:"setup"`
	CA    string `json:"ca"` // in PEM
}

func (o *openedGateway) ready() gatewayReady {
	r := gatewayReady{
		IMAP: o.listen.IMAP, SMTP: o.listen.SMTP, User: o.Local().User, Password: o.Local().Password, Page: o.page, PID: os.Getpid(),
	}
	if d := o.phones; d != nil {
		r.Phones = &phonesReady{
			Host: d.host, IMAP: d.imap.Addr().String(), SMTP: d.smtp.Addr().String(), Setup: d.setup.Addr().String(), CA: string(d.certs.CA()),
		}
	}
	return r
}

func (r gatewayReady) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeReady(file, b)
}
