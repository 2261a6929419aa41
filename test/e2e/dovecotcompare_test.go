//go:build e2e && dovecot

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestBesideDovecot measures Restante and Debian's Dovecot in turn on one machine, in
// one run, and prints ratios. It fails if something does not work, and for no figure.
//
//	make dovecot            # with 1,000 messages
//	make dovecot N=50000
func TestBesideDovecot(t *testing.T) {
	n := 1000
	if s := os.Getenv("N"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "--cleartext")
	host, port := hostPort(t, r.IMAPS)
	servers := []*imapServer{
		{name: "Restante", address: fmt.Sprintf("%s:%d", host, port), user: r.Accounts[1].Address, password: r.Accounts[1].Password, pid: r.cmd.Process.Pid},
		startDovecot(t),
	}
	fmt.Printf("%-34s %14s %14s %8s %12s %12s\n", "", "Restante", "Dovecot", "ratio", "CPU", "CPU Dovecot")
	first := min(n, 1000)
	compare(t, servers, "APPEND, one connection", 1, first, func(c *rawIMAP) {
		for i := range first {
			c.append(t, "INBOX", i)
		}
	})
	const together = 100
	for _, s := range servers { // what is missing, without the wait for each
		c := s.connect(t)
		for i := first; i < n; i += together {
			c.appendMany(t, "INBOX", i, min(together, n-i))
		}
	}
	fetches(t, servers, n)
	if testing.Short() {
		return
	}
	few := min(100, max(10, 100_000/n)) // Dovecot takes a second for each in a Maildir of 50,000
	compare(t, servers, "SELECT+FETCH+STORE+CLOSE", 3, few, func(c *rawIMAP) {
		c.do(t, "SELECT INBOX")
		for range few {
			c.do(t, "UID FETCH * (FLAGS BODY.PEEK[])")
			c.do(t, `STORE * +FLAGS (\Deleted)`)
			c.do(t, "CLOSE")
			c.do(t, "SELECT INBOX")
		}
	})
	each := few
	compare(t, servers, "mixed, 8 connections", 3, 8*each*5, func(*rawIMAP) {}, func(s *imapServer) { mixed(t, s, each) })
	for _, s := range servers {
		median, p99 := pushes(t, s, 100)
		fmt.Printf("push, %-28s median %v, p99 %v\n", s.name, median, p99)
	}
	for _, s := range servers {
		fmt.Printf("idle TLS connection, %-13s %.1f KB\n", s.name, float64(idleMemory(t, s, 300))/1000)
	}
}

// fetches reads all of INBOX in one command, time and again if that is little: what a
// connection costs counts for nothing then.
func fetches(t *testing.T, servers []*imapServer, n int) {
	again := max(1, 10_000/n)
	for _, f := range []struct{ name, items string }{
		{"FETCH FLAGS", "(UID FLAGS)"},
		{"FETCH ENVELOPE", "(ENVELOPE FLAGS)"},
		{"FETCH bodies of 4 KiB", "(UID BODY.PEEK[])"},
	} {
		compare(t, servers, f.name, 5, again*n, func(c *rawIMAP) {
			c.do(t, "SELECT INBOX")
			for range again {
				c.do(t, "UID FETCH 1:* %s", f.items)
			}
		})
	}
}

// compare runs f on both servers in turn, so many rounds, and prints the best of each:
// what disturbs one round seldom disturbs all. count is the operations of a round.
func compare(t *testing.T, servers []*imapServer, name string, rounds, count int, f func(*rawIMAP), instead ...func(*imapServer)) {
	t.Helper()
	best, cpu := make([]time.Duration, len(servers)), make([]time.Duration, len(servers))
	for range rounds {
		for i, s := range servers {
			c := s.connect(t)
			before, start := s.cpu(t), time.Now()
			f(c)
			for _, g := range instead {
				g(s)
			}
			took := time.Since(start)
			cpu[i] += s.cpu(t) - before
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
			c.c.Close()
		}
	}
	rate := func(d time.Duration) float64 { return float64(count) / d.Seconds() }
	each := func(d time.Duration) time.Duration { return d / time.Duration(rounds*count) }
	fmt.Printf("%-34s %12.0f/s %12.0f/s %7.2fx %12v %12v\n", name, rate(best[0]), rate(best[1]), rate(best[0])/rate(best[1]), each(cpu[0]), each(cpu[1]))
}

// mixed has 8 connections append, flag, search, expunge and look at one mailbox.
func mixed(t *testing.T, s *imapServer, each int) {
	var all sync.WaitGroup
	for i := range 8 {
		c := s.connect(t)
		all.Go(func() {
			defer c.c.Close()
			c.do(t, "SELECT INBOX")
			for j := range each {
				c.append(t, "INBOX", 1000000+i*each+j)
				c.do(t, `STORE 1 +FLAGS (\Seen)`)
				c.do(t, "UID SEARCH UNSEEN")
				c.do(t, `UID STORE * +FLAGS (\Deleted)`)
				c.do(t, "EXPUNGE")
			}
		})
	}
	all.Wait()
}

// pushes measures from the end of an APPEND to EXISTS at a client in IDLE.
func pushes(t *testing.T, s *imapServer, n int) (median, p99 time.Duration) {
	idle, sender := s.connect(t), s.connect(t)
	idle.do(t, "SELECT INBOX")
	if err := idle.send("i IDLE\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := idle.untilContains("+ "); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for i := range n {
		told := make(chan time.Time, 1)
		go func() {
			if err := idle.untilContains(" EXISTS"); err != nil {
				t.Error(err)
			}
			told <- time.Now()
		}()
		sender.append(t, "INBOX", 2000000+i)
		sent := time.Now()
		took = append(took, max(0, (<-told).Sub(sent)))
		if err := idle.c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(took, cmp.Compare[time.Duration])
	return took[n/2], took[n*99/100]
}

// idleMemory returns what a connection in IDLE costs.
func idleMemory(t *testing.T, s *imapServer, n int) int {
	before := s.memory(t)
	for range n {
		c := s.connect(t)
		c.do(t, "SELECT INBOX")
		if err := c.send("i IDLE\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.untilContains("+ "); err != nil {
			t.Fatal(err)
		}
	}
	return (s.memory(t) - before) / n
}
