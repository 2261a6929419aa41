package sqlstore

import (
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// tally sums up messages as the counters of a mailbox and an account do.
type tally struct{ messages, unseen, deleted, size int64 }

func (s *tally) add(f mailbox.Flags, size int64) {
	s.messages++
	s.size += size
	if f&mailbox.Seen == 0 {
		s.unseen++
	}
	if f&mailbox.Deleted != 0 {
		s.deleted++
	}
}

// entry is the part of a message that changes need.
type entry struct {
	mailbox.Row
	size int64
	blob seal.BlobID
}

// scan returns where uid, flags, modseq, size and blob_id go.
func (e *entry) scan() []any {
	return []any{num(&e.UID), num(&e.Flags), num(&e.ModSeq), num(&e.size), blobColumn{&e.blob}}
}

func tallyOf(es []entry) tally {
	var s tally
	for i := range es {
		s.add(es[i].Flags, es[i].size)
	}
	return s
}

// rangesOf returns the UIDs of es, which ascend, as ranges.
func rangesOf(es []entry) []mailbox.UIDRange {
	var set []mailbox.UIDRange
	for i := range es {
		set = appendRange(set, mailbox.UIDRange{Low: es[i].UID, High: es[i].UID})
	}
	return set
}

// appendRange adds a range that begins no lower than the last one, merged with
// it if they touch.
func appendRange(set []mailbox.UIDRange, r mailbox.UIDRange) []mailbox.UIDRange {
	if n := len(set); n > 0 && int64(r.Low) <= int64(set[n-1].High)+1 {
		set[n-1].High = max(set[n-1].High, r.High)
		return set
	}
	return append(set, r)
}

const queryEntries = `SELECT uid, flags, modseq, size, blob_id FROM message
	WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4 ORDER BY uid`

// entries returns the messages of a set that exist, ascending.
func (q querier) entries(id mailbox.AccountID, mbox mailbox.MailboxID, set []mailbox.UIDRange) ([]entry, error) {
	var list []entry
	var e entry
	dest := e.scan()
	for _, r := range set {
		err := q.each(queryEntries, dest, func() error {
			list = append(list, e)
			return nil
		}, int64(id), int64(mbox), int64(r.Low), int64(r.High))
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
