package mta

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// errLost is what every read after the end of a connection returns. The engine
// leaves quietly when it meets net.ErrClosed.
var errLost = fmt.Errorf("mta: connection lost: %w", net.ErrClosed)

// Why we end a connection, with words for the client.
var (
	errStopping        = errors.New("mta: stopping")
	errIdle            = errors.New("mta: connection is idle")
	errSlow            = errors.New("mta: connection makes no progress")
	errTooManyErrors   = errors.New("mta: too many errors")
	errTooManyCommands = errors.New("mta: too many commands")
	errLongCommand     = errors.New("mta: command line too long")
	errBrokenOff       = errors.New("mta: message in chunks broken off")
	errAfterTLS        = errors.New("mta: plain text after STARTTLS")
)

// progressBytes is how much must come in each ProgressTimeout.
const progressBytes = 512

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
//     bytes that trickle in are none: see Limits.ProgressTimeout. After the first failed read
//     nothing is read any more: the rest of a message whose sender was too slow
//     never becomes commands.
//   - Replies are collected and sent when the engine waits for the client.
//   - The engine's own replies are put into our words (reword.go): it repeats
//     the EHLO name and addresses.
//   - Commands and errors are counted, and too many end the connection.
//   - A stopping server says 421 to connections between two commands.
//
// Except for beginMessage, endMessage, stop and cut, its methods belong to the goroutine of the
// connection.
type wire struct {
	server *endpoint
	limits Limits
	role   role
	peer   mailbox.Peer

	started  bool
	prelude  bool   // STARTTLS may still come
	early    []byte // read by the prelude, not yet by the engine
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
	dotCR    dotCR
	errors   int    // since the last message that was kept
	lately   window // commands since then
	tally    tally

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
	w.opened, w.replied = time.Now(), time.Now()
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
		return w.fail(errLost)
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
	n, err := w.next(b)
	if n > 0 {
		w.midLine = b[n-1] != '\n'
	}
	return n, err
}

func (w *wire) next(b []byte) (int, error) {
	if len(w.early) > 0 {
		n := copy(b, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	return w.receive(b)
}

// receive sends the replies that are due and waits for the client.
func (w *wire) receive(b []byte) (int, error) {
	w.flush()
	if w.err != nil {
		return 0, w.err
	}
	idle, err := w.arm()
	if err != nil {
		return 0, w.end(err)
	}
	n, err := w.conn.Read(b)
	w.count(n, idle)
	switch {
	case w.dotCR.in(b[:n]):
		return 0, w.end(errBareCR)
	case n > 0 && w.err == nil:
		return n, nil
	}
	return 0, w.end(w.reason(idle, err))
}

// arm sets the deadline of the next read: between two commands IdleTimeout
// after the last reply, and inside a command or message ProgressTimeout after
// the last progress.
func (w *wire) arm() (idle bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	idle = w.phase == inCommands && !w.midLine
	if w.stopping && w.phase == inCommands {
		return idle, errStopping
	}
	deadline := w.mark.Add(w.limits.ProgressTimeout)
	if idle {
		deadline = w.replied.Add(w.limits.IdleTimeout)
	}
	if w.role == submission && !w.loggedIn {
		deadline = earlier(deadline, w.opened.Add(w.limits.LoginTimeout))
	}
	if err := w.conn.SetReadDeadline(deadline); err != nil {
		return idle, errLost
	}
	return idle, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// count notes the progress, which the first bytes after a pause are as well, and
// ends a connection that sends far more than any command or message may have.
func (w *wire) count(n int, first bool) {
	w.tally.bytes += int64(n)
	w.since += int64(n)
	w.progress += n
	if first || w.progress >= progressBytes {
		w.mark, w.progress = time.Now(), 0
	}
	if w.since > 2*w.limits.MaxMessage+lingerBytes {
		w.err = errLost
	}
}

// reason tells why a read gave nothing.
func (w *wire) reason(idle bool, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var timeout net.Error
	switch {
	case w.stopping && w.phase == inCommands:
		return errStopping
	case !errors.As(err, &timeout) || !timeout.Timeout():
		return errLost
	case idle:
		return errIdle
	}
	return errSlow
}

// end says why the connection ends, if there is somebody to hear it, and ends
// it.
func (w *wire) end(err error) error {
	if err != errLost && w.err == nil {
		r := replyTo(err, outcomes)
		w.say(r)
		w.flush()
	}
	return w.fail(errLost)
}

// fail makes err the outcome of every further Read, unless there is one.
func (w *wire) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
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
	_ = w.conn.Close() // there is nobody to tell
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
