package imapd_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// client is the plainest of clients. It gives up after 60 s without an answer.
type client struct {
	tb testing.TB
	nc net.Conn
	r  *bufio.Reader
	n  int // commands sent
}

// newClient reads the greeting. The connection is closed at the end of the test.
func newClient(tb testing.TB, nc net.Conn) *client {
	tb.Helper()
	tb.Cleanup(func() { nc.Close() })
	c := &client{tb: tb, nc: nc, r: bufio.NewReader(nc)}
	if line := c.line(); !strings.HasPrefix(line, "* OK ") {
		tb.Fatalf("greeting: %q", line)
	}
	return c
}

// dial connects to the world's server.
func (w *world) dial(tb testing.TB) *client {
	tb.Helper()
	nc, err := net.Dial("tcp", w.address)
	if err != nil {
		tb.Fatal(err)
	}
	return newClient(tb, nc)
}

// dialPipe connects through a pipe, which buffers nothing: a write of the server
// waits until the client reads.
func (w *world) dialPipe(tb testing.TB) net.Conn {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.server.ServeConn(tb.Context(), theirs)
	}()
	tb.Cleanup(func() {
		ours.Close()
		<-done
	})
	return ours
}

// enter logs in.
func (c *client) enter(a mailbox.Created) *client {
	c.tb.Helper()
	c.ok("LOGIN %s %s", a.Address, a.Secret)
	return c
}

// startTLS puts the connection under TLS.
func (c *client) startTLS() {
	c.tb.Helper()
	c.ok("STARTTLS")
	_, config := testTLS()
	c.nc = tls.Client(c.nc, config)
	c.r = bufio.NewReader(c.nc)
}

// send sends a line, and line reads one, without its CRLF.
func (c *client) send(format string, args ...any) {
	c.tb.Helper()
	c.deadline()
	if _, err := fmt.Fprintf(c.nc, format+"\r\n", args...); err != nil {
		c.tb.Fatal(err)
	}
}

func (c *client) line() string {
	c.tb.Helper()
	c.deadline()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.tb.Fatalf("read: %v, after %q", err, line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

func (c *client) deadline() { _ = c.nc.SetDeadline(time.Now().Add(60 * time.Second)) }

// command sends a command, and returns its untagged responses and its answer
// without the tag.
func (c *client) command(format string, args ...any) (untagged []string, answer string) {
	c.tb.Helper()
	c.n++
	tag := fmt.Sprintf("t%d", c.n)
	c.send(tag+" "+format, args...)
	for {
		line := c.line()
		if answer, ok := strings.CutPrefix(line, tag+" "); ok {
			return untagged, answer
		}
		untagged = append(untagged, line)
	}
}

// ok sends a command that must not fail.
func (c *client) ok(format string, args ...any) []string {
	c.tb.Helper()
	untagged, answer := c.command(format, args...)
	if !strings.HasPrefix(answer, "OK") {
		c.tb.Fatalf("%s: %s", fmt.Sprintf(format, args...), answer)
	}
	return untagged
}

// ended reads to the end of the connection, and returns the last line before it.
func (c *client) ended() string {
	c.tb.Helper()
	c.deadline()
	last := ""
	for {
		line, err := c.r.ReadString('\n')
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			c.tb.Fatal("the server did not end the connection")
		}
		if err != nil {
			return last
		}
		last = strings.TrimSuffix(line, "\r\n")
	}
}
