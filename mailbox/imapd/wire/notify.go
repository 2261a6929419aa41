package wire

import "strings"

// A Notify is the arguments of NOTIFY (RFC 5465, 8). Without Groups it is NOTIFY NONE.
type Notify struct {
	Status bool // STATUS responses are wanted at once
	Groups []NotifyGroup
}

// A NotifyGroup is some mailboxes and what the client wants to know of them.
type NotifyGroup struct {
	Filter    NotifyFilter
	Mailboxes []string // of FilterSubtree, FilterSubtreeOne and FilterMailboxes
	Events    NotifyEvents
	Fetch     *Fetch // of new messages of the selected mailbox; nil for nothing
}

// NotifyFilter says which mailboxes a group is about.
type NotifyFilter uint8

const (
	FilterSelected NotifyFilter = iota
	FilterSelectedDelayed
	FilterInboxes
	FilterPersonal
	FilterSubscribed
	FilterSubtree
	FilterMailboxes
	FilterSubtreeOne // of searches alone (RFC 7377, 2.2)
)

var filterWords = []string{
	FilterSelected: "SELECTED", FilterSelectedDelayed: "SELECTED-DELAYED", FilterInboxes: "INBOXES",
	FilterPersonal: "PERSONAL", FilterSubscribed: "SUBSCRIBED", FilterSubtree: "SUBTREE", FilterMailboxes: "MAILBOXES", FilterSubtreeOne: "SUBTREE-ONE",
}

// NotifyEvents are events, as bits.
type NotifyEvents uint16

const (
	EventMessageNew NotifyEvents = 1 << iota
	EventMessageExpunge
	EventFlagChange
	EventMailboxName
	EventSubscriptionChange
	EventMailboxMetadataChange
	EventServerMetadataChange
	EventUnknown // one that this package has no name for

	// EventsOfMessages are those that a selected mailbox can have.
	EventsOfMessages = EventMessageNew | EventMessageExpunge | EventFlagChange
)

var eventWords = []struct {
	word  string
	event NotifyEvents
}{
	{"MessageNew", EventMessageNew},
	{"MessageExpunge", EventMessageExpunge},
	{"FlagChange", EventFlagChange},
	{"MailboxName", EventMailboxName},
	{"SubscriptionChange", EventSubscriptionChange},
	{"MailboxMetadataChange", EventMailboxMetadataChange},
	{"ServerMetadataChange", EventServerMetadataChange},
}

// KnownEvents returns the names of all events but EventUnknown.
func KnownEvents() []string {
	var names []string
	for _, w := range eventWords {
		names = append(names, w.word)
	}
	return names
}

// What a NOTIFY may hold.
const (
	maxNotifyGroups    = 20
	maxFilterMailboxes = 200
)

// Notify reads the arguments of NOTIFY.
func (d *Decoder) Notify() Notify {
	var n Notify
	switch at := d.pos; d.Keyword() {
	case "NONE":
		return n
	case "SET":
	default:
		d.failAt(at, "SET or NONE")
	}
	d.SP()
	if d.nextWord("STATUS") {
		n.Status = true
		d.SP()
	}
	for more := true; more && d.err == nil; more = d.Special(' ') {
		if n.Groups = append(n.Groups, d.notifyGroup()); len(n.Groups) > maxNotifyGroups {
			d.setErr(&LimitError{What: "groups of events", Max: maxNotifyGroups})
		}
	}
	if d.err != nil {
		return Notify{}
	}
	return n
}

func (d *Decoder) notifyGroup() NotifyGroup {
	d.Expect('(')
	at := d.pos
	f, ok := d.filter()
	if !ok || f == FilterSubtreeOne {
		d.failAt(at, "the mailboxes of a group of events")
	}
	g := NotifyGroup{Filter: f, Mailboxes: d.filterMailboxes(f)}
	d.SP()
	d.notifyEvents(&g)
	d.Expect(')')
	return g
}

// filter reads the word of filter-mailboxes.
func (d *Decoder) filter() (NotifyFilter, bool) {
	word := d.Keyword()
	for f, w := range filterWords {
		if w == word {
			return NotifyFilter(f), true
		}
	}
	return 0, false
}

// filterMailboxes reads the names behind the word, if it takes any.
func (d *Decoder) filterMailboxes(f NotifyFilter) []string {
	if f < FilterSubtree {
		return nil
	}
	d.SP()
	if d.Peek() != '(' {
		return []string{d.Mailbox()}
	}
	var names []string
	d.List(func() {
		if names = append(names, d.Mailbox()); len(names) > maxFilterMailboxes {
			d.setErr(&LimitError{What: "mailboxes in a list", Max: maxFilterMailboxes})
		}
	})
	if len(names) == 0 {
		d.fail("a mailbox name")
	}
	return names
}

// filter writes filter-mailboxes.
func (e *Encoder) filter(f NotifyFilter, names []string) {
	e.Word(filterWords[f])
	if len(names) == 0 {
		return
	}
	e.Open()
	for _, name := range names {
		e.Mailbox(name)
	}
	e.Close()
}

// notifyEvents reads events in parentheses, as the grammar has them, or without, as
// the examples of RFC 5465 do.
func (d *Decoder) notifyEvents(g *NotifyGroup) {
	if b := d.rest(); len(b) >= len("NONE)") && equalFold(string(b[:len("NONE)")]), "NONE)") {
		d.pos += len("NONE")
		return
	}
	if d.Special('(') {
		d.eventList(g)
		d.Expect(')')
		return
	}
	d.eventList(g)
}

func (d *Decoder) eventList(g *NotifyGroup) {
	for more := true; more && d.err == nil; more = d.Special(' ') {
		d.event(g)
	}
}

func (d *Decoder) event(g *NotifyGroup) {
	word := d.Atom()
	event := EventUnknown
	for _, w := range eventWords {
		if strings.EqualFold(w.word, word) {
			event = w.event
		}
	}
	g.Events |= event
	if b := d.rest(); event == EventMessageNew && len(b) > 1 && b[0] == ' ' && b[1] == '(' {
		d.pos++
		f := Fetch{ChangedSince: -1}
		d.List(func() { d.fetchItem(&f) })
		if f.Items == 0 && len(f.Sections) == 0 {
			d.fail("a fetch data item")
		}
		g.Fetch = &f
	}
}

// Notify writes the arguments of NOTIFY.
func (e *Encoder) Notify(n *Notify) {
	if len(n.Groups) == 0 {
		e.Word("NONE")
		return
	}
	e.Word("SET")
	if n.Status {
		e.Word("STATUS")
	}
	for i := range n.Groups {
		e.notifyGroup(&n.Groups[i])
	}
}

func (e *Encoder) notifyGroup(g *NotifyGroup) {
	e.Open()
	e.filter(g.Filter, g.Mailboxes)
	if g.Events == 0 {
		e.Word("NONE")
		e.Close()
		return
	}
	e.Open()
	for _, w := range eventWords {
		if g.Events&w.event != 0 {
			e.Word(w.word)
			if w.event == EventMessageNew && g.Fetch != nil {
				e.Fetch(g.Fetch)
			}
		}
	}
	if g.Events&EventUnknown != 0 {
		e.Word("UnknownEvent")
	}
	e.Close()
	e.Close()
}
