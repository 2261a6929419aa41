package mta

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// errLost is what every read after the end of a connection returns. The engine
// leaves quietly when it meets net.ErrClosed.
var errLost = fmt.Errorf("mta: connection lost: %w", net.ErrClosed)

// lingerTime and lingerBytes bound the wait for a peer to stop sending before a
// connection is closed with an error. Closing at once would make the peer's
// system throw the reply away.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 4 << 20
)

// phase is what the bytes that come in are part of.
type phase int

const (
	inCommands phase = iota
	inMessage        // Session.Data reads
	inRemains        // Session.Data has returned; the engine reads what it left
)

// A wire is the connection as the engine sees it. The engine knows nothing of
// TLS: the wire does the handshake, carries out STARTTLS itself before the
// engine sees the first command, and so keeps hold of the plain text on both
// ways. On that it does what the engine has no means for:
//
//   - Deadlines move on with progress, in commands and in messages alike, and
//     bytes that trickle in are none (receive.go). After the first failed read
//     nothing is read any more: the rest of a message whose sender was too slow
//     never becomes commands.
//   - Replies are collected and sent when the engine waits for the client
//     (say.go).
//   - The engine's own replies are put into our words (reword.go): it repeats
//     the EHLO name and addresses.
//   - Commands and errors are counted, and too many end the connection.
//   - A stopping server says 421 to connections between two commands.
//
// Its methods belong to the goroutine of the connection, except for those that
// take mu: the rest of this file below Read, but for Close.
type wire struct {
	server *endpoint
	limits Limits
	role   role
	peer   mailbox.Peer

	started  bool
	prelude  bool   // STARTTLS may still come
	early    []byte // has come in, and the engine has not read it
	mute     int    // so many of the engine's replies are not sent
	partial  []byte // of the engine's reply
	out      []byte // replies to be sent
	err      error  // what every Read returns
	linger   bool   // the last reply was an error
	replied  time.Time
	opened   time.Time
	mark     time.Time // of the last progress
	progress int       // bytes since mark
	since    int64     // bytes since the last reply
	chunked  bool      // between two chunks of a message
	midLine  bool      // the last byte was not the end of a line

	readAhead bool // the engine may have what comes behind a command
	dotCR     dotCR
	lines     int // since the last reply

	beforeRecipient bool // the next bytes are a command, which may be RCPT

	errors int    // since the last message that was kept
	lately window // commands since then
	tally  tally

	mu       sync.Mutex // guards what follows
	conn     net.Conn
	secure   bool // conn is TLS
	phase    phase
	result   reply // of the message, while inRemains
	loggedIn bool
	stopping bool
	closed   bool
}

// start makes the connection ready: it does the TLS handshake, or with a plain
// connection the prelude.
func (w *wire) start() error {
	w.started = true
	now := time.Now()
	w.opened, w.replied, w.mark = now, now, now
	if c, ok := w.conn.(*tls.Conn); ok {
		return w.handshake(c)
	}
	if w.server.tls != nil {
		return w.beforeTLS()
	}
	return nil
}

// handshake completes the TLS handshake within its own deadline and makes c the
// connection.
func (w *wire) handshake(c *tls.Conn) error {
	ctx, cancel := context.WithTimeout(w.server.ctx, w.limits.HandshakeTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return errLost
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.secure = c, true
	return nil
}

// Read gives the engine what the client sent. All errors are final, and the end
// of the connection is an error: the engine would take a BDAT chunk that ends
// early for a whole one.
func (w *wire) Read(b []byte) (int, error) {
	if !w.started {
		if err := w.start(); err != nil {
			return 0, w.fail(err)
		}
	}
	chunk := w.inMessage()
	w.readAhead = w.readAhead || chunk
	return w.next(b, chunk)
}

// next reads what comes next, or if not much no more than one line of it: for what
// comes behind DATA is not the engine's.
func (w *wire) next(b []byte, much bool) (int, error) {
	var n int
	if len(w.early) > 0 {
		n = copy(b, firstOf(w.early, much))
		w.early = w.early[n:]
	} else {
		var err error
		if n, err = w.receive(b); err != nil {
			return 0, err
		}
		if line, ok := w.completed(b[:n]); ok {
			w.early = line
			return w.next(b, much)
		}
		line := len(firstOf(b[:n], much))
		w.early, n = bytes.Clone(b[line:n]), line
	}
	w.midLine = b[n-1] != '\n'
	return n, nil
}

// firstOf returns the first line in b, or as much as there is of it; or all of b.
func firstOf(b []byte, all bool) []byte {
	if end := bytes.IndexByte(b, '\n') + 1; end > 0 && !all {
		return b[:end]
	}
	return b
}

// completed returns what came in with the domain that the engine misses in it, if so.
func (w *wire) completed(b []byte) ([]byte, bool) {
	if !w.beforeRecipient {
		return nil, false
	}
	w.beforeRecipient = false
	return withDomain(b, w.server.domains[0])
}

// inMessage reports whether the session reads a message.
func (w *wire) inMessage() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase == inMessage
}

// beginMessage says that the session reads the message. With BDAT it is called
// from another goroutine than the connection's.
func (w *wire) beginMessage() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = inMessage
}

// endMessage says what the reply to the message will be, when the session has
// read as much of it as it wants.
func (w *wire) endMessage(r reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase, w.result = inRemains, r
}

// setLoggedIn lifts LoginTimeout.
func (w *wire) setLoggedIn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loggedIn = true
}

// isSecure reports whether the connection is TLS.
func (w *wire) isSecure() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.secure
}

// client returns the address of the client, for SPF and for nothing else; it may be
// unknown.
func (w *wire) client() netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	ip, _ := w.server.clientIP(w.conn)
	return ip
}

// stop ends the connection as soon as no message is under way.
func (w *wire) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	if w.phase == inCommands {
		_ = w.conn.SetReadDeadline(time.Now()) // it only wakes a Read up
	}
}

// cut closes the connection under whatever it is doing.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn := w.conn
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn() // TLS would first say goodbye, and wait for that
	}
	_ = conn.Close() // there is nobody to tell
}

// Close sends what is due and closes the connection. It may be called twice.
func (w *wire) Close() error {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if again {
		return nil
	}
	defer w.server.remove(w)
	w.flush()
	if w.linger {
		w.drain()
	}
	return w.conn.Close()
}

// drain lets the peer read the last reply before the connection is gone.
func (w *wire) drain() {
	half, ok := w.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || w.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	var waste [4096]byte
	for left := lingerBytes; left > 0; {
		n, err := w.conn.Read(waste[:])
		if err != nil {
			return
		}
		left -= n
	}
}

// LocalAddr and RemoteAddr tell the engine nothing, so that it has nothing to
// log.
func (w *wire) LocalAddr() net.Addr  { return noAddr{} }
func (w *wire) RemoteAddr() net.Addr { return noAddr{} }

// The engine's deadlines are absolute, ours move with progress: its own are
// ignored.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "[address]" }

// A tally is what a connection did.
type tally struct {
	bytes    int64
	commands int
	kept     int
}

var _ net.Conn = (*wire)(nil)
