package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// specialUses are the attributes of RFC 6154, 2. \All and \Flagged are for
// mailboxes that show the messages of others, of which there are none.
var specialUses = []struct {
	use  mailbox.SpecialUse
	name imap.Flag
}{
	{mailbox.UseArchive, `\Archive`},
	{mailbox.UseDrafts, `\Drafts`},
	{mailbox.UseJunk, `\Junk`},
	{mailbox.UseSent, `\Sent`},
	{mailbox.UseTrash, `\Trash`},
}

var errUse = no("USEATTR", "There can be one mailbox for each of Archive, Drafts, Junk, Sent and Trash")

// errUseFixed answers SETMETADATA of a use (RFC 6154, 4).
var errUseFixed = no("USEATTR", "The use of a mailbox stays: delete it, and create another for that use")

// create is CREATE (RFC 9051, 6.3.4; RFC 6154, 3).
func (c *conn) create(d *wire.Decoder) error {
	d.SP()
	name := d.Mailbox()
	var uses []imap.Flag
	if d.Special(' ') {
		d.List(func() {
			if d.Keyword() != "USE" {
				d.Fail(bad("There is no such parameter of CREATE"))
			}
			d.SP()
			uses = append(uses, d.Flags()...)
		})
	}
	if err := d.End(); err != nil {
		return err
	}
	use, err := c.freeUse(uses)
	if err != nil {
		return err
	}
	c.own.names = []string{strings.TrimSuffix(name, delimiter)}
	m, err := c.session.Create(c.ctx, name, use)
	if err != nil {
		return err
	}
	c.done.code = func() { c.writeMailboxIDCode(m.ID) }
	return c.tellRespelled(strings.TrimSuffix(name, "/"))
}

// freeUse returns the use that the attributes ask for, if it can be had.
func (c *conn) freeUse(attributes []imap.Flag) (mailbox.SpecialUse, error) {
	if len(attributes) == 0 {
		return mailbox.NoUse, nil
	}
	use := useOf(attributes[0])
	if len(attributes) > 1 || use == mailbox.NoUse {
		return mailbox.NoUse, errUse
	}
	folders, err := c.session.Folders(c.ctx)
	if err != nil {
		return mailbox.NoUse, err
	}
	if slices.ContainsFunc(folders, func(f mailbox.Folder) bool { return f.Use == use }) {
		return mailbox.NoUse, errUse
	}
	return use, nil
}

func useOf(attribute imap.Flag) mailbox.SpecialUse {
	for _, s := range specialUses {
		if strings.EqualFold(string(s.name), string(attribute)) {
			return s.use
		}
	}
	return mailbox.NoUse
}

// useName returns the attribute of a use, or "".
func useName(use mailbox.SpecialUse) imap.Flag {
	for _, s := range specialUses {
		if s.use == use {
			return s.name
		}
	}
	return ""
}

// tellRespelled tells an IMAP4rev2 client under which name the mailbox is known
// that it calls asked, if it is another (RFC 9051, 6.3.9.7).
func (c *conn) tellRespelled(asked string) error {
	if !c.enabled.rev2 {
		return nil
	}
	f, err := c.session.Folder(c.ctx, asked)
	if err != nil {
		return err
	}
	if f.Name != asked {
		c.writeListed(f.Name, asked)
	}
	return nil
}

// delete is DELETE (RFC 9051, 6.3.5). Deleting the selected mailbox leaves it.
func (c *conn) delete(d *wire.Decoder) error {
	d.SP()
	name := d.Mailbox()
	if err := d.End(); err != nil {
		return err
	}
	selected, err := c.isSelected(name)
	if err != nil {
		return err
	}
	c.own.names = []string{name}
	if err := c.session.Delete(c.ctx, name); err != nil {
		return err
	}
	if selected {
		c.leaveMailbox()
		c.writeClosed()
	}
	return nil
}

func (c *conn) isSelected(name string) (bool, error) {
	if c.sel == nil {
		return false, nil
	}
	f, err := c.session.Folder(c.ctx, name)
	return f.ID == c.sel.id, err
}

// rename is RENAME (RFC 9051, 6.3.6).
func (c *conn) rename(d *wire.Decoder) error {
	d.SP()
	from := d.Mailbox()
	d.SP()
	to := d.Mailbox()
	if err := d.End(); err != nil {
		return err
	}
	c.own.names = []string{from, strings.TrimSuffix(to, delimiter)}
	if err := c.session.Rename(c.ctx, from, to); err != nil {
		return err
	}
	return c.tellRespelled(strings.TrimSuffix(to, "/"))
}

// subscribe is SUBSCRIBE (RFC 9051, 6.3.7).
func (c *conn) subscribe(d *wire.Decoder) error { return c.setSubscribed(d, true) }

// unsubscribe is UNSUBSCRIBE (RFC 9051, 6.3.8).
func (c *conn) unsubscribe(d *wire.Decoder) error { return c.setSubscribed(d, false) }

func (c *conn) setSubscribed(d *wire.Decoder, on bool) error {
	d.SP()
	name := d.Mailbox()
	if err := d.End(); err != nil {
		return err
	}
	c.own.names = []string{name}
	return c.session.Subscribe(c.ctx, name, on)
}
