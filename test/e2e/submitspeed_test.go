//go:build e2e && speed

package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// submitWarm and submitFor are how long mail goes before the clock runs, and
	// while it runs.
	submitWarm = 2 * time.Second
	submitFor  = 8 * time.Second

	// submitAccounts write to each other.
	submitAccounts = 16
)

// TestSpeedSubmit measures the whole way of a mail of about 4 KiB: submission over
// TLS, gate, seal, the disk, 250. The senders are in this process and the relays in
// their own; all keep their connections, and give MAIL, RCPT and DATA in one piece, as
// RFC 2920 allows. The processor time is that of relay and database alone. An
// acknowledgement takes from the last byte of a message until its 250 was read.
//
//	go test -tags 'e2e speed' -run SpeedSubmit -v ./test/e2e
//
// A part of it: -run 'SpeedSubmit/SQLite/16$'.
func TestSpeedSubmit(t *testing.T) {
	// As serve sets it for itself: what the relay frees is overwritten.
	t.Setenv("GODEBUG", "clobberfree=1")
	table := fmt.Sprintf("%-20s %7s %8s %9s %9s %10s %8s\n", "store", "senders", "mails/s", "relay µs", "store µs", "median ms", "p99 ms")
	for _, s := range []struct {
		name string
		open func(t *testing.T) *submitTarget
	}{
		{"SQLite", submitSQLite},
		{"PostgreSQL", func(t *testing.T) *submitTarget { return submitPostgres(t, 1) }},
		{"PostgreSQL_2_nodes", func(t *testing.T) *submitTarget { return submitPostgres(t, 2) }},
	} {
		t.Run(s.name, func(t *testing.T) {
			target := s.open(t)
			for _, senders := range []int{1, 16, 64, 256} {
				t.Run(strconv.Itoa(senders), func(t *testing.T) {
					line := target.measure(t, s.name, senders)
					t.Log(line)
					table += line + "\n"
				})
			}
		})
	}
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	t.Logf("load at the end %s\n%s", strings.Fields(string(load))[0], table)
}

// A submitTarget is what mail is submitted to: relays on one store.
type submitTarget struct {
	relays []*relay
	tls    *tls.Config
	server int // process of the store's own, 0 if there is none
	mail   string
	number atomic.Int64
}

func submitSQLite(t *testing.T) *submitTarget {
	return newSubmitTarget(t, []*relay{start(t, "--accounts", strconv.Itoa(submitAccounts))}, 0)
}

func submitPostgres(t *testing.T, nodes int) *submitTarget {
	server := startPostgres(t, "fsync=on", "max_connections=100")
	dir := filepath.Join(t.TempDir(), "1")
	flags := []string{"--store", server.url, "--accounts", strconv.Itoa(submitAccounts)}
	relays := []*relay{startIn(t, dir, flags...)}
	for len(relays) < nodes {
		next := filepath.Join(t.TempDir(), "next")
		run(t, "", nil, "cp", "-a", dir, next) // with the relay key
		relays = append(relays, startIn(t, next, flags...))
	}
	return newSubmitTarget(t, relays, server.pid)
}

func newSubmitTarget(t *testing.T, relays []*relay, server int) *submitTarget {
	t.Helper()
	people := relays[0].Accounts
	mail := newGnuPG(t, people[:2]).discreet(t, people[0], people[1], speedText())
	return &submitTarget{relays: relays, tls: relays[0].tls(t), server: server, mail: mail}
}

// measure submits mail for a while and returns a line of the table.
func (s *submitTarget) measure(t *testing.T, name string, senders int) string {
	posts := make([]*postman, senders)
	for i := range posts {
		posts[i] = s.newPostman(t, i)
	}
	var working, counting atomic.Bool
	working.Store(true)
	var sending sync.WaitGroup
	for _, p := range posts {
		sending.Go(func() { p.work(t, s, &working, &counting) })
	}
	time.Sleep(submitWarm) // the measurement's own length
	began, relay, store := time.Now(), s.relayTime(t), cpuTime(t, s.server)
	counting.Store(true)
	time.Sleep(submitFor)
	counting.Store(false)
	took, relay, store := time.Since(began), s.relayTime(t)-relay, cpuTime(t, s.server)-store
	working.Store(false)
	sending.Wait()
	var waits []time.Duration
	for _, p := range posts {
		waits = append(waits, p.waits...)
	}
	slices.Sort(waits)
	n := len(waits)
	if n == 0 {
		t.Fatal("no mail was taken")
	}
	return fmt.Sprintf("%-20s %7d %8.0f %9d %9d %10.1f %8.1f", name, senders, float64(n)/took.Seconds(),
		relay.Microseconds()/int64(n), store.Microseconds()/int64(n), milliseconds(waits[n/2]), milliseconds(waits[n*99/100]))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (s *submitTarget) relayTime(t *testing.T) (sum time.Duration) {
	for _, r := range s.relays {
		sum += cpuTime(t, r.PID)
	}
	return sum
}

// cpuTime is the processor time that a process and its children have used.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	if pid == 0 {
		return 0
	}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, file := range all {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The second field is the program's name, in parentheses (proc(5)).
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if f[1] != strconv.Itoa(pid) && file != fmt.Sprintf("/proc/%d/stat", pid) {
			continue
		}
		for _, ticks := range f[11:13] { // utime and stime
			n, err := strconv.Atoi(ticks)
			must(t, err)
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

// A postman is one connection that submits mail. Unlike a mail library he does next to
// nothing besides, so that the relay has the processor.
type postman struct {
	conn     *tls.Conn
	replies  *bufio.Reader
	envelope []byte
	mail     string
	waits    []time.Duration
}

// newPostman logs one of the accounts in, who writes to the next.
func (s *submitTarget) newPostman(t *testing.T, i int) *postman {
	t.Helper()
	from, to := s.relays[0].Accounts[i%submitAccounts], s.relays[0].Accounts[(i+1)%submitAccounts]
	conn := tls.Client(dial(t, s.relays[i%len(s.relays)].SMTPS), s.tls)
	t.Cleanup(func() { conn.Close() })
	mail := strings.Replace(s.mail, s.relays[0].Accounts[0].Address, from.Address, 1)
	p := &postman{conn: conn, replies: bufio.NewReaderSize(conn, 1024), mail: mail}
	must(t, p.reply("220"))
	must(t, p.say("EHLO speed.invalid\r\n", "250"))
	login := base64.StdEncoding.EncodeToString([]byte("\x00" + from.Address + "\x00" + from.Password))
	must(t, p.say("AUTH PLAIN "+login+"\r\n", "235"))
	p.envelope = fmt.Appendf(nil, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from.Address, to.Address)
	return p
}

// work sends mail until it is to end, and counts what is answered when it should.
func (p *postman) work(t *testing.T, s *submitTarget, working, counting *atomic.Bool) {
	for working.Load() {
		id := fmt.Sprintf("Message-ID: <%d@speed.invalid>", s.number.Add(1))
		mail := messageID.ReplaceAllString(p.mail, id) + ".\r\n"
		took, err := p.send(mail)
		if err != nil {
			t.Errorf("a sender gave up: %v", err)
			return
		}
		if counting.Load() {
			p.waits = append(p.waits, took)
		}
	}
}

// send sends one mail and returns how long its acknowledgement took.
func (p *postman) send(mail string) (time.Duration, error) {
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := p.conn.Write(p.envelope); err != nil {
		return 0, err
	}
	if err := errors.Join(p.reply("250"), p.reply("250"), p.reply("354")); err != nil {
		return 0, err
	}
	sent := time.Now()
	err := p.say(mail, "250")
	return time.Since(sent), err
}

func (p *postman) say(text, want string) error {
	if _, err := p.conn.Write([]byte(text)); err != nil {
		return err
	}
	return p.reply(want)
}

// reply reads one reply (RFC 5321, 4.2.1).
func (p *postman) reply(want string) error {
	for {
		line, err := p.replies.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(line), want) {
			return fmt.Errorf("got %q, want %s", line, want)
		}
		if line[3] == ' ' {
			return nil
		}
	}
}
