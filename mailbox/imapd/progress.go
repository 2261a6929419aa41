package imapd

import (
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
)

// INPROGRESS (RFC 9585) tells a client that a command takes long, so that it does not
// take the connection for lost.

// codeInProgress has the tag of the command behind it, and how far it is.
const codeInProgress imap.ResponseCode = "INPROGRESS"

// startProgress is called when a command begins.
func (c *conn) startProgress() { c.toldProgress = time.Now() }

// progress is called with each message that a command is done with, of so many.
func (c *conn) progress(done, total int) {
	if time.Since(c.toldProgress) >= c.srv.o.Limits.InProgress {
		c.writeProgress(fmt.Sprintf("%d %d", done, total))
	}
}

func (c *conn) writeProgress(how string) {
	c.untaggedStatus(imap.StatusResponseTypeOK, func() {
		c.w.OpenCode(codeInProgress)
		c.w.Open()
		c.w.String(c.tag)
		c.w.Word(how)
		c.w.Close()
		c.w.CloseCode()
	}, "Still at it")
	_ = c.w.Flush() // remembered by c.w
	c.toldProgress = time.Now()
}

// working runs f, which can't tell how far it is, and tells the client now and then
// that it is not done. f must not write to the connection.
func (c *conn) working(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- c.guard(f) }()
	tick := time.NewTicker(c.srv.o.Limits.InProgress)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			c.writeProgress("NIL NIL")
		}
	}
}
