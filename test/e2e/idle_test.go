//go:build e2e && linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestIdleSessions: a relay as it is installed, with 5,000 clients in IDLE over TLS, fits
// into a small machine.
func TestIdleSessions(t *testing.T) {
	t.Parallel()
	const owners, each, most = 10, 500, 600 << 10 // KiB
	r := serveIdle(t, owners)
	config := r.tls(t)
	turn := make(chan struct{}, 16) // handshakes at a time
	var logins sync.WaitGroup
	for i := range owners * each {
		logins.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := r.idle(t, config, r.Accounts[i%owners]); err != nil {
				t.Errorf("session %d: %v", i, err)
			}
		})
	}
	logins.Wait()
	now, peak := memoryOf(t, r.PID, "VmRSS"), memoryOf(t, r.PID, "VmHWM")
	t.Logf("with %d sessions in IDLE the relay has %d MB, and had %d at most", owners*each, now>>10, peak>>10)
	if peak > most {
		t.Errorf("the relay had up to %d MB, want 600 at most", peak>>10)
	}
}

// serveIdle runs `restante serve` with so many accounts, for clients from one network.
func serveIdle(t *testing.T, owners int) *relay {
	t.Helper()
	work := t.TempDir()
	config := write(t, work, "config.toml", fmt.Sprintf(`domain = "relay.test"
data_dir = %q
[listen]
smtps = { address = "127.0.0.1:0" }
submission = { address = "" }
mx = { address = "" }
imaps = { address = "127.0.0.1:0" }
imap = { address = "" }
https = { address = "" }
http = { address = "" }
[limits]
connections_per_network = 6000
connections_per_account = 500
`, filepath.Join(work, "relay")))
	ready := filepath.Join(work, "ready.json")
	r := &relay{cmd: exec.Command(binary(t), "serve", "--config", config, "--ready", ready), exited: make(chan error, 1), dir: filepath.Join(work, "relay")}
	var accounts []account
	for i := range owners {
		name := fmt.Sprint("owner", i)
		made, err := exec.Command(binary(t), "account", "new", name, "--config", config).Output()
		password := regexp.MustCompile(`Password +(r1-[0-9a-z-]+)`).FindSubmatch(made)
		if password == nil {
			t.Fatalf("no password, %v, in\n%s", err, made)
		}
		accounts = append(accounts, account{name + "@relay.test", string(password[1])})
	}
	var err error
	if r.log, err = os.Create(filepath.Join(work, "output")); err != nil {
		t.Fatal(err)
	}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exited <- r.cmd.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	r.waitReady(t, ready)
	r.Accounts = accounts
	return r
}

// idle leaves a client in IDLE until the end of the test.
func (r *relay) idle(t *testing.T, config *tls.Config, a account) error {
	c := tls.Client(dial(t, r.IMAPS), config)
	t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "a LOGIN %s %s\r\nb SELECT INBOX\r\nc IDLE\r\n", a.Address, a.Password); err != nil {
		return err
	}
	for in := bufio.NewReaderSize(c, 512); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "+") {
			return nil
		}
		if !strings.HasPrefix(line, "*") && !strings.Contains(line, " OK ") {
			return fmt.Errorf("got %q", line)
		}
	}
}

// memoryOf reads a line of a process's status, in KiB.
func memoryOf(t *testing.T, pid int, what string) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(what + `:\s+(\d+) kB`).FindSubmatch(b)
	if found == nil {
		t.Fatalf("no %s in the status of the process", what)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
