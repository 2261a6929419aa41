package imapd

import (
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// status is STATUS (RFC 9051, 6.3.11), of the selected mailbox as of any other.
func (c *conn) status(d *wire.Decoder) error {
	d.SP()
	name := d.Mailbox()
	d.SP()
	items := d.StatusItems()
	if err := d.End(); err != nil {
		return err
	}
	m, err := c.session.Status(c.ctx, name)
	if err != nil {
		return err
	}
	return c.writeStatus(name, m, items)
}

// writeStatus writes the STATUS response of a mailbox.
func (c *conn) writeStatus(name string, m mailbox.Mailbox, items wire.StatusItems) error {
	if items.Has(wire.StatusHighestModSeq) {
		c.enableCondstore()
	}
	recent, err := uint64(0), error(nil)
	if items.Has(wire.StatusRecent) {
		if recent, err = c.untold(m); err != nil {
			return err
		}
	}
	deleted := int64(0)
	if items.Has(wire.StatusDeletedStorage) {
		if deleted, err = c.deletedStorage(m); err != nil {
			return err
		}
	}
	c.w.Untagged()
	c.w.Word("STATUS")
	c.w.Mailbox(name)
	c.w.Open()
	for _, v := range []struct {
		item  wire.StatusItems
		value uint64
	}{
		{wire.StatusMessages, uint64(m.Messages)},
		{wire.StatusRecent, recent},
		{wire.StatusUIDNext, uint64(m.UIDNext)},
		{wire.StatusUIDValidity, uint64(m.UIDValidity)},
		{wire.StatusUnseen, uint64(m.Unseen)},
		{wire.StatusDeleted, uint64(m.Deleted)},
		{wire.StatusSize, uint64(m.Size)}, // padded sizes: RFC 8438 allows more than the sum
		{wire.StatusDeletedStorage, uint64(deleted)},
		{wire.StatusAppendLimit, uint64(c.srv.o.Limits.Message)},
		{wire.StatusHighestModSeq, uint64(max(m.HighestModSeq, 1))},
	} {
		if items.Has(v.item) {
			c.w.Word(v.item.String())
			c.w.Number(v.value)
		}
	}
	if items.Has(wire.StatusMailboxID) {
		c.w.Word("MAILBOXID")
		c.writeMailboxID(m.ID)
	}
	c.w.Close()
	c.sent(c.w.CRLF())
	return nil
}

// untold counts the messages that no session was told of, which STATUS calls
// RECENT (RFC 3501, 6.3.10).
func (c *conn) untold(m mailbox.Mailbox) (uint64, error) {
	first := c.srv.recents.first(place{c.session.Account(), m.ID}, m.Recent)
	if first >= m.UIDNext {
		return 0, nil
	}
	t, err := c.session.Open(c.ctx, m.ID)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	uids := t.View().UIDs
	i, _ := slices.BinarySearch(uids, first)
	return uint64(len(uids) - i), nil
}
