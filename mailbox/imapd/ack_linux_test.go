package imapd_test

import (
	"net"
	"slices"
	"testing"
	"time"
)

// A client whose system holds back small writes, as Python's imaplib has it, sends a
// literal and then the CRLF. Without hurryAck each such command takes 40 ms.
func TestLiteralThenCRLF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.dial(t).enter(w.account(t, "b@example.org"))
	if err := c.nc.(*net.TCPConn).SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range 31 {
		begin := time.Now()
		c.send(`a LIST "" {3}`)
		c.line()
		for _, part := range []string{"abc", "\r\n"} {
			if _, err := c.nc.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := c.line(), "a OK LIST completed"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 30*time.Millisecond {
		t.Errorf("a command with a literal takes %v", median)
	}
}
