package sqlstore

import (
	"math"

	"github.com/restante/restante/mailbox"
)

const (
	queryCharge = `UPDATE account SET used_messages = used_messages + $1, used_bytes = used_bytes + $2,
		change = change + 1 WHERE account_id = $3
		AND (quota_messages = 0 OR used_messages + $1 <= quota_messages)
		AND (quota_bytes = 0 OR used_bytes + $2 <= quota_bytes) RETURNING state,
		(SELECT generation FROM account_key WHERE account_key.account_id = account.account_id)`
	queryIsThere = `SELECT count(*) FROM account WHERE account_id = $1`
	queryRefund  = `UPDATE account SET used_messages = used_messages - $1, used_bytes = used_bytes - $2
		WHERE account_id = $3`
)

// charged is an account as it was found when messages were added to it.
type charged struct {
	state      mailbox.AccountState
	generation uint32 // of its key
}

// charge adds messages to what an account keeps, notes the change, and returns
// the account's state and key. Errors: ErrNoAccount, ErrOverQuota; with one of
// these nothing was written.
func (t *tx) charge(id mailbox.AccountID, messages, bytes int64) (charged, error) {
	var a charged
	found, err := t.update(queryCharge, []any{num(&a.state), num(&a.generation)}, messages, bytes, int64(id))
	if err != nil {
		return charged{}, err
	}
	if found {
		t.hint(id)
		return a, nil
	}
	var n int
	if _, err := t.one(queryIsThere, []any{num(&n)}, int64(id)); err != nil {
		return charged{}, err
	}
	if n == 0 {
		return charged{}, mailbox.ErrNoAccount
	}
	return charged{}, mailbox.ErrOverQuota
}

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
	found, err := t.update(queryAllot, []any{num(&a.validity), num(&next), num(&a.modseq)},
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
	found, err := t.update(queryWithdraw, []any{num(&m)},
		sum.messages, sum.unseen, sum.deleted, sum.size, int64(id), int64(mbox))
	if err == nil && !found {
		err = mailbox.ErrNoMailbox
	}
	return m, err
}
