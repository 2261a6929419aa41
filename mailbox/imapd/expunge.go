package imapd

import (
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// expunge is EXPUNGE (RFC 9051, 6.4.3). What has gone is told as every other
// change is, at the end of the command.
func (c *conn) expunge(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	return c.removeDeleted(mailbox.AllUIDs())
}

// uidExpunge is UID EXPUNGE (RFC 9051, 6.4.9).
func (c *conn) uidExpunge(d *wire.Decoder) error {
	d.SP()
	set := d.Set()
	if err := d.End(); err != nil {
		return err
	}
	uids, err := c.resolve(set, true)
	if err != nil {
		return err
	}
	return c.removeDeleted(uids)
}

// close is CLOSE (RFC 9051, 6.4.1): it removes deleted messages and tells nothing
// of it. If that fails the mailbox stays selected.
func (c *conn) close(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	if !c.sel.readOnly {
		if err := c.removeDeleted(mailbox.AllUIDs()); err != nil {
			return err
		}
		// A client that learnt the mod-sequence here, and not what is gone, would
		// never learn that (RFC 7162, 3.2.8).
		c.done.code = nil
	}
	c.leaveMailbox()
	return nil
}

// removeDeleted removes the messages of the set that carry \Deleted. The store is
// not asked to write when there are none.
func (c *conn) removeDeleted(set []mailbox.UIDRange) error {
	if c.sel.readOnly {
		return errReadOnly
	}
	if err := c.sel.table.Refresh(c.ctx); err != nil {
		return err
	}
	if c.sel.table.View().Mailbox.Deleted == 0 {
		return nil
	}
	// The store would look at every message of the set for them, while all others
	// who write wait.
	if set = c.sel.table.With(mailbox.Deleted, set); len(set) == 0 {
		return nil
	}
	var e mailbox.Expunged
	err := c.working(func() (err error) {
		e, err = c.session.Expunge(c.ctx, c.sel.id, set, false)
		return err
	})
	if err == nil {
		c.own.expunged = true
		c.tellsHighest(e)
	}
	return err
}
