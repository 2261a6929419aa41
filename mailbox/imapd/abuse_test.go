package imapd_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox/imapd"
)

// heap returns the bytes in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Ten thousand wrong passwords on one connection cost the server no memory, and
// the owner still gets in. It is not parallel because it measures memory.
func TestLoginFlood(t *testing.T) {
	const tries = 10_000
	w := newWorld(t, func(o *imapd.Options) { o.Limits.Logins = tries + 1 })
	created := w.account(t, "b@example.org")
	c := w.dial(t)
	var before uint64
	for i := range tries {
		// A generated secret is checked quickly, a chosen one is not.
		_, answer := c.command("LOGIN nobody%d@example.org %s", i, created.Secret)
		if !strings.HasPrefix(answer, "NO [AUTHENTICATIONFAILED]") {
			t.Fatalf("try %d: %s", i, answer)
		}
		if i == tries/10 {
			before = heap()
		}
	}
	if after := heap(); after > before+8<<20 {
		t.Errorf("%d failed logins have raised the heap from %d to %d bytes", tries, before, after)
	}
	c.enter(created)
}

// Slow loris: one byte now and then does not hold a connection for ever.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *imapd.Options) { o.Limits.Progress = 300 * time.Millisecond })
	created := w.account(t, "b@example.org")
	for _, tt := range []struct{ name, begin string }{
		{"line", "a CREATE "},
		{"literal", "a CREATE {1000+}\r\n"},
		{"refused literal", "a NOSUCH {1000+}\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := w.dial(t).enter(created)
			c.deadline()
			pace := time.NewTicker(30 * time.Millisecond)
			defer pace.Stop()
			begin := time.Now()
			for _, err := c.nc.Write([]byte(tt.begin)); err == nil; _, err = c.nc.Write([]byte("x")) {
				if time.Since(begin) > 20*time.Second {
					t.Fatal("the server goes on waiting")
				}
				<-pace.C
			}
		})
	}
}

// B7: a client that announces TLS and then says nothing is cut off.
func TestSilentHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *imapd.Options) {
		o.TLS, _ = testTLS()
		o.Limits.Greeting = 100 * time.Millisecond
	})
	c := w.dial(t)
	c.ok("STARTTLS")
	c.ended()
}

// A client that stops reading holds up nobody.
func TestStuckReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // with deadlines longer than those of this test's clients
	created := w.account(t, "b@example.org")
	stuck := newClient(t, w.dialPipe(t)).enter(created)
	stuck.ok("SELECT INBOX")
	stuck.send("a IDLE")
	stuck.line()
	other := w.dial(t).enter(created)
	other.ok("SELECT INBOX")
	for i := range 20 {
		if err := w.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
			t.Fatal(err)
		}
		if got, want := other.ok("NOOP")[0], fmt.Sprintf("* %d EXISTS", i+1); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	// Nothing was queued for it but the first: all others are told as one.
	if got, want := stuck.line(), "* 1 EXISTS"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for line := ""; line != "* 20 EXISTS"; {
		line = stuck.line()
	}
}

// And it is cut off when it does not read for long.
func TestStuckReaderIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *imapd.Options) { o.Limits.Progress = 200 * time.Millisecond })
	created := w.account(t, "b@example.org")
	ours, theirs := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.server.ServeConn(t.Context(), theirs)
	}()
	stuck := newClient(t, ours).enter(created)
	stuck.ok("SELECT INBOX")
	stuck.send("a IDLE")
	stuck.line()
	if err := w.deliver(t.Context(), "b@example.org", message("m")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatal("the connection did not end")
	}
}

// Whatever comes in, the server lives and its connections end.
func TestGarbage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	words := []string{
		"a ", "* ", "\r\n", "{5+}\r\n", "{5}\r\n", "{99999999999999999999+}\r\n", "(", ")", "\"", "\\", "LOGIN ", "FETCH ", "1:*", "$",
		"UID ", "LIST ", "SELECT INBOX", "IDLE", "DONE", "\x00", "\xff", "APPEND ", "AUTHENTICATE PLAIN", "~{3+}\r\n", "BODY[", "]<0.",
	}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		nc, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		var sent bytes.Buffer
		if seed%2 == 0 {
			fmt.Fprintf(&sent, "l LOGIN b %s\r\n", created.Secret)
		}
		for range 300 {
			sent.WriteString(words[r.IntN(len(words))])
		}
		c := newClient(t, nc)
		c.deadline()
		go func() {
			_, _ = nc.Write(sent.Bytes()) // the server may end the connection before
			_ = nc.(*net.TCPConn).CloseWrite()
		}()
		c.ended()
	}
	w.dial(t).enter(created).ok("SELECT INBOX")
}

// Connections that break off in a literal are not waited for.
func TestTruncatedLiteral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	for _, begin := range []string{
		"a CREATE {10}\r\n", "a CREATE {10}\r\nabc", "a CREATE {10+}\r\nabc", "a CREATE {10", "a NOSUCH {10+}\r\nabc",
	} {
		ended := make(chan struct{})
		ours, theirs := net.Pipe()
		go func() {
			defer close(ended)
			w.server.ServeConn(t.Context(), theirs)
		}()
		c := newClient(t, ours).enter(created)
		c.deadline()
		if _, err := ours.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
		ours.Close()
		select {
		case <-ended:
		case <-time.After(60 * time.Second):
			t.Fatalf("%q: the connection did not end", begin)
		}
	}
	if got := w.dial(t).enter(created).ok(`LIST "" a*`); len(got) != 0 {
		t.Errorf("something was made: %q", got)
	}
}

// A client that goes on sending what was refused is heard out only so far.
func TestTooMuchRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *imapd.Options) { o.Limits.Message = 1 << 20 })
	c := w.dial(t)
	c.send("a NOSUCH {4000000+}")
	if got, want := c.ended(), "* BYE Too much data for a command that was refused"; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
}
