package sqlstore

import (
	"context"
	"math"

	"github.com/restante/restante/mailbox"
)

// Expunge implements mailbox.Store.
func (s *Store) Expunge(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, r mailbox.ExpungeRequest) (mailbox.Expunged, error) {
	var res mailbox.Expunged
	err := s.write(ctx, "expunge", func(t *tx) error {
		m, err := t.mailbox(id, mbox)
		if err != nil {
			return err
		}
		res = mailbox.Expunged{ModSeq: m.HighestModSeq}
		es, err := t.doomed(id, mbox, r)
		if err != nil || len(es) == 0 {
			return err
		}
		for i := range es {
			res.UIDs = append(res.UIDs, es[i].UID)
		}
		res.ModSeq, err = t.expunge(id, mbox, es)
		return err
	}, id)
	if err != nil {
		return mailbox.Expunged{}, err
	}
	return res, nil
}

const queryDoomed = `SELECT uid, flags, modseq, size, blob_id FROM message
	WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4
	AND (flags & $5) = $5 AND (flags & $6) = 0 ORDER BY uid LIMIT $7`

// doomed returns the messages that an expunge takes, ascending.
func (t *tx) doomed(id mailbox.AccountID, mbox mailbox.MailboxID, r mailbox.ExpungeRequest) ([]entry, error) {
	limit := math.MaxInt32
	if r.Limit > 0 {
		limit = r.Limit
	}
	var list []entry
	var e entry
	for _, u := range r.Set {
		err := t.each(queryDoomed, e.scan(), func() error {
			list = append(list, e)
			return nil
		}, int64(id), int64(mbox), int64(u.Low), int64(u.High), int64(r.Need), int64(r.Spare), limit-len(list))
		if err != nil {
			return nil, err
		}
		if len(list) == limit {
			break
		}
	}
	return list, nil
}

// expunge deletes messages with their bodies, and remembers that they vanished.
func (t *tx) expunge(id mailbox.AccountID, mbox mailbox.MailboxID, es []entry) (mailbox.ModSeq, error) {
	if err := t.releaseAll(id, es); err != nil {
		return 0, err
	}
	if err := t.refund(id, es); err != nil {
		return 0, err
	}
	return t.vanish(id, mbox, es)
}

const queryVanish = `INSERT INTO expunged (account_id, mailbox_id, modseq, uid_low, uid_high) VALUES ($1, $2, $3, $4, $5)`

// vanish deletes the rows of messages, keeps their UIDs for VANISHED, and counts
// them off the mailbox. The bodies may live on in another mailbox.
func (t *tx) vanish(id mailbox.AccountID, mbox mailbox.MailboxID, es []entry) (mailbox.ModSeq, error) {
	modseq, err := t.withdraw(id, mbox, es)
	if err != nil {
		return 0, err
	}
	set := rangesOf(es)
	if err := t.dropRows(id, mbox, set); err != nil {
		return 0, err
	}
	for _, r := range set {
		if _, err := t.exec(queryVanish, int64(id), int64(mbox), int64(modseq), int64(r.Low), int64(r.High)); err != nil {
			return 0, err
		}
	}
	return modseq, t.touch(id)
}

// dropMessages deletes messages with their bodies, and leaves the counters.
func (t *tx) dropMessages(id mailbox.AccountID, mbox mailbox.MailboxID, es []entry) error {
	if err := t.releaseAll(id, es); err != nil {
		return err
	}
	return t.dropRows(id, mbox, rangesOf(es))
}

func (t *tx) releaseAll(id mailbox.AccountID, es []entry) error {
	for i := range es {
		if err := t.releaseBody(id, es[i].blob); err != nil {
			return err
		}
	}
	return nil
}

const (
	queryDropHidden   = `DELETE FROM hidden WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4`
	queryDropPages    = `DELETE FROM page WHERE account_id = $1 AND mailbox_id = $2 AND number BETWEEN $3 AND $4`
	queryDropSealed   = `DELETE FROM sealed WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4`
	queryDropMessages = `DELETE FROM message WHERE account_id = $1 AND mailbox_id = $2 AND uid BETWEEN $3 AND $4`
)

// dropRows deletes the rows of every message in a set, and what holds copies of
// them.
func (t *tx) dropRows(id mailbox.AccountID, mbox mailbox.MailboxID, set []mailbox.UIDRange) error {
	for _, r := range set {
		low, high := mailbox.PageOf(r.Low), mailbox.PageOf(r.High)
		if _, err := t.exec(queryDropPages, int64(id), int64(mbox), int64(low), int64(high)); err != nil {
			return err
		}
		for _, query := range []string{queryDropHidden, queryDropSealed, queryDropMessages} {
			if _, err := t.exec(query, int64(id), int64(mbox), int64(r.Low), int64(r.High)); err != nil {
				return err
			}
		}
	}
	return nil
}
