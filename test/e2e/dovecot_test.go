//go:build e2e && dovecot

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/test/dovecot"
)

// startDovecot runs Debian's Dovecot until the end of the test.
func startDovecot(t *testing.T) *imapServer {
	t.Helper()
	need(t, "dovecot", "dovecot-imapd")
	d := dovecot.Start(t)
	return &imapServer{name: "Dovecot", address: d.Address, user: "bob", password: dovecot.Password, pid: d.PID}
}

// imapServer is one of the two that are compared.
type imapServer struct {
	name, address, user, password string
	pid                           int // of the process above all others
}

// processes lists the server's process and all below it.
func (s *imapServer) processes(t *testing.T) []int {
	t.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var state string
		_, _ = fmt.Sscan(string(b), &pid)
		_, rest, _ := strings.Cut(string(b), ") ")
		if _, err := fmt.Sscan(rest, &state, &parent); err == nil {
			parents[pid] = parent
		}
	}
	pids := []int{s.pid}
	for i := 0; i < len(pids); i++ {
		for pid, parent := range parents {
			if parent == pids[i] {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// cpu returns the processor time that the server has used. That of processes which
// have ended is in their parents'.
func (s *imapServer) cpu(t *testing.T) time.Duration {
	t.Helper()
	ticks := 0
	for _, pid := range s.processes(t) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n := 0
			_, _ = fmt.Sscan(field, &n)
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100) // USER_HZ, the same on all Linux
}

// memory returns what the server's processes have in memory, what they share counted
// once.
func (s *imapServer) memory(t *testing.T) int {
	t.Helper()
	sum := 0
	for _, pid := range s.processes(t) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			kb := 0
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kb); n == 1 {
				sum += kb << 10
			}
		}
	}
	return sum
}
