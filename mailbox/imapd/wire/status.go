package wire

import "strings"

// StatusItems are the data items of a STATUS command, as bits.
type StatusItems uint16

const (
	StatusMessages StatusItems = 1 << iota
	StatusRecent
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
	StatusDeleted
	StatusSize
	StatusDeletedStorage
	StatusAppendLimit
	StatusHighestModSeq
	StatusMailboxID
)

var statusWords = []struct {
	word string
	item StatusItems
}{
	{"MESSAGES", StatusMessages},
	{"RECENT", StatusRecent},
	{"UIDNEXT", StatusUIDNext},
	{"UIDVALIDITY", StatusUIDValidity},
	{"UNSEEN", StatusUnseen},
	{"DELETED", StatusDeleted},
	{"SIZE", StatusSize},                      // RFC 8438
	{"DELETED-STORAGE", StatusDeletedStorage}, // RFC 9208
	{"APPENDLIMIT", StatusAppendLimit},        // RFC 7889
	{"HIGHESTMODSEQ", StatusHighestModSeq},    // RFC 7162
	{"MAILBOXID", StatusMailboxID},            // RFC 8474
}

// Has reports whether all of the items are among s.
func (s StatusItems) Has(items StatusItems) bool { return s&items == items }

// String returns the items as the protocol names them, with spaces between.
func (s StatusItems) String() string {
	var names []string
	for _, w := range statusWords {
		if s.Has(w.item) {
			names = append(names, w.word)
		}
	}
	return strings.Join(names, " ")
}

// StatusItems reads the parenthesised items of STATUS.
func (d *Decoder) StatusItems() StatusItems {
	var items StatusItems
	d.List(func() { items |= d.statusItem() })
	if items == 0 {
		d.fail("a status data item")
	}
	if d.err != nil {
		return 0
	}
	return items
}

func (d *Decoder) statusItem() StatusItems {
	at := d.pos
	word := d.word("a status data item")
	for _, w := range statusWords {
		if w.word == word {
			return w.item
		}
	}
	d.failAt(at, "a known status data item")
	return 0
}

// StatusItems writes the parenthesised items of STATUS.
func (e *Encoder) StatusItems(items StatusItems) {
	e.Open()
	for _, w := range statusWords {
		if items.Has(w.item) {
			e.Word(w.word)
		}
	}
	e.Close()
}
