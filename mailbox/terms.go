package mailbox

import (
	"fmt"
	"strings"
)

// Terms says how long a relay keeps mail and accounts. Days count from when a
// message came into its mailbox; zero days are for ever. Mail in Drafts, Archive and
// mailboxes that users made never goes by age, nor does mail that is flagged. Owners can
// set terms of their own, which shorten these.
type Terms struct {
	Inbox, Sent, Trash, Junk int // days, by the role of the mailbox

	// Large is the days that a message of LargeSize or more stays in the same
	// mailboxes, if that is less.
	Large     int
	LargeSize int64

	// Above High percent of an account's quota, its oldest mail goes until Low
	// percent are used: first from the mailboxes above, then from the others, then
	// what is flagged. Zero is never.
	High, Low int

	// Idle is the days after which an account that nobody uses is removed. An open
	// session is use.
	Idle int

	// Kept is the days instead of Idle, if that is less, of an account with mail in
	// its UseRestante mailbox: what its owner comes back with after a loss lies there.
	Kept int
}

// DefaultTerms are those of a relay whose operator has set none.
func DefaultTerms() Terms {
	return Terms{Inbox: 20, Sent: 20, Trash: 20, Junk: 20, Large: 7, LargeSize: 200 << 10, High: 75, Low: 70, Idle: 90, Kept: 400}
}

// String gives the terms as they are published to clients, in METADATA: words with
// numbers, of which clients skip those they don't know.
func (t Terms) String() string {
	var words []string
	add := func(name string, n int) {
		if n > 0 {
			words = append(words, fmt.Sprintf("%s=%d", name, n))
		}
	}
	add("inbox", t.Inbox)
	add("sent", t.Sent)
	add("trash", t.Trash)
	add("junk", t.Junk)
	if t.Large > 0 {
		add("large", t.Large)
		add("large-size", int(t.LargeSize))
	}
	add("quota-high", t.High)
	add("quota-low", t.Low)
	add("idle", t.Idle)
	add("kept", t.idleDays(true))
	return strings.Join(words, " ")
}

// idleDays returns after how many days without use an account goes, 0 for never. keeps
// says that there is mail in its UseRestante mailbox.
func (t Terms) idleDays(keeps bool) int {
	if keeps && t.Idle > 0 {
		return max(t.Idle, t.Kept)
	}
	return t.Idle
}

// days returns how many days mail stays in a mailbox, 0 for ever: the owner's own
// term counts where it is the shorter one.
func (t Terms) days(m *Mailbox) int {
	relay := t.relayDays(m)
	if m.Days > 0 && m.Use != UseRestante && (relay == 0 || m.Days < relay) {
		return m.Days
	}
	return relay
}

// relayDays is the relay's term of a mailbox, 0 for ever.
func (t Terms) relayDays(m *Mailbox) int {
	switch {
	case m.ID == Inbox:
		return t.Inbox
	case m.Use == UseSent:
		return t.Sent
	case m.Use == UseTrash:
		return t.Trash
	case m.Use == UseJunk:
		return t.Junk
	}
	return 0
}

// due returns the day on which a message goes by its age, 0 if it never does.
func (t Terms) due(a *Aged, m *Mailbox) Day {
	days := t.days(m)
	if days == 0 || a.Flags&Flagged != 0 {
		return 0
	}
	if t.Large > 0 && t.relayDays(m) > 0 && a.Size >= t.LargeSize {
		days = min(days, t.Large)
	}
	return a.Saved + Day(days)
}

// The order in which mail makes room when an account is full.
type turn int

const (
	goesFirst  turn = iota // mail that would go by its age one day
	goesSecond             // mail that its owner keeps
	goesLast               // flagged mail
	staysOn
)

// ownRoom is how much mail a UseRestante mailbox holds that is never deleted: a
// user's devices keep there what they can't do without.
const ownRoom = 1 << 20

func (t Terms) turnOf(a *Aged, m *Mailbox) turn {
	switch {
	case m.Use == UseRestante && m.Size <= ownRoom:
		return staysOn
	case a.Flags&Flagged != 0:
		return goesLast
	case t.days(m) == 0:
		return goesSecond
	}
	return goesFirst
}
