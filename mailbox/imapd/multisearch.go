package imapd

import (
	"errors"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

var (
	errSaveElsewhere = bad("Only what is found in the selected mailbox can be saved")
	errNoneSelected  = bad("Select a mailbox first, or say which ones to search")
)

// multiSearch is ESEARCH (RFC 7377): SEARCH in several mailboxes, selected or not.
func (c *conn) multiSearch(d *wire.Decoder) error {
	d.SP()
	q := d.MultiSearch()
	if err := d.End(); err != nil {
		return err
	}
	selected, others := len(q.Sources) == 0, false
	for i := range q.Sources {
		if q.Sources[i].Filter == wire.FilterSelected {
			selected = true
		} else {
			others = true
		}
	}
	switch {
	case q.Charset != "" && c.enabled.noCharset:
		return errCharset
	case selected && c.sel == nil:
		return errNoneSelected
	case others && q.Return.Has(wire.ReturnSave):
		return errSaveElsewhere
	}
	if err := c.searchAll(&q, selected); err != nil {
		return c.searchFailed(&q.Search, err)
	}
	return nil
}

// searchAll searches each mailbox of the sources once.
func (c *conn) searchAll(q *wire.MultiSearch, selected bool) error {
	folders, err := c.session.Folders(c.ctx)
	if err != nil {
		return err
	}
	if err := c.freshen(); err != nil {
		return err
	}
	for i := range folders {
		f := &folders[i]
		isSelected := c.sel != nil && c.sel.id == f.ID
		if f.ID == 0 || !(isSelected && selected) && !isSource(q, f) {
			continue
		}
		err := c.searchOne(q, f, isSelected)
		if err != nil && !errors.Is(err, mailbox.ErrNoMailbox) { // deleted meanwhile
			return err
		}
	}
	return nil
}

func isSource(q *wire.MultiSearch, f *mailbox.Folder) bool {
	for _, s := range q.Sources {
		if matchesFilter(s.Filter, s.Mailboxes, f) {
			return true
		}
	}
	return false
}

// freshen brings the selected mailbox up to date, before others are looked at.
func (c *conn) freshen() error {
	if c.sel == nil {
		return nil
	}
	return c.catchUp()
}

// searchOne searches one mailbox, and tells what it has found, if anything.
func (c *conn) searchOne(q *wire.MultiSearch, f *mailbox.Folder, isSelected bool) error {
	if !isSelected {
		leave, err := c.visit(f.ID)
		if err != nil {
			return err
		}
		defer leave()
	}
	found, err := c.lookIn(&q.Search)
	if err != nil {
		return err
	}
	found.byUID, found.where = true, f
	c.answerSearch(&q.Search, found)
	return nil
}

// visit makes a mailbox the one that is searched, until leave is called. The client
// has not selected it, and is told nothing of it.
func (c *conn) visit(id mailbox.MailboxID) (leave func(), err error) {
	table, err := c.session.Open(c.ctx, id)
	if err != nil {
		return nil, err
	}
	v := table.View()
	before := c.sel
	c.sel = &selected{id: id, table: table, uids: v.UIDs, seen: v.Mailbox.HighestModSeq}
	return func() {
		c.sel = before
		table.Close()
	}, nil
}
