package imapd

import (
	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// The account is the only quota root, and it has no name: all its mailboxes share
// what it may keep. STORAGE is of padded sizes, as the relay's disk is.
const quotaRoot = ""

var errNoQuota = no(imap.ResponseCodeNonExistent, "There is no such quota root")

// getQuota is GETQUOTA (RFC 9208, 4.1.1).
func (c *conn) getQuota(d *wire.Decoder) error {
	d.SP()
	root := d.Astring()
	if err := d.End(); err != nil {
		return err
	}
	quota, used, err := c.session.Usage(c.ctx)
	if err != nil {
		return err
	}
	if root != quotaRoot || quota == (mailbox.Quota{}) {
		return errNoQuota
	}
	c.writeQuota(quota, used)
	return nil
}

// getQuotaRoot is GETQUOTAROOT (RFC 9208, 4.1.2). An account without bounds has no
// root.
func (c *conn) getQuotaRoot(d *wire.Decoder) error {
	d.SP()
	name := d.Mailbox()
	if err := d.End(); err != nil {
		return err
	}
	if _, err := c.session.Folder(c.ctx, name); err != nil {
		return err
	}
	quota, used, err := c.session.Usage(c.ctx)
	if err != nil {
		return err
	}
	c.w.Untagged()
	c.w.Word("QUOTAROOT")
	c.w.Mailbox(name)
	if quota == (mailbox.Quota{}) {
		c.sent(c.w.CRLF())
		return nil
	}
	c.w.Astring(quotaRoot)
	c.sent(c.w.CRLF())
	c.writeQuota(quota, used)
	return nil
}

// storageUnit is what STORAGE counts in (RFC 9208, 5.1).
const storageUnit = 1024

// writeQuota is the QUOTA response, of what is bounded.
func (c *conn) writeQuota(quota, used mailbox.Quota) {
	c.w.Untagged()
	c.w.Word("QUOTA")
	c.w.Astring(quotaRoot)
	c.w.Open()
	if quota.Bytes > 0 {
		c.w.Word("STORAGE")
		c.w.Number(uint64((used.Bytes + storageUnit - 1) / storageUnit))
		c.w.Number(uint64(quota.Bytes / storageUnit))
	}
	if quota.Messages > 0 {
		c.w.Word("MESSAGE")
		c.w.Number(uint64(used.Messages))
		c.w.Number(uint64(quota.Messages))
	}
	c.w.Close()
	c.sent(c.w.CRLF())
}

// deletedStorage returns the bytes that EXPUNGE would free, for STATUS (RFC 9208,
// 4.1.4). The sizes are in the messages' rows, of which only those are read that
// carry \Deleted.
func (c *conn) deletedStorage(m mailbox.Mailbox) (bytes int64, err error) {
	if m.Deleted == 0 {
		return 0, nil
	}
	t, err := c.session.Open(c.ctx, m.ID)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	err = c.session.Fetch(c.ctx, m.ID, t.With(mailbox.Deleted, mailbox.AllUIDs()), func(i *mailbox.Item) error {
		bytes += i.Size
		return nil
	})
	return bytes, err
}
