package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

type invariant struct{ name, query string }

// queryWrongCounters finds mailboxes that don't count what they have, and
// queryWrongNumbers those that would give out a number again. repair.go uses them too.
const (
	queryWrongCounters = `SELECT mailbox.account_id, mailbox.mailbox_id FROM mailbox LEFT JOIN (
			SELECT account_id, mailbox_id, count(*) AS n, sum(size) AS bytes,
				sum(1 - (flags & 1)) AS unseen, sum((flags & 8) / 8) AS deleted
			FROM message GROUP BY account_id, mailbox_id) AS m
		ON m.account_id = mailbox.account_id AND m.mailbox_id = mailbox.mailbox_id
		WHERE mailbox.messages <> coalesce(m.n, 0) OR mailbox.size <> coalesce(m.bytes, 0)
		OR mailbox.unseen <> coalesce(m.unseen, 0) OR mailbox.deleted <> coalesce(m.deleted, 0)`
	queryWrongNumbers = `SELECT mailbox.account_id, mailbox.mailbox_id FROM mailbox LEFT JOIN (
			SELECT account_id, mailbox_id, max(uid) AS uid, max(modseq) AS modseq
			FROM message GROUP BY account_id, mailbox_id) AS m
		ON m.account_id = mailbox.account_id AND m.mailbox_id = mailbox.mailbox_id
		WHERE uidnext <= coalesce(m.uid, 0) OR highestmodseq < coalesce(m.modseq, 0)
		OR recent > uidnext OR vanish_floor > highestmodseq OR uidnext < 1 OR highestmodseq < 1`
)

// invariants are what must hold of every store, each as a query that finds the
// rows of which it does not. Each row is an account and what it is about.
var invariants = []invariant{
	{"the counters of a mailbox are those of its messages", queryWrongCounters},
	{"UIDs and mod-sequences are below the next ones", queryWrongNumbers},
	{"what an account keeps is the sum of its mailboxes", `
		SELECT account.account_id, 0 FROM account LEFT JOIN (
			SELECT account_id, sum(messages) AS n, sum(size) AS bytes FROM mailbox GROUP BY account_id) AS m
		ON m.account_id = account.account_id
		WHERE used_messages <> coalesce(m.n, 0) OR used_bytes <> coalesce(m.bytes, 0)`},
	{"every account has an INBOX, a key and an address", `
		SELECT account_id, 0 FROM account WHERE NOT EXISTS (
			SELECT 1 FROM mailbox WHERE mailbox.account_id = account.account_id AND mailbox_id = 1)
		OR NOT EXISTS (SELECT 1 FROM account_key WHERE account_key.account_id = account.account_id)
		OR NOT EXISTS (SELECT 1 FROM address WHERE address.account_id = account.account_id)`},
	{"what is hidden from a device is there for others", `
		SELECT hidden.account_id, hidden.uid FROM hidden LEFT JOIN message ON message.account_id = hidden.account_id
			AND message.mailbox_id = hidden.mailbox_id AND message.uid = hidden.uid
		WHERE message.uid IS NULL`},
	{"what is published is an address's", `
		SELECT published.account_id, 0 FROM published WHERE NOT EXISTS (
			SELECT 1 FROM address WHERE address.addr_mac = published.addr_mac AND address.account_id = published.account_id)`},
	{"nobody has an address that was given up", `
		SELECT account_id, n FROM address WHERE addr_mac IN (SELECT addr_mac FROM retired)`},
	{"addresses are numbered below the next one", `
		SELECT address.account_id, n FROM address JOIN account USING (account_id) WHERE n >= next_address`},
	{"mailbox identifiers and UIDVALIDITYs are below the next ones", `
		SELECT mailbox.account_id, mailbox_id FROM mailbox JOIN account USING (account_id)
		WHERE mailbox_id >= next_mailbox OR mailbox.uidvalidity > account.uidvalidity`},
	{"every message is in a mailbox and has its sealed half", `
		SELECT message.account_id, message.uid FROM message
		LEFT JOIN mailbox ON mailbox.account_id = message.account_id AND mailbox.mailbox_id = message.mailbox_id
		LEFT JOIN sealed ON sealed.account_id = message.account_id
			AND sealed.mailbox_id = message.mailbox_id AND sealed.uid = message.uid
		WHERE mailbox.mailbox_id IS NULL OR sealed.uid IS NULL`},
	{"every sealed half has its message", `
		SELECT sealed.account_id, sealed.uid FROM sealed LEFT JOIN message
		ON message.account_id = sealed.account_id AND message.mailbox_id = sealed.mailbox_id AND message.uid = sealed.uid
		WHERE message.uid IS NULL`},
	{"a page is of all messages that it could be of", `
		SELECT account_id, number FROM page WHERE messages <> (SELECT count(*) FROM message
			WHERE message.account_id = page.account_id AND message.mailbox_id = page.mailbox_id
			AND uid BETWEEN number * 64 AND number * 64 + 63)`},
	{"every message has one body", `
		SELECT message.account_id, message.uid FROM message
		LEFT JOIN body ON body.account_id = message.account_id AND body.blob_id = message.blob_id
		LEFT JOIN body_file ON body_file.account_id = message.account_id AND body_file.blob_id = message.blob_id
		WHERE (body.blob_id IS NULL) = (body_file.blob_id IS NULL)`},
	{"bodies are held by as many messages as their count says", `
		SELECT held.account_id, 0 FROM (
			SELECT account_id, blob_id, count(*) AS n FROM message GROUP BY account_id, blob_id
			UNION ALL SELECT 0, blob_id, count(*) FROM job GROUP BY blob_id) AS held
		LEFT JOIN shared ON shared.account_id = held.account_id AND shared.blob_id = held.blob_id
		WHERE held.n <> 1 + coalesce(shared.extra, 0)`},
	{"every body is held by a message, or by the queue", `
		SELECT kept.account_id, 0 FROM (
			SELECT account_id, blob_id FROM body UNION ALL SELECT account_id, blob_id FROM body_file
			UNION ALL SELECT account_id, blob_id FROM shared) AS kept
		LEFT JOIN (SELECT account_id, blob_id FROM message UNION SELECT 0, blob_id FROM job) AS held
		ON held.account_id = kept.account_id AND held.blob_id = kept.blob_id
		WHERE held.blob_id IS NULL`},
	{"every job has one body", `
		SELECT 0, job_id FROM job
		LEFT JOIN body ON body.account_id = 0 AND body.blob_id = job.blob_id
		LEFT JOIN body_file ON body_file.account_id = 0 AND body_file.blob_id = job.blob_id
		WHERE (body.blob_id IS NULL) = (body_file.blob_id IS NULL)`},
	{"every job has a destination that is due no later", `
		SELECT 0, job_id FROM job LEFT JOIN destination ON destination.dest_mac = job.dest_mac
		WHERE destination.dest_mac IS NULL OR destination.due > job.due`},
	{"every METADATA entry is of the account or one of its mailboxes", `
		SELECT metadata.account_id, metadata.mailbox_id FROM metadata
		LEFT JOIN mailbox ON mailbox.account_id = metadata.account_id AND mailbox.mailbox_id = metadata.mailbox_id
		WHERE metadata.mailbox_id <> 0 AND mailbox.mailbox_id IS NULL`},
	{"expunged UIDs are gone, and were there before", `
		SELECT expunged.account_id, uid_low FROM expunged
		LEFT JOIN mailbox ON mailbox.account_id = expunged.account_id AND mailbox.mailbox_id = expunged.mailbox_id
		WHERE mailbox.mailbox_id IS NULL OR uid_low > uid_high OR uid_low < 1 OR uid_high >= uidnext
		OR modseq > highestmodseq OR EXISTS (SELECT 1 FROM message
			WHERE message.account_id = expunged.account_id AND message.mailbox_id = expunged.mailbox_id
			AND uid BETWEEN uid_low AND uid_high)`},
}

// CheckConsistency looks for anything that no transaction of ours can have
// left: counters that are off, rows without their other half, bodies without a
// message, missing files. It reads everything, and returns an ErrCorrupt with a
// line for each finding.
func (s *Store) CheckConsistency(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.checkConsistency(ctx)
}

func (s *Store) checkConsistency(ctx context.Context) error {
	on, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	q := querier{ctx, on}
	err = q.inSnapshot(q.checkRows)
	s.readers.put(on, errors.Is(err, errBroken))
	return errors.Join(err, s.large.check(ctx))
}

func (q querier) checkRows() error {
	found := []error{q.on.dialect.integrity(q)}
	for _, inv := range slices.Concat(invariants, q.on.dialect.invariants) {
		found = append(found, q.checkInvariant(inv.name, inv.query))
	}
	return errors.Join(found...)
}

func (q querier) checkInvariant(name, query string) error {
	var found []error
	var id mailbox.AccountID
	var n int64
	err := q.each(query, []any{num(&id), num(&n)}, func() error {
		found = append(found, damaged("account %s, number %d: it doesn't hold that %s", id, n, name))
		return nil
	})
	return errors.Join(append(found, err)...)
}

const queryEveryFile = `SELECT account_id, blob_id, size FROM body_file`

// checkFiles compares the rows of files with the files.
func (s *Store) checkFiles(ctx context.Context) error {
	return s.checkRead(ctx, func(q querier) error {
		var list []held
		var h held
		err := q.each(queryEveryFile, []any{num(&h.id), blobColumn{&h.blob}, num(&h.size)}, func() error {
			list = append(list, h)
			return nil
		})
		found := []error{err}
		for _, h := range list {
			wrong := s.files.check(h.blob, h.size)
			if _, err := q.bodyFile(h.id, h.blob); wrong != nil && err == nil { // not expunged meanwhile
				found = append(found, wrong)
			}
		}
		return errors.Join(found...)
	})
}

// held is a large body as its row has it.
type held struct {
	place
	size int64
}

// checkRead runs f on a reader, also while the store is being closed.
func (s *Store) checkRead(ctx context.Context, f func(querier) error) error {
	on, err := s.readers.get(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(on, false)
	return f(querier{ctx, on})
}

func (b *bodyFiles) check(blob seal.BlobID, size int64) error {
	f, err := b.open(blob)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged("the file of body %s is missing", blob)
	}
	if err != nil {
		return fmt.Errorf("body %s: %w", blob, withoutPath(err))
	}
	defer f.Close()
	if f.Size() != size {
		return damaged("the file of body %s has %d bytes, not %d", blob, f.Size(), size)
	}
	return nil
}
