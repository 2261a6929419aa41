package imapd

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// selectRW is SELECT (RFC 9051, 6.3.2).
func (c *conn) selectRW(d *wire.Decoder) error { return c.runSelect(d, false) }

// examine is EXAMINE (RFC 9051, 6.3.3).
func (c *conn) examine(d *wire.Decoder) error { return c.runSelect(d, true) }

func (c *conn) runSelect(d *wire.Decoder, readOnly bool) error {
	d.SP()
	name := d.Mailbox()
	var p selectParams
	if d.Special(' ') {
		d.List(func() { p.read(d) })
	}
	if err := d.End(); err != nil {
		return err
	}
	if p.qresync != nil && !c.enabled.qresync {
		return errNotEnabled
	}
	if p.qresync != nil && c.enabled.uidOnly && !p.qresync.Seqs.IsZero() {
		return errUIDRequired
	}
	if c.sel != nil {
		c.leaveMailbox() // also when the new one does not open (RFC 9051, 6.3.2)
		c.writeClosed()
	}
	if p.condstore {
		c.enableCondstore()
	}
	if err := c.openMailbox(name, readOnly); err != nil {
		return err
	}
	return c.resync(p.qresync)
}

// selectParams are the parameters of SELECT.
type selectParams struct {
	condstore bool
	qresync   *wire.QResync
}

func (p *selectParams) read(d *wire.Decoder) {
	switch d.Keyword() {
	case "CONDSTORE":
		p.condstore = true
	case "QRESYNC":
		d.SP()
		q := d.QResync()
		p.qresync = &q
	default:
		d.Fail(bad("There is no such parameter of SELECT"))
	}
}

// openMailbox selects a mailbox. It has everything that can fail done before it
// tells anything.
func (c *conn) openMailbox(name string, readOnly bool) error {
	f, err := c.session.Folder(c.ctx, name)
	if err != nil {
		return err
	}
	table, err := c.session.Open(c.ctx, f.ID)
	if err != nil {
		return err
	}
	v := table.View()
	s := &selected{id: f.ID, table: table, readOnly: readOnly, uids: v.UIDs, seen: v.Mailbox.HighestModSeq}
	if s.words, err = c.session.KeywordNames(c.ctx); err != nil {
		table.Close()
		return err
	}
	c.sel, c.state = s, selectedState
	c.srv.recents.enter(place{c.session.Account(), s.id}, v.Mailbox.Recent)
	c.describe(v.Mailbox, f.Name, name)
	return nil
}

// describe tells what a client must know of the mailbox that it has selected under
// the name asked.
func (c *conn) describe(m mailbox.Mailbox, name, asked string) {
	c.writeExists()
	c.writeFlagsDefined()
	if !c.enabled.rev2 && !c.enabled.uidOnly {
		c.writeFirstUnseen(m)
	}
	c.writeNumberCode("UIDVALIDITY", uint64(m.UIDValidity), "UIDs are valid")
	c.writeNumberCode("UIDNEXT", uint64(m.UIDNext), "Predicted next UID")
	c.untaggedStatus(imap.StatusResponseTypeOK, func() { c.writeMailboxIDCode(m.ID) }, "The mailbox's identity")
	c.writeHighestModSeq(m.HighestModSeq)
	if c.enabled.rev2 {
		c.writeListed(name, asked)
	}
	c.done.code = func() { c.writeCode("READ-WRITE") }
	if c.sel.readOnly {
		c.done.code = func() { c.writeCode("READ-ONLY") }
	}
}

// writeClosed marks in what is sent where one selected mailbox ends (RFC 9051, 7.1).
func (c *conn) writeClosed() {
	c.untaggedStatus(imap.StatusResponseTypeOK, func() { c.writeCode("CLOSED") }, "The mailbox is closed")
}

func (c *conn) writeCode(code imap.ResponseCode) {
	c.w.OpenCode(code)
	c.w.CloseCode()
}

func (c *conn) writeNumberCode(code imap.ResponseCode, n uint64, text string) {
	c.untaggedStatus(imap.StatusResponseTypeOK, func() {
		c.w.OpenCode(code)
		c.w.Number(n)
		c.w.CloseCode()
	}, text)
}

func (c *conn) writeHighestModSeq(m mailbox.ModSeq) {
	c.writeNumberCode("HIGHESTMODSEQ", uint64(max(m, 1)), "Highest mod-sequence")
}

// writeFirstUnseen tells the number of the first message not seen, which is
// there in IMAP4rev1 alone (RFC 3501, 6.3.1).
func (c *conn) writeFirstUnseen(m mailbox.Mailbox) {
	if m.Unseen == 0 {
		return
	}
	if i, ok := c.sel.firstUnseen(); ok {
		c.writeNumberCode("UNSEEN", uint64(i)+1, "First unseen message")
	}
}

// firstUnseen looks through the mailbox in small steps, because the table has to
// copy what it is asked for.
func (s *selected) firstUnseen() (int, bool) {
	var rows []mailbox.Row
	for part := range slices.Chunk(s.uids, 512) {
		rows = s.table.Rows(rows[:0], []mailbox.UIDRange{{Low: part[0], High: part[len(part)-1]}})
		for _, row := range rows {
			if row.Flags&mailbox.Seen == 0 {
				return s.index(row.UID)
			}
		}
	}
	return 0, false
}

// leaveMailbox goes back to the authenticated state.
func (c *conn) leaveMailbox() {
	if c.sel == nil {
		return
	}
	c.srv.recents.leave(place{c.session.Account(), c.sel.id})
	c.sel.table.Close()
	c.sel, c.saved, c.state = nil, savedSearch{}, authenticated
}

// unselect is UNSELECT (RFC 9051, 6.4.2).
func (c *conn) unselect(d *wire.Decoder) error {
	if err := d.End(); err != nil {
		return err
	}
	c.leaveMailbox()
	return nil
}

// writeListed writes the LIST response that SELECT has in IMAP4rev2: the name of
// the mailbox, and what the client called it where that differs (RFC 9051,
// 6.3.9.7).
func (c *conn) writeListed(name, asked string) {
	c.w.Untagged()
	c.w.Word(`LIST () "/"`)
	c.w.Mailbox(name)
	if asked != name {
		c.writeOldName(asked)
	}
	c.sent(c.w.CRLF())
}
