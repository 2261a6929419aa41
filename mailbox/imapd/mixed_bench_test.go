package imapd_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/mailbox/sqlstore"
)

// mixedConns is how many clients BenchmarkMixed has.
const mixedConns = 8

// BenchmarkMixed measures clients under TLS that append, flag, search and expunge in
// one mailbox at the same time, as the comparison with Dovecot does. One op is one
// command; every write is on the disk before it is answered.
func BenchmarkMixed(b *testing.B) {
	w := newWorld(b)
	address := w.serveTLS(b)
	created := w.account(b, "b@example.org")
	w.fill(b, created)
	clients := make([]*client, mixedConns)
	for i := range clients {
		clients[i] = newClient(b, dialTLS(b, address)).enter(created)
		clients[i].ok("SELECT INBOX")
	}
	text := message("mixed")
	commands := []string{
		fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text),
		`STORE 1 +FLAGS (\Seen)`,
		"UID SEARCH UNSEEN",
		`UID STORE * +FLAGS (\Deleted)`,
		"EXPUNGE",
	}
	counts := w.store.(interface{ Stats() sqlstore.Stats })
	before, cpu := counts.Stats(), processorTime(b)
	b.ResetTimer()
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			for n := i; n < b.N; n += mixedConns {
				if _, answer := c.command("%s", commands[n/mixedConns%len(commands)]); !strings.HasPrefix(answer, "OK") {
					b.Error(answer)
					return
				}
			}
		})
	}
	all.Wait()
	after := counts.Stats()
	commits := float64(after.Commits - before.Commits)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(commits/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(after.Requests-before.Requests)/commits, "requests/commit")
	b.ReportMetric(float64((after.Time-before.Time).Microseconds())/commits, "µs/commit")
}

// processorTime returns what this process has used so far, clients included.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
