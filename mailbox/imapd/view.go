package imapd

import (
	"cmp"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// selected is what a connection knows of the mailbox it has selected.
type selected struct {
	id       mailbox.MailboxID
	table    *mailbox.Table
	readOnly bool
	recent   []mailbox.UIDRange // \Recent in this session, ascending

	words   []string                      // the keywords that the client knows
	spelled map[mailbox.Flags][]imap.Flag // combinations of keywords, while seen stays

	// uids is what the client's sequence numbers stand for: number n is
	// uids[n-1]. It is never changed in place, because tables share it.
	uids []mailbox.UID
	// seen is the mod-sequence up to which the client knows all flags.
	seen mailbox.ModSeq
	// told are the changes above seen that the answers of commands have told
	// already: by STORE, and by FETCH.
	told []mailbox.Row
}

// tells says that a response tells the flags of row, so that they are not told
// once more when the command ends.
func (s *selected) tells(row mailbox.Row) {
	if row.ModSeq <= s.seen {
		return
	}
	s.told = append(s.told, row)
	if len(s.told) > 2*len(s.uids)+1024 { // NOTIFY without FlagChange never gets beyond seen
		s.forgetOlder()
	}
}

// forgetOlder keeps what was told last of each message.
func (s *selected) forgetOlder() {
	slices.SortFunc(s.told, func(a, b mailbox.Row) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(b.ModSeq, a.ModSeq))
	})
	s.told = slices.CompactFunc(s.told, func(a, b mailbox.Row) bool { return a.UID == b.UID })
}

// wasTold reports whether the client knows row. s.told must be sorted.
func (s *selected) wasTold(row mailbox.Row) bool {
	_, ok := slices.BinarySearchFunc(s.told, row, compareRows)
	return ok
}

func compareRows(a, b mailbox.Row) int {
	return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.ModSeq, b.ModSeq))
}

// tell brings the client's knowledge up to date, as far as the command that ends
// permits. Its error ends the connection.
func (c *conn) tell(t told) error {
	c.tellOthers()
	g := c.selectedGroup()
	if c.sel == nil || t == nothingElse || silent(g) && !c.own.expunged {
		return nil
	}
	switch err := c.sel.table.Refresh(c.ctx); {
	case errors.Is(err, mailbox.ErrNoMailbox):
		return byeDeleted // by another session (RFC 2180, 3.3)
	case err != nil && passing(err):
		return nil
	case err != nil:
		c.log().Error("can't look for changes", "error", err)
		return nil // the next command tries again
	}
	v := c.sel.table.View()
	if t == everything {
		c.tellExpunges(v)
	}
	known := len(c.sel.uids)
	c.tellArrivals(v)
	if g == nil || g.Events&wire.EventFlagChange != 0 {
		c.tellFlags(v, known)
	}
	return c.fetchArrived(g, known)
}

// tellExpunges tells which messages are gone, the highest first, so that the
// numbers of those still to be told hold.
func (c *conn) tellExpunges(v mailbox.View) {
	s := c.sel
	if len(s.uids) == 0 || len(v.UIDs) >= len(s.uids) && &v.UIDs[0] == &s.uids[0] {
		return // the same list, perhaps longer: a table that loses messages makes a new one
	}
	gone := missing(s.uids, v.UIDs)
	if c.enabled.qresync || c.enabled.uidOnly {
		c.writeVanished(gone)
	} else {
		for _, i := range slices.Backward(gone) {
			c.sent(c.w.Count(uint32(i)+1, "EXPUNGE"))
		}
	}
	if len(gone) > 0 {
		known := len(s.uids) - len(gone)
		s.uids = slices.Clip(v.UIDs[:known])
	}
}

// missing returns the indexes of the UIDs of old that are not in now. Both ascend.
func missing(old, now []mailbox.UID) []int {
	var gone []int
	for i, uid := range old {
		for len(now) > 0 && now[0] < uid {
			now = now[1:]
		}
		if len(now) == 0 || now[0] != uid {
			gone = append(gone, i)
		}
	}
	return gone
}

// tellArrivals tells how many messages there are now, if there are new ones.
func (c *conn) tellArrivals(v mailbox.View) {
	s := c.sel
	var last mailbox.UID
	if len(s.uids) > 0 {
		last = s.uids[len(s.uids)-1]
	}
	from, found := slices.BinarySearch(v.UIDs, last)
	if found {
		from++
	}
	if from == len(v.UIDs) {
		return
	}
	if from == len(s.uids) { // nothing vanished that the client may not know of
		s.uids = v.UIDs
	} else {
		s.uids = slices.Concat(s.uids, v.UIDs[from:])
	}
	c.writeExists()
}

// writeExists tells how many messages there are, and how many are recent.
func (c *conn) writeExists() {
	c.claimRecent()
	c.sent(c.w.Count(uint32(len(c.sel.uids)), "EXISTS"))
	if !c.enabled.rev2 {
		c.sent(c.w.Count(uint32(c.sel.countRecent()), "RECENT"))
	}
}

// tellFlags tells the flags that changed of the first known messages; those that
// came since are new to the client altogether.
func (c *conn) tellFlags(v mailbox.View, known int) {
	s := c.sel
	if v.Mailbox.HighestModSeq == s.seen {
		return
	}
	slices.SortFunc(s.told, compareRows)
	for _, row := range s.table.ChangedSince(s.seen) {
		i, ok := slices.BinarySearch(s.uids[:min(known, len(s.uids))], row.UID)
		if ok && !s.wasTold(row) {
			c.writeFlags(i, row)
		}
	}
	s.seen, s.told = v.Mailbox.HighestModSeq, nil
	clear(s.spelled)
}

// index returns where uid is in the client's numbering.
func (s *selected) index(uid mailbox.UID) (int, bool) { return slices.BinarySearch(s.uids, uid) }

// resolve turns a sequence-set of a command into UIDs. With byUID it holds UIDs,
// and those that do not exist are left out by whoever looks; else sequence
// numbers, each of which must exist (RFC 9051, 6.4.5 and 9).
func (c *conn) resolve(set wire.Set, byUID bool) ([]mailbox.UIDRange, error) {
	s := c.sel
	if set.Saved {
		return c.saved.ranges(), nil
	}
	if byUID {
		var last mailbox.UID
		if len(s.uids) > 0 {
			last = s.uids[len(s.uids)-1]
		}
		return uidRanges(set.Resolve(uint32(last))), nil
	}
	n := uint32(len(s.uids))
	for _, r := range set.Ranges {
		// "7:*" is the last message where there are fewer, as it is with UIDs:
		// clients poll with it.
		if r.Last > n || n == 0 {
			return nil, bad("There is no message with that number")
		}
	}
	return s.toUIDs(set.Resolve(n)), nil
}

func uidRanges(rs wire.Ranges) []mailbox.UIDRange {
	set := make([]mailbox.UIDRange, len(rs))
	for i, r := range rs {
		set[i] = mailbox.UIDRange{Low: mailbox.UID(r.First), High: mailbox.UID(r.Last)}
	}
	return set
}

// toUIDs turns ranges of sequence numbers into ranges of UIDs. Between two messages
// that the client knows there is none that it doesn't, because messages only come
// at the end.
func (s *selected) toUIDs(rs wire.Ranges) []mailbox.UIDRange {
	set := make([]mailbox.UIDRange, len(rs))
	for i, r := range rs {
		set[i] = mailbox.UIDRange{Low: s.uids[r.First-1], High: s.uids[r.Last-1]}
	}
	return set
}
