package imapd

import (
	"bytes"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// notice is what a client wants to be told of, and what it was told last of the
// mailboxes: nothing is queued, what changed is found by comparing.
type notice struct {
	groups  []wire.NotifyGroup
	folders []mailbox.Folder
	entries map[mailbox.MailboxID][]mailbox.Entry // of the mailboxes whose metadata are watched; 0 is the server
}

// own is what the running command changes itself, which the client need not be told
// (RFC 5465, 5).
type own struct {
	names    []string      // of mailboxes
	uids     []mailbox.UID // of messages put into the selected mailbox
	expunged bool          // messages of the selected mailbox
}

// look reads how everything is now.
func (n *notice) look(c *conn) error {
	var err error
	if n.folders, err = c.session.Folders(c.ctx); err != nil {
		return err
	}
	n.entries = map[mailbox.MailboxID][]mailbox.Entry{}
	for _, id := range n.watchedEntries() {
		if n.entries[id], err = c.session.Metadata(c.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// watchedEntries lists the mailboxes whose metadata are watched.
func (n *notice) watchedEntries() []mailbox.MailboxID {
	var ids []mailbox.MailboxID
	for i := range n.groups {
		if n.groups[i].Events&wire.EventServerMetadataChange != 0 && !slices.Contains(ids, 0) {
			ids = append(ids, 0)
		}
	}
	for i := range n.folders {
		f := &n.folders[i]
		if f.ID != 0 && n.eventsOf(f)&wire.EventMailboxMetadataChange != 0 && len(ids) <= maxWatchedEntries {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// tellOthers tells what has changed outside of the selected mailbox.
func (c *conn) tellOthers() {
	if c.notice == nil || len(c.notice.groups) == 0 || c.session == nil || !c.stale.Swap(false) {
		return
	}
	now := &notice{groups: c.notice.groups}
	if err := now.look(c); err != nil {
		if !passing(err) {
			c.log().Error("can't look for changes of mailboxes", "error", err)
		}
		c.stale.Store(true) // the next look tells
		return
	}
	before := c.notice
	c.notice = now
	c.tellTree(before, now)
	for id, entries := range now.entries {
		c.tellEntries(id, before.entries[id], entries)
	}
	c.tellCounts(before, now)
}

// tellCounts tells what has changed of the messages of other mailboxes.
func (c *conn) tellCounts(before, now *notice) {
	old := byID(before.folders)
	for i := range now.folders {
		f := &now.folders[i]
		was, ok := old[f.ID]
		if f.ID == 0 || !ok || c.sel != nil && c.sel.id == f.ID {
			continue
		}
		items := c.changedItems(&was.Mailbox, &f.Mailbox, now.eventsOf(f))
		if items == 0 {
			continue
		}
		if err := c.writeStatus(f.Name, f.Mailbox, items); err != nil {
			c.log().Error("can't tell a change", "error", err)
		}
	}
}

// changedItems is RFC 5465, 5.1 to 5.3. A client without CONDSTORE learns of flags
// only by the number of messages not seen.
func (c *conn) changedItems(was, is *mailbox.Mailbox, events wire.NotifyEvents) (items wire.StatusItems) {
	counted := was.UIDNext != is.UIDNext || was.Messages != is.Messages
	switch {
	case counted && events&(wire.EventMessageNew|wire.EventMessageExpunge) != 0:
		items = wire.StatusMessages | wire.StatusUIDNext | wire.StatusUIDValidity
	case events&wire.EventFlagChange == 0:
		return 0
	case was.HighestModSeq != is.HighestModSeq && c.enabled.condstore, was.UIDValidity != is.UIDValidity:
		items = wire.StatusUIDValidity
	}
	if events&wire.EventFlagChange != 0 && was.Unseen != is.Unseen {
		items |= wire.StatusUnseen | wire.StatusUIDValidity
	}
	if items != 0 && c.enabled.condstore {
		items |= wire.StatusHighestModSeq
	}
	return items
}

func byID(folders []mailbox.Folder) map[mailbox.MailboxID]*mailbox.Folder {
	m := map[mailbox.MailboxID]*mailbox.Folder{}
	for i := range folders {
		if folders[i].ID != 0 {
			m[folders[i].ID] = &folders[i]
		}
	}
	return m
}

// tellEntries tells the names of the entries that changed, without their values
// (RFC 5464, 4.4.2).
func (c *conn) tellEntries(id mailbox.MailboxID, was, is []mailbox.Entry) {
	name := ""
	if id != 0 {
		f, ok := byID(c.notice.folders)[id]
		if !ok {
			return
		}
		name = f.Name
	}
	names := changedEntries(was, is)
	if len(names) == 0 || slices.Contains(c.own.names, name) {
		return
	}
	c.w.Untagged()
	c.w.Word("METADATA")
	c.w.Mailbox(name)
	for _, entry := range names {
		c.w.Astring(entry)
	}
	c.sent(c.w.CRLF())
}

// changedEntries returns the names of entries that are new, different or gone.
func changedEntries(was, is []mailbox.Entry) []string {
	old := map[string][]byte{}
	for _, e := range was {
		old[e.Name] = e.Value
	}
	var names []string
	for _, e := range is {
		value, ok := old[e.Name]
		if !ok || !bytes.Equal(value, e.Value) {
			names = append(names, e.Name)
		}
		delete(old, e.Name)
	}
	for name := range old {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
