//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestGatewayScripts plays gateways as real processes, against a demonstration relay.
func TestGatewayScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/gateway",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":    await,
			"signal":   signalRelay,
			"capture":  capture,
			"lines":    linesToFile,
			"relayenv": relayEnv,
			"submit":   submitMail,
			"mail":     awaitMail,
			"phone":    usePhone,
			"page":     usePage,
		},
		Setup: func(e *testscript.Env) error {
			// The path of a Unix socket must be short, and $WORK is not.
			dir, err := os.MkdirTemp("", "g")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("DATA", dir)
			e.Setenv("TMPDIR", e.WorkDir)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("RESTANTE_PASSPHRASE_FILE", e.WorkDir+"/passphrase")
			return os.WriteFile(e.WorkDir+"/passphrase", []byte("four words of nonsense\n"), 0o600)
		},
	})
}

// relayEnv sets variables from a relay's ready file: `relayenv ready.json`.
func relayEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: relayenv READYFILE")
	}
	var r ready
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	ts.Setenv("IMAPS", r.IMAPS)
	ts.Setenv("SMTPS", r.SMTPS)
	ts.Setenv("HTTPS", r.HTTPS)
	ts.Setenv("CA", r.CAFile)
	for i, a := range r.Accounts {
		ts.Setenv(fmt.Sprintf("ADDRESS%d", i+1), a.Address)
		ts.Setenv(fmt.Sprintf("PASSWORD%d", i+1), a.Password)
	}
}

func gatewayAt(ts *testscript.TestScript, file string) (g gatewayReady) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &g))
	return g
}

// submitMail sends a mail as the mail client of a gateway: `submit READYFILE TO FILE`.
// SENDER in the file stands for the client's own address.
// With ! the gateway must refuse it, and its answer is in the file "answer".
func submitMail(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: submit READYFILE TO FILE")
	}
	g := gatewayAt(ts, args[0])
	conn, err := net.DialTimeout("tcp", g.SMTP, 10*time.Second)
	ts.Check(err)
	c := smtp.NewClient(conn)
	defer c.Close()
	ts.Check(c.Auth(sasl.NewPlainClient("", g.User, g.Password)))
	mail := strings.NewReplacer("\n", "\r\n", "SENDER", g.User).Replace(ts.ReadFile(args[2]))
	err = c.SendMail(g.User, []string{args[1]}, strings.NewReader(mail))
	if (err != nil) != neg {
		ts.Fatalf("submit: got %v", err)
	}
	if err != nil {
		ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(err.Error()), 0o600))
	}
}

// awaitMail waits until a mail in a mailbox of a gateway holds a text, and writes it to
// a file: `mail READYFILE INBOX TEXT FILE`.
func awaitMail(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: mail READYFILE MAILBOX TEXT FILE")
	}
	g := gatewayAt(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	changed := make(chan struct{}, 1)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", g.IMAP)
	ts.Check(err)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c := imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(*imapclient.UnilateralDataMailbox) {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	}})
	defer c.Close()
	ts.Check(c.Login(g.User, g.Password).Wait())
	_, err = c.Select(args[1], nil).Wait()
	ts.Check(err)
	for {
		if b := findMail(ts, c, args[2]); b != nil {
			ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.ReplaceAll(string(b), "\r\n", "\n")), 0o600))
			return
		}
		idle, err := c.Idle()
		ts.Check(err)
		select {
		case <-changed:
		case <-ctx.Done():
			ts.Fatalf("mail: none with %q in %s", args[2], args[1])
		}
		ts.Check(idle.Close())
		ts.Check(idle.Wait())
	}
}

func findMail(ts *testscript.TestScript, c *imapclient.Client, text string) []byte {
	section := &imap.FetchItemBodySection{Peek: true}
	list, err := c.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	ts.Check(err)
	for _, m := range list {
		if b := m.FindBodySection(section); strings.Contains(string(b), text) {
			return b
		}
	}
	return nil
}
