package sqlstore

import (
	"context"
	"math"

	"github.com/restante/restante/mailbox"
)

// StoreFlags implements mailbox.Store.
func (s *Store) StoreFlags(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, c mailbox.FlagChange) (mailbox.FlagResult, error) {
	if c.Idle {
		if res, changes, err := s.foresee(ctx, id, mbox, c); err != nil || !changes {
			return res, err
		}
	}
	var res mailbox.FlagResult
	err := s.write(ctx, "store flags", func(t *tx) error {
		m, err := t.mailbox(id, mbox)
		if err != nil {
			return err
		}
		f := flagChange{FlagChange: c, modseq: m.HighestModSeq + 1}
		if err := t.storeFlags(id, mbox, &f); err != nil {
			return err
		}
		res = f.FlagResult
		return nil
	}, id)
	if err != nil {
		return mailbox.FlagResult{}, err
	}
	return res, nil
}

// foresee reckons what a flag change would come to on what is committed, and reports
// whether it would change anything.
func (s *Store) foresee(ctx context.Context, id mailbox.AccountID, mbox mailbox.MailboxID, c mailbox.FlagChange) (res mailbox.FlagResult, changes bool, err error) {
	f := flagChange{FlagChange: c}
	err = s.read(ctx, "store flags", func(q querier) error {
		if _, err := q.mailbox(id, mbox); err != nil {
			return err
		}
		es, err := q.entries(id, mbox, c.Set)
		for i := range es {
			f.apply(es[i])
		}
		return err
	})
	if err != nil {
		return mailbox.FlagResult{}, false, err
	}
	return f.FlagResult, f.after.messages > 0, nil
}

// flagChange is a STORE command under way.
type flagChange struct {
	mailbox.FlagChange
	mailbox.FlagResult
	modseq        mailbox.ModSeq // of the messages that change
	before, after tally
}

// apply decides about one message: whether it is let alone, stays as it is, or
// changes.
func (f *flagChange) apply(e entry) (changes bool) {
	if f.UnchangedSince != nil && e.ModSeq > *f.UnchangedSince {
		f.Modified = append(f.Modified, e.UID)
		return false
	}
	row := e.Row
	row.Flags = f.Mode.Apply(e.Flags, f.Flags)
	if changes = row.Flags != e.Flags; changes {
		row.ModSeq = f.modseq
		f.before.add(e.Flags, e.size)
		f.after.add(row.Flags, e.size)
	}
	f.Rows = append(f.Rows, row)
	return changes
}

const (
	querySetFlags = `UPDATE message SET flags = (flags & $1) | $2, modseq = $3
		WHERE account_id = $4 AND mailbox_id = $5 AND uid BETWEEN $6 AND $7
		AND modseq <= $8 AND flags <> ((flags & $1) | $2)`
	queryFlagCounters = `UPDATE mailbox SET highestmodseq = $1, unseen = unseen + $2, deleted = deleted + $3
		WHERE account_id = $4 AND mailbox_id = $5`
)

// storeFlags changes each range of the set by one statement, after it has
// reckoned in f what the statement will do.
func (t *tx) storeFlags(id mailbox.AccountID, mbox mailbox.MailboxID, f *flagChange) error {
	for _, r := range f.Set {
		es, err := t.entries(id, mbox, []mailbox.UIDRange{r})
		if err != nil {
			return err
		}
		n := int64(0)
		for _, e := range es {
			if f.apply(e) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		if err := t.setFlags(id, mbox, r, f, n); err != nil {
			return err
		}
	}
	if f.after.messages == 0 {
		return nil
	}
	_, err := t.exec(queryFlagCounters, int64(f.modseq), f.after.unseen-f.before.unseen,
		f.after.deleted-f.before.deleted, int64(id), int64(mbox))
	if err != nil {
		return err
	}
	return t.touch(id)
}

// setFlags changes the n messages of a range that change.
func (t *tx) setFlags(id mailbox.AccountID, mbox mailbox.MailboxID, r mailbox.UIDRange, f *flagChange, n int64) error {
	since := mailbox.ModSeq(math.MaxInt64)
	if f.UnchangedSince != nil {
		since = min(since, *f.UnchangedSince)
	}
	// What the mode makes of a message with no flags is set whatever was there;
	// of what it makes of one with all others, the rest is left as it is.
	given := f.Mode.Apply(0, f.Flags)
	kept := f.Mode.Apply(^given, f.Flags) &^ given
	changed, err := t.exec(querySetFlags, int64(kept), int64(given), int64(f.modseq), int64(id), int64(mbox),
		int64(r.Low), int64(r.High), int64(since))
	if err == nil && changed != n {
		return damaged("a flag change of mailbox %d of account %s met %d messages instead of %d", mbox, id, changed, n)
	}
	return err
}
