package imapd_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/test/logbook"
)

// serving runs Serve on a socket of its own.
func serving(t *testing.T, s *imapd.Server) (address string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, ln) }()
	return ln.Addr().String(), cancel, result
}

func dialAt(t *testing.T, address string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

func TestStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	address, stop, done := serving(t, w.server)
	waiting := dialAt(t, address)
	idling := dialAt(t, address).enter(created)
	idling.send("a IDLE")
	idling.line()
	halfway := dialAt(t, address).enter(created)
	halfway.send("a LOGIN {10}")
	stop()
	for name, c := range map[string]*client{"before login": waiting, "in IDLE": idling, "in a command": halfway} {
		if got, want := c.ended(), "* BYE The relay is stopping, come back soon"; got != want {
			t.Errorf("%s: last line %q, want %q", name, got, want)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the socket is still open")
	}
}

// A client that does not read its BYE must not keep the server from stopping.
func TestStopCutsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *imapd.Options) { o.Limits.Stop = 50 * time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	ours, theirs := net.Pipe()
	defer ours.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.server.ServeConn(ctx, theirs)
	}()
	newClient(t, ours)
	stop()
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Fatal("the connection did not end")
	}
}

// brokenListener accepts one connection and then fails.
type brokenListener struct {
	net.Listener
	conns chan net.Conn
}

var errBroken = errors.New("out of sockets")

func (l *brokenListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, errBroken
	}
	return c, nil
}

func TestListenerFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken := &brokenListener{Listener: ln, conns: make(chan net.Conn, 1)}
	ours, theirs := net.Pipe()
	broken.conns <- theirs
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(t.Context(), broken) }()
	c := newClient(t, ours)
	close(broken.conns)
	if got, want := c.ended(), "* BYE The relay is stopping, come back soon"; got != want {
		t.Errorf("last line %q, want %q", got, want)
	}
	if err := <-done; !errors.Is(err, errBroken) {
		t.Errorf("Serve: %v, want %v", err, errBroken)
	}
}

// A panic ends its connection, and no other.
func TestPanic(t *testing.T) {
	t.Parallel()
	log := &logbook.Book{}
	w := newWorld(t, func(o *imapd.Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Peer = func(net.Conn) mailbox.Peer { panic("geheim") }
	})
	other := w.dial(t)
	c := w.dial(t)
	c.send("a LOGIN b@example.org geheim")
	if last := c.ended(); last != "" {
		t.Errorf("the connection said %q", last)
	}
	other.ok("NOOP")
	if text := log.String(); !strings.Contains(text, "panic in a session") || strings.Contains(text, "geheim") {
		t.Errorf("log: %s", text)
	}
}

// What a client was told of is not recent any more for another node, or after a
// restart.
func TestRecentIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	if err := w.deliver(t.Context(), "b@example.org", message("m")); err != nil {
		t.Fatal(err)
	}
	first := w.dial(t).enter(created)
	if got := first.ok("SELECT INBOX")[1]; got != "* 1 RECENT" {
		t.Errorf("first session: %q", got)
	}
	first.ok("LOGOUT")
	first.ended()
	address, stop, done := serving(t, imapd.New(imapd.Options{Service: w.Service, InsecureAuth: true}))
	second := dialAt(t, address).enter(created)
	if got := second.ok("SELECT INBOX")[1]; got != "* 0 RECENT" {
		t.Errorf("second session: %q", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
