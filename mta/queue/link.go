package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

var (
	errSlow        = errors.New("queue: the server makes no progress")
	errHungUp      = errors.New("queue: the connection was lost")
	errInterrupted = errors.New("queue: the attempt was broken off")
)

// writeStep is how much a peer must take in each Timeouts.Progress.
const writeStep = 16 << 10

// A link is a connection with deadlines that move on with progress: each reply
// has to be there within its time, and each writeStep bytes have to be taken
// within theirs. Its errors are those above: what package net returns names
// addresses.
//
// One goroutine reads and writes; interrupt may be called by any.
type link struct {
	progress time.Duration

	mu          sync.Mutex
	conn        net.Conn
	interrupted bool
}

// during makes the end of ctx the end of the link. release must be called when
// that is no longer wanted.
func (l *link) during(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, l.interrupt)
	return func() { stop() }
}

// interrupt makes everything that waits return, for good.
func (l *link) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupted = true
	_ = l.conn.SetDeadline(time.Unix(1, 0)) // a closed connection waits for nothing
}

// expect sets how long reads may take from now on, all together.
func (l *link) expect(d time.Duration) error {
	return l.arm(func(c net.Conn) error { return c.SetReadDeadline(time.Now().Add(d)) })
}

func (l *link) arm(set func(net.Conn) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interrupted {
		return errInterrupted
	}
	if set(l.conn) != nil {
		return errHungUp
	}
	return nil
}

// Read implements io.Reader. Call expect before.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	return n, l.translate(err)
}

// Write implements io.Writer.
func (l *link) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		err := l.arm(func(c net.Conn) error { return c.SetWriteDeadline(time.Now().Add(l.progress)) })
		if err != nil {
			return done, err
		}
		n, err := l.conn.Write(p[done:min(done+writeStep, len(p))])
		done += n
		if err != nil {
			return done, l.translate(err)
		}
	}
	return done, nil
}

// translate puts an error of package net into our words.
func (l *link) translate(err error) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var timeout net.Error
	switch {
	case l.interrupted:
		return errInterrupted
	case errors.As(err, &timeout) && timeout.Timeout():
		return errSlow
	}
	return errHungUp
}

// upgrade does a TLS handshake and goes on with TLS.
func (l *link) upgrade(ctx context.Context, config *tls.Config, d time.Duration) error {
	// The deadlines of the last command are not those of the handshake.
	if err := l.arm(func(c net.Conn) error { return c.SetDeadline(time.Time{}) }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	secure := tls.Client(l.conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return tlsError(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = secure
	return nil
}

// close ends the connection without a word: TLS would say goodbye, and wait for
// a peer that does not listen.
func (l *link) close() {
	conn := l.conn
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.Close() // there is nobody to tell
}

// dialTLS opens a connection that is TLS from its first byte.
func dialTLS(ctx context.Context, dial func() (net.Conn, error), config *tls.Config, d time.Duration) (net.Conn, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake has said all there is to say
		return nil, tlsError(err)
	}
	return secure, nil
}
