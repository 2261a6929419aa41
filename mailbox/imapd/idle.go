package imapd

import (
	"errors"
	"os"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// idle is IDLE (RFC 2177; RFC 9051, 6.3.13). It may last for ever: the signs of
// life find out whether the client is still there.
func (c *conn) idle(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	if err := c.w.Continue("Idling"); err != nil {
		return err
	}
	stop := c.session.Notify(c.hint)
	err := c.awaitLine()
	stop()
	if err != nil {
		c.over = err
		return err
	}
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

// awaitLine waits for the first byte of the client's next line, and tells what
// changes meanwhile. From each hint on, either this or push looks at the change:
// what came before idling was set is told here, and what came after it there.
func (c *conn) awaitLine() error {
	for {
		c.idling.Store(true)
		if err := c.tell(everything); err != nil {
			return err
		}
		if err := c.w.Flush(); err != nil {
			return err
		}
		err := c.waitUnlocked()
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.kicked() != nil {
			return err
		}
		c.untaggedStatus(imap.StatusResponseTypeOK, nil, "Still here")
	}
}

// waitUnlocked lets others write while it waits.
func (c *conn) waitUnlocked() error {
	c.mu.Unlock()
	defer c.mu.Lock()
	defer c.idling.Store(false)
	return c.r.Wait()
}

// hint is called by the store's writer after each change of the account.
func (c *conn) hint() {
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
	defer c.recovered()
	if !c.idling.Load() {
		return // the end of the command tells it
	}
	var why farewell
	if errors.As(c.tell(everything), &why) {
		c.kick(why)
	}
	if c.w.Flush() != nil {
		c.raw.Close() // which ends the waiting
	}
}
