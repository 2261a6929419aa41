package sqlstore

import (
	"math"

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
	dest := []any{num(&e.UID), num(&e.Flags), num(&e.ModSeq), num(&e.size), blobColumn{&e.blob}}
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

const (
	queryCharge = `UPDATE account SET used_messages = used_messages + $1, used_bytes = used_bytes + $2,
		change = change + 1 WHERE account_id = $3
		RETURNING state, quota_messages, quota_bytes, used_messages, used_bytes`
	queryRefund = `UPDATE account SET used_messages = used_messages - $1, used_bytes = used_bytes - $2
		WHERE account_id = $3`
)

// charge adds messages to what an account keeps, notes the change, and returns
// the account's state. Errors: ErrNoAccount, ErrOverQuota.
func (t *tx) charge(id mailbox.AccountID, messages, bytes int64) (mailbox.AccountState, error) {
	var state mailbox.AccountState
	var quota, used mailbox.Quota
	dest := []any{num(&state), num(&quota.Messages), num(&quota.Bytes), num(&used.Messages), num(&used.Bytes)}
	found, err := t.one(queryCharge, dest, messages, bytes, int64(id))
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, mailbox.ErrNoAccount
	}
	if exceeds(used.Messages, quota.Messages) || exceeds(used.Bytes, quota.Bytes) {
		return 0, mailbox.ErrOverQuota
	}
	t.hint(id)
	return state, nil
}

func exceeds(used, quota int64) bool { return quota > 0 && used > quota }

// refund takes messages off what an account keeps.
func (t *tx) refund(id mailbox.AccountID, es []entry) error {
	sum := tallyOf(es)
	_, err := t.exec(queryRefund, sum.messages, sum.size, int64(id))
	return err
}

// allotted is the place of new messages: a run of UIDs and one mod-sequence.
type allotted struct {
	validity uint32
	first    mailbox.UID
	modseq   mailbox.ModSeq
}

const (
	queryAllot = `UPDATE mailbox SET uidnext = uidnext + $1, highestmodseq = highestmodseq + 1,
		messages = messages + $1, unseen = unseen + $2, deleted = deleted + $3, size = size + $4
		WHERE account_id = $5 AND mailbox_id = $6 RETURNING uidvalidity, uidnext, highestmodseq`
	queryWithdraw = `UPDATE mailbox SET highestmodseq = highestmodseq + 1,
		messages = messages - $1, unseen = unseen - $2, deleted = deleted - $3, size = size - $4
		WHERE account_id = $5 AND mailbox_id = $6 RETURNING highestmodseq`
)

// allot makes place for new messages. The row gives out the numbers, and the
// writer's lock on it makes the order of UIDs the order of commits.
func (t *tx) allot(id mailbox.AccountID, mbox mailbox.MailboxID, sum tally) (allotted, error) {
	var a allotted
	var next int64
	found, err := t.one(queryAllot, []any{num(&a.validity), num(&next), num(&a.modseq)},
		sum.messages, sum.unseen, sum.deleted, sum.size, int64(id), int64(mbox))
	if err != nil {
		return allotted{}, err
	}
	if !found {
		return allotted{}, mailbox.ErrNoMailbox
	}
	if next > math.MaxUint32 {
		return allotted{}, mailbox.ErrLimit // RFC 9051, 2.3.1.1: the UIDs of a mailbox can run out
	}
	a.first = mailbox.UID(next - sum.messages)
	return a, nil
}

// withdraw takes messages off the counters and returns the mod-sequence of
// their expunge.
func (t *tx) withdraw(id mailbox.AccountID, mbox mailbox.MailboxID, es []entry) (mailbox.ModSeq, error) {
	sum := tallyOf(es)
	var m mailbox.ModSeq
	found, err := t.one(queryWithdraw, []any{num(&m)},
		sum.messages, sum.unseen, sum.deleted, sum.size, int64(id), int64(mbox))
	if err == nil && !found {
		err = mailbox.ErrNoMailbox
	}
	return m, err
}
