package mta

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A pipeListener gives out the server ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return noAddr{} }

// dial returns the client's end of a new connection.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// startPipes runs a server without a mailbox service, for what comes before MAIL.
func startPipes(t testing.TB, r role) *pipeListener {
	t.Helper()
	s := &Server{o: Options{Hostname: "mail.here.example", Limits: Limits{}.withDefaults(), Log: slog.New(slog.DiscardHandler), Peer: noPeer}}
	s.o.TLS = &tls.Config{} // no client gets so far as to use it
	l := newPipeListener()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, l, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// bareWire returns a wire that the test reads from, and the client's end.
func bareWire(t *testing.T) (*wire, net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	e := &endpoint{hostname: "mail.here.example", limits: Limits{}.withDefaults()}
	return &wire{server: e, limits: e.limits, role: exchange, conn: server}, client
}

// pace sends the text again and again until the connection is closed, and
// returns a function that waits for that.
func pace(c net.Conn, every time.Duration, text string) (wait func()) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			time.Sleep(every)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	})
	return running.Wait
}

// lines reads lines from a connection to its end and says when each came.
func lines(c net.Conn, start time.Time) []string {
	var got []string
	for scan := bufio.NewScanner(c); scan.Scan(); {
		got = append(got, time.Since(start).String()+" "+scan.Text())
	}
	return got
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := startPipes(t, exchange).dial()
		start := time.Now()
		go func() {
			time.Sleep(4 * time.Minute)
			io.WriteString(c, "NOOP\r\n")
		}()
		want := []string{"0s 220 mail.here.example ESMTP Service Ready", "4m0s 250 2.0.0 Ok", "9m0s 421 4.4.2 The connection was idle too long"}
		if diff := cmp.Diff(want, lines(c, start)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLoginTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := startPipes(t, submission).dial()
		start := time.Now()
		defer pace(c, 50*time.Second, "NOOP\r\n")()
		want := []string{"0s 220 mail.here.example ESMTP Service Ready", "50s 250 2.0.0 Ok", "1m40s 250 2.0.0 Ok", "2m0s 421 4.4.2 The connection was idle too long"}
		if diff := cmp.Diff(want, lines(c, start)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A command that trickles in has no more time than one that stops.
func TestTricklingCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, client := bareWire(t)
		defer pace(client, 10*time.Second, "x")()
		go io.Copy(io.Discard, client)
		start := time.Now()
		_, err := io.Copy(io.Discard, w)
		if got := time.Since(start); got != 2*time.Minute+10*time.Second || !errors.Is(err, errLost) {
			t.Errorf("ended after %v with %v", got, err)
		}
		w.Close()
	})
}

// A message may take as long as it likes, if only it comes on: the deadline is
// not one for the whole, as the engine's is.
func TestSlowMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, client := bareWire(t)
		w.beginMessage()
		go func() {
			for range 60 {
				time.Sleep(50 * time.Second)
				io.WriteString(client, strings.Repeat("x", progressBytes/2))
			}
			client.Close()
		}()
		n, err := io.Copy(io.Discard, w)
		if want := int64(60 * progressBytes / 2); n != want || !errors.Is(err, errLost) {
			t.Errorf("read %d bytes and %v, want %d", n, err, want)
		}
	})
}

// After a read that took too long nothing is read, though there be something.
func TestSlowMessageNeverBecomesCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, client := bareWire(t)
		w.beginMessage()
		heard := make(chan []string)
		go func() { heard <- lines(client, time.Now()) }()
		go func() {
			io.WriteString(client, "From: zoe@there.example\r\n")
			time.Sleep(3 * time.Minute)
			io.WriteString(client, "\r\nMAIL FROM:<zoe@there.example>\r\n") // fails when the wire is closed
		}()
		got, err := io.ReadAll(w)
		if string(got) != "From: zoe@there.example\r\n" || !errors.Is(err, errLost) {
			t.Errorf("read %q and %v", got, err)
		}
		time.Sleep(2 * time.Minute)
		if n, err := w.Read(make([]byte, 100)); n != 0 || !errors.Is(err, errLost) {
			t.Errorf("then read %d bytes and %v", n, err)
		}
		w.Close()
		want := []string{"2m0s 421 4.4.2 The connection is too slow"}
		if diff := cmp.Diff(want, <-heard); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
