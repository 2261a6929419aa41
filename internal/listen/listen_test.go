package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// patience bounds what a test waits for that comes at once on a healthy system.
const patience = 30 * time.Second

// loopback is the network of all test clients.
var loopback = netip.MustParsePrefix("127.0.0.0/8")

// open returns a listener on a free port of loopback, which the test stops.
func open(t *testing.T, opts Options) *Listener {
	t.Helper()
	orDefault(&opts.StopTimeout, time.Millisecond)
	l, err := Listen(t.Context(), "127.0.0.1:0", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	return l
}

// dial connects to the listener.
func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// accept returns the next ready connection.
func accept(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	guard := time.AfterFunc(patience, func() { l.Close() })
	defer guard.Stop()
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// wantClosed fails the test unless the server closes the connection without a
// word.
func wantClosed(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if n > 0 || err == nil || (errors.As(err, &timeout) && timeout.Timeout()) {
		t.Fatalf("read: %d bytes, %v; want a closed connection", n, err)
	}
}

// wantTalk fails the test unless a line goes from one end to the other.
func wantTalk(t *testing.T, client, server net.Conn) {
	t.Helper()
	if _, err := server.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(client, buf); err != nil || string(buf) != "hello" {
		t.Fatalf("read %q, %v; want hello", buf, err)
	}
}

func TestPlainConnections(t *testing.T) {
	t.Parallel()
	l := open(t, Options{})
	client := dial(t, l)
	wantTalk(t, client, accept(t, l))
}

func TestTLSIsOutermostAndReady(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	l := open(t, Options{TLS: certs.Config("imap")})
	raw := dial(t, l)
	client := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "mail.test"})
	handshake := make(chan error, 1)
	go func() { handshake <- client.Handshake() }()
	server, ok := accept(t, l).(*tls.Conn)
	if !ok {
		t.Fatal("the accepted connection is no *tls.Conn")
	}
	if err := <-handshake; err != nil {
		t.Fatal(err)
	}
	if !server.ConnectionState().HandshakeComplete {
		t.Error("the connection was handed over before its handshake")
	}
	wantTalk(t, client, server)
	if !PeerOf(server).Known() {
		t.Error("PeerOf does not see through TLS")
	}
}

func TestSilentPeerIsCutOff(t *testing.T) {
	t.Parallel()
	certs, _ := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), HandshakeTimeout: 50 * time.Millisecond})
	serveEcho(t, l)
	wantClosed(t, dial(t, l))
}

// TestTricklingPeerIsCutOff sends a ClientHello byte by byte: progress does not
// move the deadline.
func TestTricklingPeerIsCutOff(t *testing.T) {
	t.Parallel()
	certs, _ := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), HandshakeTimeout: 100 * time.Millisecond})
	serveEcho(t, l)
	client := dial(t, l)
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	hello := append([]byte{22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb}, make([]byte, 16000)...)
	for i := range hello {
		<-pace.C
		if _, err := client.Write(hello[i : i+1]); err != nil {
			return // reset by the server, as it should be
		}
	}
	t.Fatal("the server took the whole trickle")
}

func TestSilentPeerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), HandshakeTimeout: patience})
	serveEcho(t, l)
	for range 10 {
		dial(t, l) // and never says a word
	}
	echo(t, tls.Client(dial(t, l), &tls.Config{RootCAs: roots, ServerName: "mail.test"}))
}

func TestPlaintextOnTLSPortIsClosed(t *testing.T) {
	t.Parallel()
	certs, _ := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), HandshakeTimeout: patience})
	serveEcho(t, l)
	client := dial(t, l)
	if _, err := client.Write([]byte("a LOGIN alice secret\r\n")); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, client)
}

func TestServeStopsWithContext(t *testing.T) {
	t.Parallel()
	l := open(t, Options{StopTimeout: patience})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(ctx, func(ctx context.Context, c net.Conn) {
			fmt.Fprint(c, "+")
			<-ctx.Done()
			fmt.Fprint(c, "bye")
		})
	}()
	client := dial(t, l)
	if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	rest, err := io.ReadAll(client)
	if err != nil || string(rest) != "bye" {
		t.Errorf("read %q, %v; want the handler's last word", rest, err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v, want nil", err)
	}
}

func TestStopClosesWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	l := open(t, Options{StopTimeout: time.Millisecond})
	client := dial(t, l)
	server := accept(t, l)
	l.Stop()
	wantClosed(t, client)
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read on the server's end: %v, want net.ErrClosed", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v, want net.ErrClosed", err)
	}
	l.Stop() // again, which has no effect
}

func TestCloseKeepsAcceptedConnections(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	l := open(t, Options{TLS: certs.Config(), HandshakeTimeout: patience})
	client := tls.Client(dial(t, l), &tls.Config{RootCAs: roots, ServerName: "mail.test"})
	handshake := make(chan error, 1)
	go func() { handshake <- client.Handshake() }()
	server := accept(t, l)
	if err := <-handshake; err != nil {
		t.Fatal(err)
	}
	unready := dial(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, unready)
	wantTalk(t, client, server)
}

func TestStopWaitsForConnections(t *testing.T) {
	t.Parallel()
	l := open(t, Options{StopTimeout: patience})
	dial(t, l)
	server := accept(t, l)
	stopped := make(chan struct{})
	go func() { l.Stop(); close(stopped) }()
	<-l.done // Stop has begun
	select {
	case <-stopped:
		t.Fatal("Stop did not wait for the open connection")
	default:
	}
	server.Close()
	<-stopped
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := New(ln, Options{Network: "tor"}); err == nil {
		t.Error("an unknown network was taken")
	}
	if _, err := New(ln, Options{Network: Proxy}); err == nil {
		t.Error("a proxy listener without trusted proxies was taken")
	}
	if _, err := Listen(t.Context(), ln.Addr().String(), Options{}); err == nil {
		t.Error("an address in use was taken")
	}
}

// serveEcho serves the listener until the test ends; each connection gets back
// what it sends.
func serveEcho(t *testing.T, l *Listener) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Serve(t.Context(), func(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) }); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(wg.Wait)
}

// echo fails the test unless the connection gives back what it is sent.
func echo(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "ping" {
		t.Fatalf("read %q, %v; want ping", buf, err)
	}
}

// A clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
