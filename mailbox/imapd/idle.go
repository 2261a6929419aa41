package imapd

import (
	"errors"
	"os"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// errIdling says that a command has not ended but waits, until the client says DONE.
var errIdling = errors.New("idling")

// idle is IDLE (RFC 2177; RFC 9051, 6.3.13). It may last for ever: the signs of
// life find out whether the client is still there.
//
// The goroutine that has run the client's commands ends here, and a new one waits:
// it needs 4 KiB of stack, where the other has grown to 8 KiB and could not give
// them back.
func (c *conn) idle(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	if err := c.w.Continue("Idling"); err != nil {
		return err
	}
	if c.watch == nil {
		c.watch = c.session.Notify(c.hint)
	}
	c.inIdle = true
	return c.tellIdling()
}

// tellIdling tells what has changed until now. What came before idling was set is
// told here, and what comes after it by push: nothing falls between them.
func (c *conn) tellIdling() error {
	c.idling.Store(true)
	if err := c.tellPushed(); err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return err
	}
	return errIdling
}

// rest waits for the client to end IDLE, and goes on with the connection.
func (c *conn) rest() {
	err := c.waitUnlocked()
	c.proceed(func() error {
		if c.onlySilent(err) {
			c.untaggedStatus(imap.StatusResponseTypeOK, nil, "Still here")
			return c.tellIdling()
		}
		c.endWatch()
		if err != nil {
			return err
		}
		if err := c.conclude("IDLE", everything, c.readDone()); err != nil {
			return err
		}
		return c.loop()
	})
}

// onlySilent reports whether waiting has ended because the client has said nothing
// for a while.
func (c *conn) onlySilent(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && c.kicked() == nil
}

// waitUnlocked lets others write while it waits.
func (c *conn) waitUnlocked() error {
	c.mu.Unlock()
	defer c.mu.Lock()
	defer c.idling.Store(false)
	return c.r.Wait()
}

// endWatch ends the hints, if there are any and NOTIFY does not need them.
func (c *conn) endWatch() {
	c.idling.Store(false)
	c.inIdle = false
	if c.watch != nil && (c.notice == nil || len(c.notice.groups) == 0) {
		c.watch()
		c.watch = nil
	}
}

// readDone reads what ends IDLE.
func (c *conn) readDone() error {
	line, err := c.r.ReadLine()
	switch {
	case err != nil:
		return err
	case strings.EqualFold(string(line), "DONE"):
		return nil
	case strings.HasSuffix(string(line), "}"):
		// A command with a literal, whose octets would be taken for commands.
		c.over = byeNonsense
	}
	return bad("Expected DONE")
}

// hint is called by the store's writer after each change of the account.
func (c *conn) hint() {
	c.stale.Store(true)
	if c.hints.Add(1) == 1 {
		go c.push()
	}
}

// push tells an idling client what has changed. There is at most one for a
// connection. A client that does not read holds it up until the deadline for
// writing; what changes meanwhile is one more round. If IDLE ends while it waits
// for mu, it has nothing to do once it gets it, at the latest when the connection
// ends.
func (c *conn) push() {
	for {
		n := c.hints.Load()
		c.pushOnce()
		if c.hints.CompareAndSwap(n, 0) {
			return
		}
	}
}

func (c *conn) pushOnce() {
	if !c.idling.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.idling.Load() {
		return // the end of the command tells it
	}
	err := c.guard(func() error {
		if err := c.tellPushed(); err != nil {
			return err
		}
		return c.w.Flush()
	})
	var why farewell
	switch {
	case errors.As(err, &why):
		c.kick(why)
	case err != nil:
		c.raw.Close() // which ends the waiting
	}
}
