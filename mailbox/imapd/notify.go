package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// NOTIFY (RFC 5465) has the server tell what happens whenever it happens, of the
// selected mailbox and of others. As with IDLE, whoever has something to tell takes
// the connection while it waits for a command (idle.go); notice.go finds out what
// there is to tell.

// codeBadEvent has the events that are supported behind it (RFC 5465, 3.1).
const codeBadEvent imap.ResponseCode = "BADEVENT"

// codeOverflow answers what would cost too much (RFC 5465, 3.1).
const codeOverflow imap.ResponseCode = "NOTIFICATIONOVERFLOW"

var (
	errBadEvent error = &statusError{
		typ: imap.StatusResponseTypeNo, code: codeBadEvent, args: wire.KnownEvents(), text: "An event is not supported",
	}
	errManyEntries = no(codeOverflow, "Ask for MailboxMetadataChange of fewer mailboxes")
)

// maxWatchedEntries is of how many mailboxes the metadata are compared, because that
// takes a look at each after every change.
const maxWatchedEntries = 50

// notify is NOTIFY (RFC 5465, 3.1).
func (c *conn) notify(d *wire.Decoder) error {
	d.SP()
	n := d.Notify()
	if err := d.End(); err != nil {
		return err
	}
	if err := checkNotify(&n); err != nil {
		return err
	}
	next := &notice{groups: n.Groups}
	if err := next.look(c); err != nil {
		return err
	}
	if len(next.entries) > maxWatchedEntries {
		return errManyEntries
	}
	c.notice = nil
	if err := c.tell(everything); err != nil { // it implies NOOP (RFC 5465, 3.1)
		return err
	}
	if len(n.Groups) == 0 {
		c.notice = &notice{} // NOTIFY NONE: nothing at all
		c.endWatch()
		return nil
	}
	c.notice = next
	if c.watch == nil {
		c.watch = c.session.Notify(c.hint)
	}
	c.stale.Store(true) // what came between the look and the watch
	if n.Status {
		return c.tellStatuses()
	}
	return nil
}

// checkNotify refuses events that do not go together (RFC 5465, 5 and 6.1).
func checkNotify(n *wire.Notify) error {
	selected := 0
	for i := range n.Groups {
		g := &n.Groups[i]
		both := wire.EventMessageNew | wire.EventMessageExpunge
		switch {
		case g.Events&wire.EventUnknown != 0:
			return errBadEvent
		case g.Events&both != 0 && g.Events&both != both:
			return bad("MessageNew and MessageExpunge go together")
		case g.Events&wire.EventFlagChange != 0 && g.Events&both == 0:
			return bad("FlagChange goes with MessageNew and MessageExpunge")
		}
		if g.Filter > wire.FilterSelectedDelayed {
			if g.Fetch != nil {
				return bad("Data items are for the selected mailbox")
			}
			continue
		}
		if selected++; selected > 1 || g.Events&^wire.EventsOfMessages != 0 {
			return bad("The selected mailbox has one group, of events of messages")
		}
	}
	return nil
}

// tellStatuses tells how the mailboxes stand whose messages are watched.
func (c *conn) tellStatuses() error {
	for i := range c.notice.folders {
		f := &c.notice.folders[i]
		events := c.notice.eventsOf(f)
		if f.ID == 0 || events&wire.EventsOfMessages == 0 || c.sel != nil && c.sel.id == f.ID {
			continue
		}
		items := wire.StatusMessages | wire.StatusUIDNext | wire.StatusUIDValidity
		if events&wire.EventFlagChange != 0 || c.enabled.condstore {
			items |= wire.StatusHighestModSeq
		}
		if err := c.writeStatus(f.Name, f.Mailbox, items); err != nil {
			return err
		}
	}
	return nil
}

// group returns the one about the selected mailbox, or nil.
func (n *notice) group() *wire.NotifyGroup {
	for i := range n.groups {
		if n.groups[i].Filter <= wire.FilterSelectedDelayed {
			return &n.groups[i]
		}
	}
	return nil
}

// eventsOf returns what the client wants to know of a mailbox that is not selected.
func (n *notice) eventsOf(f *mailbox.Folder) (events wire.NotifyEvents) {
	for i := range n.groups {
		if matchesFilter(n.groups[i].Filter, n.groups[i].Mailboxes, f) {
			events |= n.groups[i].Events
		}
	}
	return events
}

// matchesFilter is RFC 5465, 6, and RFC 7377, 2.2. Mail is delivered to INBOX alone.
func matchesFilter(filter wire.NotifyFilter, names []string, f *mailbox.Folder) bool {
	switch filter {
	case wire.FilterInboxes:
		return f.ID == mailbox.Inbox
	case wire.FilterPersonal:
		return true
	case wire.FilterSubscribed:
		return f.Subscribed
	case wire.FilterMailboxes:
		return slices.Contains(names, f.Name)
	case wire.FilterSubtree:
		return slices.ContainsFunc(names, func(root string) bool {
			return f.Name == root || strings.HasPrefix(f.Name, root+delimiter)
		})
	case wire.FilterSubtreeOne:
		return slices.Contains(names, f.Name) || slices.Contains(names, parentOf(f.Name))
	}
	return false
}

// waitNoticing waits for a command, and has what happens meanwhile told. Like IDLE it
// may last for ever.
func (c *conn) waitNoticing() error {
	for {
		c.idling.Store(true)
		err := c.tellPushed()
		if err == nil {
			err = c.w.Flush()
		}
		if err != nil {
			c.idling.Store(false)
			return err
		}
		if err = c.waitUnlocked(); !c.onlySilent(err) {
			return err
		}
		c.untaggedStatus(imap.StatusResponseTypeOK, nil, "Still here")
	}
}

// tellPushed tells what is new, as far as the client wants it while no command runs.
func (c *conn) tellPushed() error {
	if g := c.selectedGroup(); g != nil && g.Filter == wire.FilterSelectedDelayed && !c.inIdle {
		return c.tell(noExpunges)
	}
	return c.tell(everything)
}

// silent reports whether the client wants to hear nothing of the selected mailbox.
func silent(g *wire.NotifyGroup) bool { return g != nil && g.Events == 0 }

// fetchArrived tells what the client wants to know of new messages: those beyond the
// first known ones, but for its own (RFC 5465, 5.2).
func (c *conn) fetchArrived(g *wire.NotifyGroup, known int) error {
	if g == nil || g.Fetch == nil || known >= len(c.sel.uids) {
		return nil
	}
	var fresh uidSet
	for _, uid := range c.sel.uids[known:] {
		if !slices.Contains(c.own.uids, uid) {
			fresh.add(uid)
		}
	}
	want := *g.Fetch
	f, err := c.newFetching(&want, true)
	if err != nil || len(fresh) == 0 {
		return nil
	}
	if err := f.markSeen(fresh); err != nil {
		return err
	}
	if err := f.tellAll(fresh, 0); err != nil && !passing(err) {
		c.log().Error("can't tell new messages", "error", err)
	}
	return nil
}

// selectedGroup returns what the client wants to know of the selected mailbox; nil is
// what every client gets.
func (c *conn) selectedGroup() *wire.NotifyGroup {
	if c.notice == nil {
		return nil
	}
	if g := c.notice.group(); g != nil {
		return g
	}
	return &wire.NotifyGroup{}
}
