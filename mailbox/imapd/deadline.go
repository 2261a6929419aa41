package imapd

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// A farewell ends a connection. The client is told its text.
type farewell string

func (f farewell) Error() string { return "connection ended: " + string(f) }

const (
	byeLogout    farewell = "" // LOGOUT has said it
	byeStopping  farewell = "The relay is stopping, come back soon"
	byeRevoked   farewell = "The account was closed, or its password changed"
	byeDeleted   farewell = "The selected mailbox was deleted"
	byeSilent    farewell = "Autologout: too long without a command"
	byeFlooded   farewell = "Too much data for a command that was refused"
	byeNonsense  farewell = "Too many commands that make no sense"
	byeBadLogins farewell = "Too many failed logins"
)

// bye ends the conversation. A client that is gone hears nothing.
func (c *conn) bye(err error) {
	if kicked := c.kicked(); kicked != nil {
		err = kicked
	}
	var text farewell
	switch {
	case errors.As(err, &text):
	case errors.Is(err, os.ErrDeadlineExceeded):
		text = byeSilent
	case errors.Is(err, wire.ErrOutOfStep):
		text = byeFlooded
	default:
		return
	}
	if text != byeLogout {
		c.untaggedStatus(imap.StatusResponseTypeBye, nil, string(text))
	}
	_ = c.w.Flush() // nobody is left to tell
}

// kick has the connection end with a BYE as soon as its goroutine waits for the
// client. Any goroutine may call it.
func (c *conn) kick(why farewell) {
	c.dead.Lock()
	defer c.dead.Unlock()
	if c.ending == nil {
		c.ending = why
		_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // a closed connection ends anyway
	}
}

func (c *conn) kicked() error {
	c.dead.Lock()
	defer c.dead.Unlock()
	return c.ending
}

// stop kicks the connection, and cuts it off if it has not ended after the grace.
func (c *conn) stop(grace time.Duration) {
	c.kick(byeStopping)
	timer := time.AfterFunc(grace, func() {
		c.end() // of what waits for something else than the client
		c.raw.Close()
	})
	context.AfterFunc(c.ctx, func() { timer.Stop() })
}

// minRate is how many bytes a second a line or literal must bring in the long
// run, beyond the time of Limits.Progress that each gets for nothing.
const minRate = 256

// pace sets the deadline of the next read or write. A peer that makes progress
// takes as long as it needs, and one that does not is cut off. Before reading
// more of a command, what was answered so far is sent.
func (c *conn) pace(phase wire.Phase, done int64) error {
	now := time.Now()
	if phase == wire.PhaseWrite {
		return c.raw.SetWriteDeadline(now.Add(c.srv.o.Limits.Progress))
	}
	if phase != wire.PhaseIdle && c.w.Len() > 0 {
		if err := c.w.Flush(); err != nil {
			return err
		}
	}
	if done == 0 || phase != c.phase {
		c.began, c.phase = now, phase
	}
	if done == 0 && phase == wire.PhaseLine {
		hurryAck(c.raw) // this is the line behind a literal
	}
	c.dead.Lock()
	defer c.dead.Unlock()
	if c.ending != nil {
		return c.ending
	}
	return c.raw.SetReadDeadline(c.readDeadline(now, done))
}

func (c *conn) readDeadline(now time.Time, done int64) time.Time {
	l := &c.srv.o.Limits
	switch {
	case c.state == notAuthenticated:
		return c.connected.Add(l.Greeting)
	case c.phase == wire.PhaseIdle && c.idling.Load():
		return now.Add(l.KeepAlive)
	case c.phase == wire.PhaseIdle:
		return now.Add(l.Idle)
	}
	slowest := c.began.Add(l.Progress + time.Duration(done)*(time.Second/minRate))
	if next := now.Add(l.Progress); next.Before(slowest) {
		return next
	}
	return slowest
}

// What hangUp still reads of a client that goes on sending. If the connection
// were closed with input unread, TCP would reset it, and the client might lose
// the BYE that it has not read yet (RFC 9293, 3.6.1).
const (
	lingerBytes = 256 << 10
	lingerTime  = time.Second
)

// hangUp closes the connection.
func (c *conn) hangUp() {
	defer c.net.Close()
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || c.w.Err() != nil || half.CloseWrite() != nil {
		return
	}
	if c.raw.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.net, lingerBytes)
	}
}
