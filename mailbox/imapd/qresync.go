package imapd

import (
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// QRESYNC (RFC 7162, 3.2) lets a client that comes back learn with SELECT what has
// changed, and gives it UIDs instead of numbers for what is gone.

// enableQResync switches QRESYNC on, and CONDSTORE with it.
func (c *conn) enableQResync() {
	c.enabled.qresync = true
	c.enableCondstore()
}

// errNotEnabled answers what only ENABLE QRESYNC permits (RFC 7162, 3.2.5).
var errNotEnabled = bad("ENABLE QRESYNC comes first")

// resync tells what has happened since the client last had the mailbox selected:
// first what is gone, then what is new or changed. What it remembers of another
// UIDVALIDITY is worth nothing.
func (c *conn) resync(q *wire.QResync) error {
	s := c.sel
	m := s.table.View().Mailbox
	if q == nil || q.UIDValidity != m.UIDValidity {
		return nil
	}
	known := mailbox.AllUIDs()
	if !q.Known.IsZero() {
		known = uidRanges(q.Known.Ranges)
	}
	since := mailbox.ModSeq(q.ModSeq)
	changes, err := c.session.Changes(c.ctx, s.id, since)
	if err != nil {
		return err
	}
	gone := changes.Vanished
	if !changes.Complete {
		gone = s.absent(s.agreed(q)+1, m.UIDNext)
	}
	c.writeEarlier(intersect(s.without(gone), known))
	for _, row := range s.table.ChangedSince(since) {
		if i, ok := s.index(row.UID); ok && rangesOf(known).Contains(uint32(row.UID)) {
			c.writeFlags(i, row)
			s.tells(row)
		}
	}
	return nil
}

// vanishedSince returns which UIDs of a set are gone since a mod-sequence, for UID
// FETCH with VANISHED. If that is too long ago, it is all that are not there
// (RFC 7162, 3.2.6).
func (c *conn) vanishedSince(since mailbox.ModSeq, set wire.Set) ([]mailbox.UIDRange, error) {
	s := c.sel
	next := s.table.View().Mailbox.UIDNext
	asked := c.saved.ranges()
	if !set.Saved {
		// "*" is the last message there is. A client that asks for "1:*" means
		// those beyond it as well, which it may know.
		asked = uidRanges(set.Resolve(uint32(next) - 1))
	}
	gone := s.absent(1, next)
	if since > 0 {
		changes, err := c.session.Changes(c.ctx, s.id, since)
		if err != nil {
			return nil, err
		}
		if changes.Complete {
			gone = changes.Vanished
		}
	}
	return intersect(s.without(gone), asked), nil
}

// writeEarlier tells what had gone before the client's sequence numbers began.
func (c *conn) writeEarlier(gone []mailbox.UIDRange) {
	if len(gone) > 0 {
		c.sent(c.w.Vanished(true, rangesOf(gone)))
	}
}

// writeVanished tells that the messages at these indexes are gone.
func (c *conn) writeVanished(indexes []int) {
	var set uidSet
	for _, i := range indexes {
		set.add(c.sel.uids[i])
	}
	if len(set) > 0 {
		c.sent(c.w.Vanished(false, rangesOf(set)))
	}
}

// agreed returns the highest UID that has the same number here as the client says
// that it has. No message below it is gone, or the number would be another.
func (s *selected) agreed(q *wire.QResync) (last mailbox.UID) {
	uids := q.UIDs.Ranges
	var from uint32 // what of uids[0] is paired already
	for _, r := range q.Seqs.Ranges {
		for n := uint64(r.First); n <= uint64(r.Last); n++ {
			uid := uids[0].First + from
			if n > uint64(len(s.uids)) || s.uids[n-1] != mailbox.UID(uid) {
				return last
			}
			last = mailbox.UID(uid)
			if from++; uid == uids[0].Last {
				uids, from = uids[1:], 0
			}
		}
	}
	return last
}

// absent returns the UIDs from first up to next, that one excluded, of which the
// client sees no message.
func (s *selected) absent(first, next mailbox.UID) []mailbox.UIDRange {
	return s.without([]mailbox.UIDRange{{Low: first, High: next - 1}})
}

// without returns the set but for the messages that the client sees. What goes in
// the very moment of the command is told later, with its number.
func (s *selected) without(set []mailbox.UIDRange) []mailbox.UIDRange {
	var rest []mailbox.UIDRange
	for _, r := range set {
		low, high := s.span(r)
		for _, uid := range s.uids[low:high] {
			if uid > r.Low {
				rest = append(rest, mailbox.UIDRange{Low: r.Low, High: uid - 1})
			}
			r.Low = uid + 1
		}
		if r.Low != 0 && r.Low <= r.High {
			rest = append(rest, r)
		}
	}
	return rest
}

// intersect returns what two sets have in common.
func intersect(a, b []mailbox.UIDRange) []mailbox.UIDRange {
	var both []mailbox.UIDRange
	for len(a) > 0 && len(b) > 0 {
		low, high := max(a[0].Low, b[0].Low), min(a[0].High, b[0].High)
		if low <= high {
			both = append(both, mailbox.UIDRange{Low: low, High: high})
		}
		if a[0].High < b[0].High {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// tellsHighest has the answer of EXPUNGE say which mod-sequence the mailbox has
// now, if it removed anything (RFC 7162, 3.2.7).
func (c *conn) tellsHighest(e mailbox.Expunged) {
	if c.enabled.qresync && len(e.UIDs) > 0 {
		c.done.code = func() {
			c.w.OpenCode("HIGHESTMODSEQ")
			c.w.Number(uint64(e.ModSeq))
			c.w.CloseCode()
		}
	}
}
