package imapd

import (
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// bounds returns which of n things a partial-range takes, as indexes. It counts
// from 1, or with negative numbers from the end (RFC 9394, 3.1).
func bounds(part wire.Partial, n int) (low, high int) {
	first, last := part.First, part.Last
	if first < 0 {
		first, last = int64(n)+1+last, int64(n)+1+first
	}
	first, last = max(first, 1), min(last, int64(n))
	if first > last {
		return 0, 0
	}
	return int(first - 1), int(last)
}

// part returns a part of a set that names count messages which the client knows,
// and how many of them that is.
func (s *selected) part(part wire.Partial, set []mailbox.UIDRange, count int) ([]mailbox.UIDRange, int) {
	first, last := bounds(part, count)
	var picked []mailbox.UIDRange
	at := 0 // how many messages come before the range
	for _, r := range set {
		low, high := s.span(r)
		from, to := max(first-at, 0), min(last-at, high-low)
		if from < to {
			picked = append(picked, whole(s.uids[low+from:low+to])...)
		}
		at += high - low
	}
	return picked, last - first
}
