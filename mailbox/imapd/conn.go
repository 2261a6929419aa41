package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// state is a state of RFC 9051, 3. A command names those it may run in.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated          // and no mailbox selected
	selectedState

	loggedIn = authenticated | selectedState
	anyState = notAuthenticated | loggedIn
)

// conn is one connection. Its goroutine owns everything in it by holding mu at
// all times but one: while the client idles. Then whoever has a change to tell
// takes mu and writes (idle.go).
type conn struct {
	srv *Server
	id  uint32          // tells connections apart in the log
	raw net.Conn        // as it was accepted; any goroutine may close it
	ctx context.Context // ends with the connection
	end context.CancelFunc

	mu         sync.Mutex
	net        net.Conn // changes with STARTTLS
	r          *wire.Reader
	w          *wire.Encoder
	state      state
	session    *mailbox.Session // nil until login
	pacer      pacer
	unhook     func()    // ends what login asked of the session
	sel        *selected // nil unless a mailbox is selected
	enabled    features
	compressed bool        // COMPRESS is active
	saved      savedSearch // what "$" stands for
	tag        string      // of the command running
	done       completion  // of the command running

	toldProgress time.Time           // when the command began, or its progress was told last
	over         error               // why the connection ends with this command
	claimed      []mailbox.MailboxID // where something was \Recent in this connection
	failed       int                 // logins
	bad          int                 // commands in a row that could not be understood

	notice *notice // what NOTIFY asked for; nil before
	own    own     // of the command running
	inIdle bool

	ended  func()       // tells that the connection has ended
	watch  func()       // ends the hints of changes; nil unless the client idles, or has used NOTIFY
	idling atomic.Bool  // a change can be told at any time
	hints  atomic.Int64 // changes to look at
	stale  atomic.Bool  // there are some that NOTIFY has not looked at

	dead   sync.Mutex // held while the deadline of reading is set
	ending error      // why the connection is to end; guarded by dead

	// Of those who read, deadline.go.
	connected time.Time
	began     time.Time  // the line or literal being read
	phase     wire.Phase // what was read last
}

// features are what ENABLE has switched on, or a command that implies it.
type features struct {
	rev2, utf8, condstore, qresync, uidOnly bool
	noCharset                               bool // UTF8=ACCEPT: all text is UTF-8
}

// completion is the OK of a command, where it says more than that.
type completion struct {
	code func()       // writes the response code; nil for none
	text string       // "" for the usual
	then func() error // once the OK is sent; its error ends the connection
}

// maxDrain is how much of a command that was refused is read past, beyond what
// messages may take.
const maxDrain = 1 << 20

func newConn(ctx context.Context, s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, id: rand.Uint32(), raw: nc, net: nc, state: notAuthenticated, connected: time.Now()}
	// The connection outlives ctx by the time it takes to say BYE.
	c.ctx, c.end = context.WithCancel(context.WithoutCancel(ctx))
	l := &s.o.Limits
	c.r = wire.NewReader(nc, wire.Options{MaxLine: l.LineBefore, MaxDrain: maxDrain + 2*l.Message, Continue: c.askLiteral, Pace: c.pace})
	c.w = wire.NewEncoder(nc, wire.EncoderOptions{Pace: c.pace})
	return c
}

// log is made when it is needed: most connections never log.
func (c *conn) log() *slog.Logger { return c.srv.o.Log.With("session", fmt.Sprintf("%08x", c.id)) }

// serve serves the connection: to its end, or until the client idles. Then the
// connection goes on by itself (idle.go). ended is called at the end.
func (c *conn) serve(ended func()) {
	c.ended = ended
	c.mu.Lock()
	c.proceed(func() error {
		c.untaggedStatus(imap.StatusResponseTypeOK, c.writeCapabilityCode, "Restante ready")
		return c.loop()
	})
}

// proceed runs next, and ends the connection after it unless the client idles. The
// caller holds mu, and does no more with the connection.
func (c *conn) proceed(next func() error) {
	err := c.guard(next)
	if err == errIdling {
		go c.rest()
		return
	}
	defer c.ended()
	defer c.mu.Unlock()
	defer c.end()
	defer c.hangUp()
	defer c.logout()
	c.bye(err)
}

// errPanic is what guard returns.
var errPanic = errors.New("panic")

// guard runs f, and keeps a broken invariant in it from ending other connections.
// What is recovered may hold what a client sent, so that only its type is logged.
func (c *conn) guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log().Error("panic in a session", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return f()
}

// loop reads and runs commands until the connection ends, and returns why.
func (c *conn) loop() error {
	for c.over == nil {
		if err := c.next(); err != nil {
			return err
		}
	}
	return c.over
}

// next waits for a command and runs it. What commands answer is sent when there
// is much of it, or before waiting for more of what the client has to say.
func (c *conn) next() error {
	if c.r.Buffered() == 0 {
		if err := c.w.Flush(); err != nil {
			return err
		}
	}
	if err := c.await(); err != nil {
		return err
	}
	c.slowDown()
	c.phase = wire.PhaseIdle // the time for this line begins with its first read
	d, err := c.r.Command()
	if err != nil {
		return err
	}
	if err := c.command(d); err != nil {
		return err
	}
	return d.Skip()
}

// await waits for a command.
func (c *conn) await() error {
	if c.notice != nil && len(c.notice.groups) > 0 && c.r.Buffered() == 0 {
		return c.waitNoticing()
	}
	return c.r.Wait()
}

// passing reports errors of connections that end anyway.
func passing(err error) bool {
	return errors.Is(err, mailbox.ErrClosed) || errors.Is(err, context.Canceled)
}

// lost returns the error that lost the connection, or nil.
func (c *conn) lost() error { return errors.Join(c.r.Err(), c.w.Err()) }

// askLiteral tells the client to send the literal it announced.
func (c *conn) askLiteral() error {
	if err := c.w.Continue("Go on"); err != nil {
		return err
	}
	return c.w.Flush()
}

// protected reports whether the connection has TLS.
func (c *conn) protected() bool {
	_, ok := c.net.(*tls.Conn)
	return ok
}

// logout ends the session with the domain.
func (c *conn) logout() {
	c.notice = nil
	c.endWatch()
	c.leaveMailbox()
	if c.session == nil {
		return
	}
	c.settleRecent()
	c.unhook()
	c.session.Close()
	c.srv.leave(c.session.Account())
	c.session, c.state = nil, notAuthenticated
}

// untaggedStatus writes "* OK [code] text" or another type. code may be nil.
func (c *conn) untaggedStatus(typ imap.StatusResponseType, code func(), text string) {
	c.w.StartStatus("", typ)
	if code != nil {
		code()
	}
	c.w.Text(text)
	c.sent(c.w.CRLF())
}

// sent takes the error of CRLF, Count and the like at the end of each untagged
// response. One that could not be encoded was left out: that is our fault, and
// told to the operator. It flushes when enough was gathered. A connection that is
// lost is noticed at the end of the command.
func (c *conn) sent(err error) {
	switch {
	case c.w.Err() != nil:
	case err != nil:
		c.log().Error("response left out", "error", err)
	case c.w.Full():
		_ = c.w.Flush() // remembered by c.w
	}
}
