package mailbox

import (
	"cmp"
	"slices"
)

// What goes is decided here, from values alone. expiry.go carries it out.

// doomed is what of one mailbox is to go.
type doomed struct {
	mbox  MailboxID
	set   []UIDRange
	spare Flags
}

// holding is an account with what it holds.
type holding struct {
	account Account
	boxes   map[MailboxID]*Mailbox
	mail    []Aged // of these mailboxes
}

func newHolding(a Account, boxes []Mailbox, mail []Aged) *holding {
	h := &holding{account: a, boxes: map[MailboxID]*Mailbox{}}
	for i := range boxes {
		h.boxes[boxes[i].ID] = &boxes[i]
	}
	for _, m := range mail {
		if h.boxes[m.Mailbox] != nil { // not made or deleted since
			h.mail = append(h.mail, m)
		}
	}
	return h
}

// keepsBackup reports whether a device of the owner has put something by.
func (h *holding) keepsBackup() bool {
	for _, m := range h.boxes {
		if m.Use == UseRestante && m.Messages > 0 {
			return true
		}
	}
	return false
}

// overdue lists the mail whose days are over.
func (h *holding) overdue(t Terms, today Day) []doomed {
	var go_ []Aged
	for i := range h.mail {
		a := &h.mail[i]
		if due := t.due(a, h.boxes[a.Mailbox]); due != 0 && due <= today {
			go_ = append(go_, *a)
		}
	}
	return gather(go_, Flagged)
}

// crowded reports whether an account is above the percentage of its quota.
func (a *Account) crowded(percent int) bool {
	above := func(used, quota int64) bool {
		return quota > 0 && used > quota/100*int64(percent)+quota%100*int64(percent)/100
	}
	return percent > 0 && (above(a.Used.Bytes, a.Quota.Bytes) || above(a.Used.Messages, a.Quota.Messages))
}

// crowdedOut lists the mail that must go because the account is too full: the oldest
// of each turn, until there is room.
func (h *holding) crowdedOut(t Terms) []doomed {
	if !h.account.crowded(t.High) {
		return nil
	}
	byTurn := map[turn][]Aged{}
	for i := range h.mail {
		a := &h.mail[i]
		turn := t.turnOf(a, h.boxes[a.Mailbox])
		byTurn[turn] = append(byTurn[turn], *a)
	}
	var all []doomed
	rest := h.account
	for turn := goesFirst; turn < staysOn; turn++ {
		spare := Flagged // a message that gets the flag meanwhile is spared
		if turn == goesLast {
			spare = 0
		}
		all = append(all, gather(oldest(byTurn[turn], &rest, t.Low), spare)...)
	}
	return all
}

// oldest takes the oldest messages off an account until it is not above the
// percentage.
func oldest(mail []Aged, rest *Account, percent int) []Aged {
	slices.SortFunc(mail, func(a, b Aged) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Mailbox, b.Mailbox), cmp.Compare(a.UID, b.UID))
	})
	n := 0
	for ; n < len(mail) && rest.crowded(percent); n++ {
		rest.Used.Bytes -= mail[n].Size
		rest.Used.Messages--
	}
	return mail[:n]
}

// gather makes sets of messages, one for each mailbox.
func gather(mail []Aged, spare Flags) []doomed {
	slices.SortFunc(mail, func(a, b Aged) int {
		return cmp.Or(cmp.Compare(a.Mailbox, b.Mailbox), cmp.Compare(a.UID, b.UID))
	})
	var list []doomed
	for _, a := range mail {
		if len(list) == 0 || list[len(list)-1].mbox != a.Mailbox {
			list = append(list, doomed{mbox: a.Mailbox, spare: spare})
		}
		last := &list[len(list)-1]
		if n := len(last.set); n > 0 && last.set[n-1].High+1 == a.UID {
			last.set[n-1].High = a.UID
			continue
		}
		last.set = append(last.set, UIDRange{a.UID, a.UID})
	}
	return list
}

// Outlook is what an account will lose next if nothing is done. A zero Day is never.
type Outlook struct {
	Mail     Day   // when mail goes by its age
	Messages int64 // how many do on that day
	Crowded  bool  // mail goes at the next look because the account is too full
	Account  Day   // when the account goes, unless somebody uses it before
}

// outlook says what goes next.
func (h *holding) outlook(t Terms) Outlook {
	var o Outlook
	for i := range h.mail {
		due := t.due(&h.mail[i], h.boxes[h.mail[i].Mailbox])
		switch {
		case due == 0 || o.Mail != 0 && due > o.Mail:
		case due == o.Mail:
			o.Messages++
		default:
			o.Mail, o.Messages = due, 1
		}
	}
	o.Crowded = h.account.crowded(t.High)
	if t.Idle > 0 && h.account.State == Active {
		o.Account = h.account.Seen + Day(t.idleDays(h.keepsBackup()))
	}
	return o
}
