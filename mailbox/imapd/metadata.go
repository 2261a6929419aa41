package imapd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// METADATA is RFC 5464. What owners note is sealed to them. Some entries are not
// kept but stand for something else: those of the relay, which can only be read, the
// push tokens of devices (virtual.go), the addresses of the account (alias.go) and its
// passwords (ownsecret.go).

// codeMetadata has a word and a number behind it (RFC 5464, 4.2.1 and 4.3).
const codeMetadata imap.ResponseCode = "METADATA"

var (
	errEntryName = bad("An entry begins with /private/ or /shared/, and has no empty level, * or %")
	errEntryFull = detailed(codeMetadata, "TOOMANY", "There are too many entries: remove some first")
	errReadEntry = no(imap.ResponseCodeNoPerm, "This entry is the relay's own: it can only be read")
)

// getMetadata is GETMETADATA (RFC 5464, 4.2).
func (c *conn) getMetadata(d *wire.Decoder) error {
	d.SP()
	g := d.GetMetadata()
	if err := d.End(); err != nil {
		return err
	}
	for i, name := range g.Entries {
		var err error
		if g.Entries[i], err = cleanEntry(name, g.Depth); err != nil {
			return err
		}
	}
	at, err := c.annotated(g.Mailbox)
	if err != nil {
		return err
	}
	all, err := c.entriesOf(at)
	if err != nil {
		return err
	}
	c.answerMetadata(&g, pickEntries(&g, all))
	return nil
}

// cleanEntry returns the name of an entry as it is kept. With a depth, the roots are
// names too.
func cleanEntry(name string, depth wire.MetadataDepth) (string, error) {
	lower := strings.ToLower(name)
	if depth != wire.DepthZero && (lower == "/private" || lower == "/shared") {
		return lower, nil
	}
	clean, err := mailbox.EntryName(name)
	if err != nil {
		return "", errEntryName
	}
	return clean, nil
}

// annotated finds the mailbox that a command is about; 0 is the server.
func (c *conn) annotated(name string) (mailbox.MailboxID, error) {
	if name == "" {
		return 0, nil
	}
	f, err := c.session.Folder(c.ctx, name)
	return f.ID, err
}

// entriesOf lists all entries there are, those that stand for something included.
func (c *conn) entriesOf(at mailbox.MailboxID) ([]mailbox.Entry, error) {
	all, err := c.session.Metadata(c.ctx, at)
	if err != nil {
		return nil, err
	}
	for name, v := range c.virtuals(at) {
		value, err := v.get(c)
		if err != nil {
			return nil, err
		}
		if value != nil {
			all = append(all, mailbox.Entry{Name: name, Value: value})
		}
	}
	slices.SortFunc(all, func(a, b mailbox.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// pickEntries returns the entries that were asked for. One that is not there is NIL
// if it was asked for by its own name alone.
func pickEntries(g *wire.GetMetadata, all []mailbox.Entry) []wire.MetadataEntry {
	var picked []wire.MetadataEntry
	for _, name := range g.Entries {
		before := len(picked)
		for _, e := range all {
			if within(e.Name, name, g.Depth) {
				picked = append(picked, wire.MetadataEntry(e))
			}
		}
		if g.Depth == wire.DepthZero && len(picked) == before {
			picked = append(picked, wire.MetadataEntry{Name: name})
		}
	}
	return picked
}

// within reports whether an entry is the one asked for, or as far below it as the
// depth allows.
func within(name, asked string, depth wire.MetadataDepth) bool {
	rest, ok := strings.CutPrefix(name, asked)
	switch {
	case !ok:
		return false
	case rest == "":
		return true
	case depth == wire.DepthZero || rest[0] != '/':
		return false
	}
	return depth == wire.DepthInfinity || !strings.Contains(rest[1:], "/")
}

// answerMetadata writes the METADATA response. Values beyond MAXSIZE are left out,
// and the answer says how large the largest of them is.
func (c *conn) answerMetadata(g *wire.GetMetadata, entries []wire.MetadataEntry) {
	longest := 0
	entries = slices.DeleteFunc(entries, func(e wire.MetadataEntry) bool {
		long := g.MaxSize >= 0 && int64(len(e.Value)) > g.MaxSize
		if long {
			longest = max(longest, len(e.Value))
		}
		return long
	})
	if len(entries) > 0 {
		c.w.Untagged()
		c.w.Word("METADATA")
		c.w.Mailbox(g.Mailbox)
		c.w.MetadataEntries(entries)
		c.sent(c.w.CRLF())
	}
	if longest > 0 {
		c.done.code = func() {
			c.w.OpenCode(codeMetadata)
			c.w.Word("LONGENTRIES")
			c.w.Number(uint64(longest))
			c.w.CloseCode()
		}
	}
}

// setMetadata is SETMETADATA (RFC 5464, 4.3): all of the entries, or none.
func (c *conn) setMetadata(d *wire.Decoder) error {
	d.SP()
	name := d.Mailbox()
	d.SP()
	entries := d.MetadataEntries()
	if err := d.End(); err != nil {
		return err
	}
	at, err := c.annotated(name)
	if err != nil {
		return err
	}
	kept, stand, err := c.sortEntries(at, entries)
	if err != nil {
		return err
	}
	c.own.names = []string{name}
	if len(kept) > 0 {
		if err := c.session.SetMetadata(c.ctx, at, kept...); err != nil {
			return metadataError(err)
		}
	}
	for _, set := range stand {
		if err := set(c); err != nil {
			return metadataError(err)
		}
	}
	return nil
}

// sortEntries tells the entries that are kept from those that stand for something,
// and refuses all of them if one can't be set.
func (c *conn) sortEntries(at mailbox.MailboxID, entries []wire.MetadataEntry) (kept []mailbox.Entry, stand []func(*conn) error, err error) {
	virtual := c.virtuals(at)
	for _, e := range entries {
		name, err := cleanEntry(e.Name, wire.DepthZero)
		if err != nil {
			return nil, nil, err
		}
		v, ok := virtual[name]
		switch {
		case len(e.Value) > mailbox.MaxEntryValue:
			return nil, nil, metadataError(mailbox.ErrTooLarge)
		case v.alone != nil && len(entries) > 1:
			return nil, nil, v.alone
		case ok && v.set != nil:
			stand = append(stand, func(c *conn) error { return v.set(c, e.Value) })
		case ok, at == 0 && strings.HasPrefix(name, "/shared/"):
			return nil, nil, errReadEntry
		default:
			kept = append(kept, mailbox.Entry{Name: name, Value: e.Value})
		}
	}
	return kept, stand, nil
}

// metadataError has the code that RFC 5464, 4.3 gives to the outcome.
func metadataError(err error) error {
	switch {
	case errors.Is(err, mailbox.ErrTooLarge):
		return detailed(codeMetadata, fmt.Sprintf("MAXSIZE %d", mailbox.MaxEntryValue), "The value is too large")
	case errors.Is(err, mailbox.ErrLimit):
		return errEntryFull
	}
	return err
}
