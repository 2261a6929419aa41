package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// treeChange is one name of the mailbox tree that is no longer what the client was
// told.
type treeChange struct {
	folder mailbox.Folder
	old    string // its name before, if that was another
	events wire.NotifyEvents
}

// tellTree tells which names are new, gone, renamed, or subscribed otherwise
// (RFC 5465, 5.4 and 5.5). What the running command itself has changed is left out.
func (c *conn) tellTree(before, now *notice) {
	changes := treeChanges(before.folders, now.folders)
	if len(changes) == 0 {
		return
	}
	l := &listing{extended: true, subscribed: true}
	everyone := func(*mailbox.Folder) bool { return true }
	tree := map[string]*node{}
	for _, n := range growTree(now.folders, everyone, func(string) bool { return true }) {
		tree[n.Name] = n
	}
	told := map[string]bool{}
	for _, ch := range changes {
		wanted := now.eventsOf(&ch.folder) | before.eventsOf(&ch.folder)
		if wanted&ch.events == 0 || slices.Contains(c.own.names, ch.folder.Name) {
			continue
		}
		c.writeTreeNode(l, tree, ch.folder.Name, ch.old, told)
		if parent := parentOf(ch.folder.Name); parent != "" && ch.events&wire.EventMailboxName != 0 && ch.old == "" {
			c.writeTreeNode(l, tree, parent, "", told)
		}
	}
}

// treeChanges compares two listings. A mailbox that was renamed with the one above it
// is no change of its own.
func treeChanges(before, now []mailbox.Folder) []treeChange {
	was, is := byID(before), byID(now)
	var changes []treeChange
	for i := range now {
		f := &now[i]
		old, ok := was[f.ID]
		switch {
		case f.ID == 0:
		case !ok:
			changes = append(changes, treeChange{folder: *f, events: wire.EventMailboxName})
		case old.Name != f.Name && !movedWithParent(changes, old.Name, f.Name):
			changes = append(changes, treeChange{folder: *f, old: old.Name, events: wire.EventMailboxName})
		}
	}
	for i := range before {
		if f := &before[i]; f.ID != 0 && is[f.ID] == nil {
			changes = append(changes, treeChange{folder: *f, events: wire.EventMailboxName})
		}
	}
	return append(changes, subscriptionChanges(before, now)...)
}

// movedWithParent reports whether a renaming above old and name explains theirs.
func movedWithParent(changes []treeChange, old, name string) bool {
	return slices.ContainsFunc(changes, func(ch treeChange) bool {
		rest, ok := strings.CutPrefix(name, ch.folder.Name+delimiter)
		return ok && ch.old != "" && old == ch.old+delimiter+rest
	})
}

func subscriptionChanges(before, now []mailbox.Folder) []treeChange {
	was, is := map[string]bool{}, map[string]bool{}
	for i := range before {
		was[before[i].Name] = before[i].Subscribed
	}
	var changes []treeChange
	for i := range now {
		f := &now[i]
		is[f.Name] = true
		if f.Subscribed != was[f.Name] {
			changes = append(changes, treeChange{folder: *f, events: wire.EventSubscriptionChange})
		}
	}
	for i := range before {
		if f := &before[i]; f.Subscribed && !is[f.Name] {
			changes = append(changes, treeChange{folder: *f, events: wire.EventSubscriptionChange})
		}
	}
	return changes
}

// writeTreeNode writes the LIST response of a name as it is now, each name once.
func (c *conn) writeTreeNode(l *listing, tree map[string]*node, name, old string, told map[string]bool) {
	if told[name] {
		return
	}
	told[name] = true
	attributes := []imap.Flag{`\NonExistent`}
	if n := tree[name]; n != nil {
		attributes = l.attributes(n)
	}
	c.w.Untagged()
	c.w.Word("LIST")
	c.w.Flags(attributes)
	c.w.String(delimiter)
	c.w.Mailbox(name)
	if old != "" {
		c.writeOldName(old)
	}
	c.sent(c.w.CRLF())
}

// writeOldName is the data item of LIST for a mailbox that had another name
// (RFC 9051, 6.3.9.7).
func (c *conn) writeOldName(old string) {
	c.w.Open()
	c.w.String("OLDNAME")
	c.w.Open()
	c.w.Mailbox(old)
	c.w.Close()
	c.w.Close()
}

func parentOf(name string) string {
	i := strings.LastIndex(name, delimiter)
	return name[:max(i, 0)]
}
