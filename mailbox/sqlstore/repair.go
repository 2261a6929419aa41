package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/restante/restante/mailbox"
)

// RepairOptions says how Repair works.
type RepairOptions struct {
	// Drop deletes messages and mail to other relays of which a part is missing, so
	// that they can't be opened any more. Without it they are left as they are: what
	// is missing may come back with a disk that was not mounted.
	Drop bool
}

// Repaired is what one step of Repair has changed.
type Repaired struct {
	What string
	Rows int64
}

// repair is one step: a statement that changes only what is wrong.
type repair struct {
	what, query string
	drop        bool // loses what can't be opened
}

// heldBodies counts who holds each body.
const heldBodies = `(SELECT account_id, blob_id, count(*) AS n FROM message GROUP BY account_id, blob_id
	UNION ALL SELECT 0, blob_id, count(*) FROM job GROUP BY blob_id)`

// halfMessages are messages without their mailbox, sealed half or body.
const halfMessages = `SELECT message.account_id, message.mailbox_id, message.uid FROM message
	LEFT JOIN mailbox ON mailbox.account_id = message.account_id AND mailbox.mailbox_id = message.mailbox_id
	LEFT JOIN sealed ON sealed.account_id = message.account_id
		AND sealed.mailbox_id = message.mailbox_id AND sealed.uid = message.uid
	LEFT JOIN body ON body.account_id = message.account_id AND body.blob_id = message.blob_id
	LEFT JOIN body_file ON body_file.account_id = message.account_id AND body_file.blob_id = message.blob_id
	WHERE mailbox.mailbox_id IS NULL OR sealed.uid IS NULL OR (body.blob_id IS NULL AND body_file.blob_id IS NULL)`

// wrongMemories are expunges that can't have been.
const wrongMemories = `SELECT expunged.account_id, expunged.mailbox_id, expunged.modseq, uid_low FROM expunged
	LEFT JOIN mailbox ON mailbox.account_id = expunged.account_id AND mailbox.mailbox_id = expunged.mailbox_id
	WHERE mailbox.mailbox_id IS NULL OR uid_low > uid_high OR uid_low < 1 OR uid_high >= uidnext
	OR expunged.modseq > highestmodseq OR EXISTS (SELECT 1 FROM message
		WHERE message.account_id = expunged.account_id AND message.mailbox_id = expunged.mailbox_id
		AND uid BETWEEN uid_low AND uid_high)`

// repairs are run in this order: first what belongs to nothing goes, then counts and
// numbers are made those of what is there.
var repairs = []repair{
	{"expunges of messages that could not be opened were noted", `
		INSERT INTO expunged (account_id, mailbox_id, modseq, uid_low, uid_high)
		SELECT half.account_id, half.mailbox_id, highestmodseq + 1, half.uid, half.uid FROM (` + halfMessages + `) AS half
		JOIN mailbox ON mailbox.account_id = half.account_id AND mailbox.mailbox_id = half.mailbox_id
		WHERE half.uid < uidnext`, true},
	{"messages that could not be opened were deleted", `
		DELETE FROM message WHERE (account_id, mailbox_id, uid) IN (` + halfMessages + `)`, true},
	{"mail to other relays without a body was deleted", `
		DELETE FROM job WHERE NOT EXISTS (SELECT 1 FROM body WHERE account_id = 0 AND body.blob_id = job.blob_id)
		AND NOT EXISTS (SELECT 1 FROM body_file WHERE account_id = 0 AND body_file.blob_id = job.blob_id)`, true},
	{"halves without their message were deleted", `
		DELETE FROM sealed WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.account_id = sealed.account_id
		AND message.mailbox_id = sealed.mailbox_id AND message.uid = sealed.uid)`, false},
	{"pages of other messages than there are were deleted", `
		DELETE FROM page WHERE messages <> (SELECT count(*) FROM message
		WHERE message.account_id = page.account_id AND message.mailbox_id = page.mailbox_id
		AND uid BETWEEN number * 64 AND number * 64 + 63)`, false},
	{"second bodies were deleted", `
		DELETE FROM body_file WHERE EXISTS (SELECT 1 FROM body
		WHERE body.account_id = body_file.account_id AND body.blob_id = body_file.blob_id)`, false},
	{"bodies without a message were deleted", `
		DELETE FROM body WHERE (account_id, blob_id) NOT IN (SELECT account_id, blob_id FROM ` + heldBodies + ` AS held)`, false},
	{"large bodies without a message were deleted", `
		DELETE FROM body_file WHERE (account_id, blob_id) NOT IN (SELECT account_id, blob_id FROM ` + heldBodies + ` AS held)`, false},
	{"wrong counts of copies were deleted", `
		DELETE FROM shared WHERE (account_id, blob_id, extra + 1) NOT IN (SELECT account_id, blob_id, n FROM ` + heldBodies + ` AS held)`, false},
	{"counts of copies were made", `
		INSERT INTO shared (account_id, blob_id, extra) SELECT account_id, blob_id, n - 1 FROM ` + heldBodies + ` AS held
		WHERE n > 1 AND NOT EXISTS (SELECT 1 FROM shared WHERE shared.account_id = held.account_id AND shared.blob_id = held.blob_id)`, false},
	{"numbers that were given out again were moved on", `
		UPDATE mailbox SET
		uidnext = (SELECT CASE WHEN max(uid) >= uidnext THEN max(uid) + 1 WHEN uidnext < 1 THEN 1 ELSE uidnext END FROM message
			WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id),
		highestmodseq = 1 + (SELECT CASE WHEN max(modseq) > highestmodseq THEN max(modseq) WHEN highestmodseq < 1 THEN 1 ELSE highestmodseq END
			FROM message WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id),
		recent = 1, vanish_floor = 0
		WHERE (account_id, mailbox_id) IN (` + queryWrongNumbers + `)`, false},
	{"mod-sequences were moved on", `
		UPDATE mailbox SET highestmodseq = (SELECT max(modseq) FROM expunged
			WHERE expunged.account_id = mailbox.account_id AND expunged.mailbox_id = mailbox.mailbox_id)
		WHERE (account_id, mailbox_id, highestmodseq + 1) IN (SELECT account_id, mailbox_id, modseq FROM expunged)`, true},
	{"mailboxes whose expunges are in doubt forget them", `
		UPDATE mailbox SET vanish_floor = highestmodseq
		WHERE (account_id, mailbox_id) IN (SELECT account_id, mailbox_id FROM (` + wrongMemories + `) AS wrong)`, false},
	{"expunges that can't have been were deleted", `
		DELETE FROM expunged WHERE (account_id, mailbox_id, modseq, uid_low) IN (` + wrongMemories + `)`, false},
	{"counters of mailboxes were set right", `
		UPDATE mailbox SET
		messages = (SELECT count(*) FROM message WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id),
		size = (SELECT coalesce(sum(message.size), 0) FROM message
			WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id),
		unseen = (SELECT coalesce(sum(1 - (flags & 1)), 0) FROM message
			WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id),
		deleted = (SELECT coalesce(sum((flags & 8) / 8), 0) FROM message
			WHERE message.account_id = mailbox.account_id AND message.mailbox_id = mailbox.mailbox_id)
		WHERE (account_id, mailbox_id) IN (` + queryWrongCounters + `)`, false},
	{"what accounts use was summed up again", `
		UPDATE account SET
		used_messages = (SELECT coalesce(sum(messages), 0) FROM mailbox WHERE mailbox.account_id = account.account_id),
		used_bytes = (SELECT coalesce(sum(size), 0) FROM mailbox WHERE mailbox.account_id = account.account_id)
		WHERE used_messages <> (SELECT coalesce(sum(messages), 0) FROM mailbox WHERE mailbox.account_id = account.account_id)
		OR used_bytes <> (SELECT coalesce(sum(size), 0) FROM mailbox WHERE mailbox.account_id = account.account_id)`, false},
	{"accounts were moved past the mailboxes they have", `
		UPDATE account SET
		next_mailbox = (SELECT CASE WHEN max(mailbox_id) >= next_mailbox THEN max(mailbox_id) + 1 ELSE next_mailbox END
			FROM mailbox WHERE mailbox.account_id = account.account_id),
		uidvalidity = (SELECT CASE WHEN max(mailbox.uidvalidity) > account.uidvalidity THEN max(mailbox.uidvalidity) ELSE account.uidvalidity END
			FROM mailbox WHERE mailbox.account_id = account.account_id)
		WHERE EXISTS (SELECT 1 FROM mailbox WHERE mailbox.account_id = account.account_id
			AND (mailbox_id >= next_mailbox OR mailbox.uidvalidity > account.uidvalidity))`, false},
	{"destinations of waiting mail were made", `
		INSERT INTO destination (dest_mac, due, token, until) SELECT dest_mac, min(due), 0, 0 FROM job
		WHERE NOT EXISTS (SELECT 1 FROM destination WHERE destination.dest_mac = job.dest_mac) GROUP BY dest_mac`, false},
	{"destinations became due with their first mail", `
		UPDATE destination SET due = (SELECT min(due) FROM job WHERE job.dest_mac = destination.dest_mac)
		WHERE EXISTS (SELECT 1 FROM job WHERE job.dest_mac = destination.dest_mac AND job.due < destination.due)`, false},
}

// Repair mends what CheckConsistency finds, as far as it can be: counters, numbers,
// leftovers. What it can't mend, the check afterwards returns as ErrCorrupt; the rest
// is a matter for a backup. A copy of an SQLite database from before stands beside it
// then. The store must have been opened with the Place Served, so that nobody else
// has it open.
func (s *Store) Repair(ctx context.Context, o RepairOptions) ([]Repaired, error) {
	if err := s.engine.keepDamaged(ctx); err != nil {
		return nil, fmt.Errorf("repair: keep a copy from before: %w", err)
	}
	var done []Repaired
	var renumbered []mailbox.AccountID
	err := s.write(ctx, "repair", func(t *tx) (err error) {
		t.wrote = true
		var lost []place
		if o.Drop {
			if lost, err = s.large.lost(t.querier); err != nil {
				return err
			}
		}
		done, renumbered, err = t.querier.repair(o, lost) // however long it takes
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(renumbered) > 0 {
		if err := s.raise(ctx, s.opts.Now().Unix(), renumbered); err != nil {
			return done, fmt.Errorf("repair: %w", err)
		}
	}
	if err := errors.Join(s.CheckConsistency(ctx), ctx.Err()); err != nil {
		return done, fmt.Errorf("after the repair: %w", err)
	}
	return done, nil
}

// repair runs the steps, and lists the accounts in which UIDs may have been given out
// twice.
func (q querier) repair(o RepairOptions, lost []place) (done []Repaired, renumbered []mailbox.AccountID, err error) {
	var id mailbox.AccountID
	var mbox mailbox.MailboxID
	err = q.each(queryWrongNumbers, []any{num(&id), num(&mbox)}, func() error {
		renumbered = append(renumbered, id)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range lost { // their messages are halves then
		if _, err := q.exec(queryDropBodyFile, int64(p.id), p.blob[:]); err != nil {
			return nil, nil, err
		}
	}
	if err := q.execAll(q.on.dialect.mend); err != nil {
		return nil, nil, err
	}
	for _, r := range repairs {
		if r.drop && !o.Drop {
			continue
		}
		n, err := q.exec(r.query)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.what, err)
		}
		if n > 0 {
			done = append(done, Repaired{r.what, n})
		}
	}
	if len(done) > 0 { // so that a backup looks at every account
		_, err = q.exec(repairTouch)
	}
	return done, renumbered, errors.Join(err, q.execAll(q.on.dialect.tidy))
}

func (q querier) execAll(queries []string) error {
	for _, query := range queries {
		if _, err := q.exec(query); err != nil {
			return err
		}
	}
	return nil
}

const repairTouch = `UPDATE account SET change = change + 1`

// damagedCopy is the name of the copy that a repair leaves.
const damagedCopy = ".damaged"

// keepDamaged copies the file as it is: a damaged database can't be asked for its
// content.
func (e *sqliteEngine) keepDamaged(ctx context.Context) error {
	path := e.s.opts.Path
	if err := e.s.roomFor(path); err != nil {
		return err
	}
	if err := e.erase(ctx); err != nil { // so that all of it is in one file
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	return copyTo(in, path+damagedCopy)
}

func (*postgres) keepDamaged(context.Context) error { return nil }

// sqliteMend makes indexes fit their tables again.
var sqliteMend = []string{`REINDEX`}

// postgresTidy gives chunks that belong to nothing to the sweep.
var postgresTidy = []string{
	`DELETE FROM loose WHERE EXISTS (SELECT 1 FROM body_file
		WHERE body_file.account_id = loose.account_id AND body_file.blob_id = loose.blob_id)`,
	`INSERT INTO loose (account_id, blob_id, quarter) SELECT DISTINCT account_id, blob_id, 0::bigint FROM chunk
		WHERE NOT EXISTS (SELECT 1 FROM body_file WHERE body_file.account_id = chunk.account_id AND body_file.blob_id = chunk.blob_id)
		AND NOT EXISTS (SELECT 1 FROM loose WHERE loose.account_id = chunk.account_id AND loose.blob_id = chunk.blob_id)`,
}
