package imapd_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
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
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
