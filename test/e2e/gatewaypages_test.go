//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// TestGatewayPages brings keys and contacts to a second machine by the pages of both in
// Chromium, without JavaScript. A link that is torn and a code that is wrong are told as
// what they are.
func TestGatewayPages(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	p := newGatewayProcess(t, alice, r.IMAPS, r.SMTPS, r.CAFile)
	key, err := pgp.Generate(addr.MustParse(bob.Address), pgp.KeyOptions{})
	must(t, err)
	p.must("", "accept", write(t, t.TempDir(), "bob.asc", string(key.Cert().Armor())), "--address", bob.Address)
	p.start()
	t.Cleanup(p.kill)

	second := *p
	second.dir = filepath.Join(t.TempDir(), "second")
	page := second.startEmpty(r.CAFile)
	var faults []string
	must(t, json.Unmarshal(browse(t, "gatewaypages.mjs", p.at.Page, page, alice.Address, alice.Password, r.IMAPS, r.SMTPS), &faults))
	for _, fault := range faults {
		t.Error(fault)
	}
}

// startEmpty runs a gateway that is brought from another machine by its page, whose
// address it returns.
func (p *gatewayProcess) startEmpty(ca string) string {
	p.t.Helper()
	p.cmd = p.command("pair", "--page", "--ca", ca, "--listen-imap", "127.0.0.1:0", "--listen-smtp", "127.0.0.1:0")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	must(p.t, err)
	must(p.t, p.cmd.Start())
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	p.t.Cleanup(func() {
		must(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
		for range lines { // until it has ended
		}
		if err := p.cmd.Wait(); err != nil {
			p.t.Errorf("the second gateway ended with %v", err)
		}
	})
	select {
	case line := <-lines:
		if strings.HasPrefix(line, "http://127.0.0.1:") {
			return line
		}
		p.t.Fatalf("it says %q, which is no page", line)
	case <-time.After(patience):
		p.t.Fatal("the second gateway shows no page")
	}
	return ""
}
