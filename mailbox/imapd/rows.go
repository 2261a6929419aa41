package imapd

import (
	"iter"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// rowsAtATime is how many messages are taken from the shared table at a time.
const rowsAtATime = 256

// rows returns the messages of a set of UIDs that the client knows and that are
// still there, with their sequence numbers, as of the table's last Refresh.
func (s *selected) rows(set []mailbox.UIDRange) iter.Seq2[uint32, mailbox.Row] {
	return func(yield func(uint32, mailbox.Row) bool) {
		var buf [rowsAtATime]mailbox.Row
		for _, r := range set {
			low, high := s.span(r)
			for ; low < high; low += rowsAtATime {
				part := s.uids[low:min(high, low+rowsAtATime)]
				if !eachRow(s.table.Rows(buf[:0], whole(part)), part, low, yield) {
					return
				}
			}
		}
	}
}

// eachRow yields rows, which are of some of the ascending uids, the first of which
// is at index low.
func eachRow(rows []mailbox.Row, uids []mailbox.UID, low int, yield func(uint32, mailbox.Row) bool) bool {
	i := 0
	for _, row := range rows {
		for i < len(uids) && uids[i] < row.UID {
			i++
		}
		if i == len(uids) {
			return true
		}
		if uids[i] == row.UID && !yield(uint32(low+i)+1, row) {
			return false
		}
	}
	return true
}

// whole returns the range from the first to the last of uids, which are not none.
func whole(uids []mailbox.UID) []mailbox.UIDRange {
	return []mailbox.UIDRange{{Low: uids[0], High: uids[len(uids)-1]}}
}

// span returns which of the client's messages, as indexes, are in r.
func (s *selected) span(r mailbox.UIDRange) (low, high int) {
	low, _ = slices.BinarySearch(s.uids, r.Low)
	n, found := slices.BinarySearch(s.uids[low:], r.High)
	if found {
		n++
	}
	return low, low + n
}

// target returns the UIDs that a set of a command means, of messages that the
// client knows, and how many these are. Some may be gone.
//
// The client is told of arrivals first, so that a command by UID is about these
// too; a sequence number means what it meant when the command was sent.
func (c *conn) target(set wire.Set, byUID bool) (uids []mailbox.UIDRange, count int, err error) {
	if byUID {
		if err := c.catchUp(); err != nil {
			return nil, 0, err
		}
	}
	uids, err = c.resolve(set, byUID)
	if err == nil && !byUID {
		err = c.catchUp()
	}
	uids, count = c.sel.known(uids)
	return uids, count, err
}

// catchUp reads what is new, and tells of arrivals. Their flags are not told: the
// client has not asked for any yet.
func (c *conn) catchUp() error {
	s := c.sel
	if err := s.table.Refresh(c.ctx); err != nil {
		return err
	}
	if silent(c.selectedGroup()) {
		return nil
	}
	known := len(s.uids)
	c.tellArrivals(s.table.View())
	if known < len(s.uids) {
		for _, row := range s.rows(whole(s.uids[known:])) {
			s.tells(row)
		}
	}
	return nil
}

// known returns what of a set the client knows, and how many messages that is.
func (s *selected) known(set []mailbox.UIDRange) (clipped []mailbox.UIDRange, count int) {
	for _, r := range set {
		low, high := s.span(r)
		if low < high {
			clipped = append(clipped, whole(s.uids[low:high])...)
			count += high - low
		}
	}
	return clipped, count
}

// count returns how many messages of a set the client knows.
func (c *conn) count(set []mailbox.UIDRange) int {
	_, n := c.sel.known(set)
	return n
}

// uidSet is a set of UIDs in the making. They are added in ascending order.
type uidSet []mailbox.UIDRange

func (u *uidSet) add(uid mailbox.UID) {
	set := *u
	if n := len(set); n > 0 && set[n-1].High+1 == uid {
		set[n-1].High = uid
		return
	}
	*u = append(set, mailbox.UIDRange{Low: uid, High: uid})
}

// numbers turns UIDs into the codec's numbers.
func numbers(uids []mailbox.UID) []uint32 {
	list := make([]uint32, len(uids))
	for i, uid := range uids {
		list[i] = uint32(uid)
	}
	return list
}
