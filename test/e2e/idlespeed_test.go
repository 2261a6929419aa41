//go:build e2e && speed

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// idleSessions have 600 MB on a machine of 2 GB.
	idleSessions = 5000
	idleAccounts = 1000
)

// TestSpeedIdle measures the memory of a whole relay while 5,000 clients under TLS
// are in IDLE, five of each account.
//
//	go test -tags 'e2e speed' -run SpeedIdle -v ./test/e2e
func TestSpeedIdle(t *testing.T) {
	t.Setenv("GODEBUG", "clobberfree=1") // as serve sets it for itself
	r := start(t, "--accounts", fmt.Sprint(idleAccounts))
	before := residentMiB(t, r.PID)
	config := r.tls(t)
	var all errgroup.Group
	all.SetLimit(16)
	for i := range idleSessions {
		all.Go(func() error {
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", r.IMAPS, config)
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			return idle(c, r.Accounts[i%idleAccounts])
		})
	}
	must(t, all.Wait())
	t.Logf("resident: %d MiB before, %d MiB with %d sessions in IDLE", before, residentMiB(t, r.PID), idleSessions)
}

// idle logs in and waits for mail.
func idle(c *tls.Conn, a account) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	replies := bufio.NewReader(c)
	for _, say := range []struct{ command, want string }{
		{"", "* OK"},
		{fmt.Sprintf("a LOGIN %s %s\r\n", a.Address, a.Password), "a OK"},
		{"b SELECT INBOX\r\n", "b OK"},
		{"c IDLE\r\n", "+ "},
	} {
		if _, err := c.Write([]byte(say.command)); err != nil {
			return err
		}
		for {
			line, err := replies.ReadString('\n')
			if err != nil {
				return fmt.Errorf("wait for %q: %w", say.want, err)
			}
			if strings.HasPrefix(line, say.want) {
				break
			}
		}
	}
	return nil
}

// residentMiB is the memory that a process has (proc(5), VmRSS).
func residentMiB(t *testing.T, pid int) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	_, err = fmt.Sscan(after, &n)
	must(t, err)
	return n >> 10
}
