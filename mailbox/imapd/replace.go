package imapd

import (
	"errors"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// replace is REPLACE (RFC 8508): an APPEND whose message takes the place of another,
// both or neither.
func (c *conn) replace(d *wire.Decoder) error { return c.runReplace(d, false) }

// uidReplace is UID REPLACE.
func (c *conn) uidReplace(d *wire.Decoder) error { return c.runReplace(d, true) }

func (c *conn) runReplace(d *wire.Decoder, byUID bool) error {
	a := &appending{conn: c}
	defer a.release()
	d.SP()
	set := d.Set()
	if len(set.Ranges) != 1 || set.Ranges[0].First != set.Ranges[0].Last {
		d.Fail(bad("Expected the number of one message"))
	}
	d.SP()
	a.name = d.Mailbox()
	d.SP()
	if err := d.Err(); err != nil {
		return err
	}
	old, err := c.replaced(set, byUID)
	if err != nil {
		return err
	}
	a.old = old
	if err := a.next(d); err != nil {
		return err
	}
	if err := d.End(); err != nil {
		return err
	}
	return a.swap()
}

// replaced finds the message that is to be replaced, before the client is asked for
// the other.
func (c *conn) replaced(set wire.Set, byUID bool) (*mailbox.Item, error) {
	if c.sel.readOnly {
		return nil, errReadOnly
	}
	uids, _, err := c.target(set, byUID)
	if err != nil {
		return nil, err
	}
	var old *mailbox.Item
	err = c.session.Fetch(c.ctx, c.sel.id, uids, func(i *mailbox.Item) error {
		old = i
		return nil
	})
	if err == nil && old == nil {
		err = no(imap.ResponseCodeNonExistent, "There is no message to be replaced")
	}
	return old, err
}

// swap puts the message into its mailbox, and takes the old one out of this. The
// client learns the new UID before the old one goes (RFC 8508, 3.2).
func (a *appending) swap() error {
	m, err := a.message(&a.ms[0])
	if err != nil {
		return err
	}
	r, err := a.session.Replace(a.ctx, a.sel.id, a.old.UID, a.to.ID, m)
	if errors.Is(err, mailbox.ErrGone) {
		return no(codeExpungeIssued, "The message to be replaced is gone")
	}
	if err != nil {
		return destinationError(err)
	}
	a.own.expunged, a.own.uids = true, nil
	if a.sel.id == a.to.ID {
		a.own.uids = []mailbox.UID{r.UID}
	}
	a.untaggedStatus(imap.StatusResponseTypeOK, func() { a.writeAppended([]mailbox.Receipt{r}) }, "It is replaced")
	return nil
}
