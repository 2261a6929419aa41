package imapd

import (
	"errors"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// copy is COPY (RFC 9051, 6.4.7).
func (c *conn) copy(d *wire.Decoder) error { return c.runCopy(d, false, false) }

// uidCopy is UID COPY (RFC 9051, 6.4.9).
func (c *conn) uidCopy(d *wire.Decoder) error { return c.runCopy(d, true, false) }

// move is MOVE (RFC 9051, 6.4.8).
func (c *conn) move(d *wire.Decoder) error { return c.runCopy(d, false, true) }

// uidMove is UID MOVE.
func (c *conn) uidMove(d *wire.Decoder) error { return c.runCopy(d, true, true) }

// errSomeGone answers COPY and MOVE by sequence number of messages that another
// session has expunged: all of the named messages are copied, or none (RFC 2180,
// 4.4).
var errSomeGone = no(codeExpungeIssued, "Some of the messages are gone")

func (c *conn) runCopy(d *wire.Decoder, byUID, move bool) error {
	d.SP()
	set := d.Set()
	d.SP()
	name := d.Mailbox()
	if err := d.End(); err != nil {
		return err
	}
	if move && c.sel.readOnly {
		return errReadOnly
	}
	uids, asked, err := c.target(set, byUID)
	if err != nil {
		return err
	}
	if !byUID && len(c.sel.table.Rows(nil, uids)) < asked {
		return errSomeGone
	}
	to, err := c.destination(name)
	if err != nil {
		return err
	}
	var r mailbox.CopyResult
	err = c.working(func() (err error) {
		r, err = c.session.Copy(c.ctx, mailbox.CopyRequest{From: c.sel.id, To: to.ID, Set: uids, Move: move})
		return err
	})
	if err != nil {
		return destinationError(err)
	}
	c.own.expunged = move
	if to.ID == c.sel.id {
		c.own.uids = r.Dest
	}
	c.answerCopy(r, move)
	return nil
}

// destination finds the mailbox that messages are to be put into.
func (c *conn) destination(name string) (mailbox.Folder, error) {
	f, err := c.session.Folder(c.ctx, name)
	return f, destinationError(err)
}

// destinationError says that the missing mailbox could be created.
func destinationError(err error) error {
	if errors.Is(err, mailbox.ErrNoMailbox) {
		return no(imap.ResponseCodeTryCreate, "There is no such mailbox: create it first")
	}
	return err
}

// answerCopy tells what became what. For MOVE that comes before the EXPUNGE
// responses, which end the command (RFC 9051, 6.4.8).
func (c *conn) answerCopy(r mailbox.CopyResult, move bool) {
	if len(r.Source) == 0 {
		c.done.text = "There was nothing to copy"
		return
	}
	code := func() {
		c.w.OpenCode("COPYUID")
		c.w.Number(uint64(r.UIDValidity))
		c.w.Nums(numbers(r.Source))
		c.w.Nums(numbers(r.Dest))
		c.w.CloseCode()
	}
	if move {
		c.untaggedStatus(imap.StatusResponseTypeOK, code, "Moved")
		return
	}
	c.done.code = code
}
