package listen

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/test/logbook"
)

func TestMaxConns(t *testing.T) {
	t.Parallel()
	book := &logbook.Book{}
	l := open(t, Options{Name: "imaps", MaxConns: 2, Log: book.Logger()})
	dial(t, l)
	first := accept(t, l)
	dial(t, l)
	accept(t, l)
	refused := dial(t, l)
	wantClosed(t, refused)
	if !strings.Contains(book.String(), `reason="too many connections"`) || !strings.Contains(book.String(), "listener=imaps") {
		t.Errorf("log: %s\nwant the refusal", book)
	}
	first.Close()
	first.Close() // gives its place only once
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) != 1 {
		t.Errorf("%d connections are counted, want 1", len(l.conns))
	}
}

func TestMaxPerNetwork(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Network: Proxy, TrustedProxies: []netip.Prefix{loopback}, MaxPerNetwork: 2})
	var servers []net.Conn
	for _, ip := range []string{"198.51.100.1", "198.51.100.2", "203.0.113.1"} {
		dialProxied(t, l, ip)
		servers = append(servers, accept(t, l))
	}
	refused := dialProxied(t, l, "198.51.100.3")
	wantClosed(t, refused)
	if PeerOf(servers[0]) != PeerOf(servers[1]) || PeerOf(servers[0]) == PeerOf(servers[2]) {
		t.Error("the peers do not tell networks apart")
	}
	for _, s := range servers {
		s.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.perNetwork) != 0 {
		t.Errorf("%d networks are remembered after their connections", len(l.perNetwork))
	}
}

func TestMaxPerNetworkByAddress(t *testing.T) {
	t.Parallel()
	l := open(t, Options{MaxPerNetwork: 1})
	dial(t, l)
	accept(t, l)
	refused := dial(t, l)
	wantClosed(t, refused)
}

func TestSharedHasNoLimitPerNetwork(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Network: Shared, MaxPerNetwork: 1})
	for range 3 {
		dial(t, l)
		c := accept(t, l)
		if PeerOf(c).Known() {
			t.Error("a shared listener tells peers apart")
		}
		if _, ok := ClientIP(c); ok {
			t.Error("a shared listener knows an address")
		}
	}
}

func TestOldestHandshakeGivesWay(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), MaxHandshakes: 2, HandshakeTimeout: patience})
	serveEcho(t, l)
	oldest := dial(t, l)
	dial(t, l)
	echo(t, tls.Client(dial(t, l), &tls.Config{RootCAs: roots, ServerName: "mail.test"}))
	wantClosed(t, oldest)
}

// A brokenSocket fails in a way of its own before and after it works.
type brokenSocket struct {
	net.Listener
	errs chan error
}

func (b *brokenSocket) Accept() (net.Conn, error) {
	if err := <-b.errs; err != nil {
		return nil, err
	}
	return b.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	book := &logbook.Book{}
	socket := &brokenSocket{Listener: ln, errs: make(chan error)}
	l, err := New(socket, Options{Log: book.Logger(), StopTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Stop()
	served := make(chan error, 1)
	go func() { served <- l.Serve(t.Context(), nil) }()
	socket.errs <- syscall.EMFILE
	socket.errs <- syscall.ECONNABORTED
	socket.errs <- &net.OpError{Op: "accept", Addr: ln.Addr(), Err: syscall.EBADF}
	err = <-served
	if err == nil || !strings.Contains(err.Error(), syscall.EBADF.Error()) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("Serve: %v, want the failure of the socket without its address", err)
	}
	if !strings.Contains(book.String(), "out of files") {
		t.Errorf("log: %s\nwant the shortage", book)
	}
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	book := &logbook.Book{}
	now := &clock{now: time.Unix(1e9, 0)}
	r := newRefusals(book.Logger(), now.Now)
	for i := range 100 {
		r.add("a flood")
		if i == 98 {
			now.advance(refusalInterval)
		}
	}
	r.add("another thing")
	var got []string
	for line := range strings.Lines(book.String()) {
		_, attrs, _ := strings.Cut(strings.TrimSpace(line), "reason=")
		got = append(got, attrs)
	}
	want := []string{`"a flood" connections=1`, `"a flood" connections=99`, `"another thing" connections=1`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("log lines: got %q, want %q", got, want)
	}
}
