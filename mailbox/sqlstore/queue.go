package sqlstore

import (
	"errors"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryAddJob = `INSERT INTO job (job_id, dest_mac, due, taken, attempts, blob_id, env_ct)
		VALUES ($1, $2, $3, 0, 0, $4, $5)`
	queryExpect = `INSERT INTO destination (dest_mac, due, token, until) VALUES ($1, $2, 0, 0)
		ON CONFLICT (dest_mac) DO UPDATE SET due = excluded.due WHERE destination.due > excluded.due`
)

// takeLeaving makes the bodies of mail that leaves the store's. One that an
// earlier Outbound has brought along already is nil. They come back even with an
// error.
func takeLeaving(out []mailbox.Outbound) ([]*body, error) {
	bodies := make([]*body, len(out))
	brought := make(map[seal.BlobID]bool)
	var wrong error
	for i, o := range out {
		if o.Body == nil && brought[o.Blob] {
			continue
		}
		b, ok := o.Body.(*body)
		if !ok {
			wrong = errors.New("a body was not made by CreateBody of this store")
			continue
		}
		if !b.committed || b.account != mailbox.QueueAccount || b.blob != o.Blob || brought[o.Blob] {
			wrong = errors.New("a body was not committed, or is not that of a message in the queue")
		}
		b.taken, bodies[i], brought[o.Blob] = true, b, true
	}
	return bodies, wrong
}

// addJob puts a message into the queue. b is nil if another job has its body.
func (t *tx) addJob(o *mailbox.Outbound, b *body) error {
	_, err := t.exec(queryAddJob, int64(o.Job), o.Destination[:], o.Due.UnixMilli(), o.Blob[:], notNull(o.Envelope))
	if err != nil {
		return err
	}
	if b == nil {
		err = t.share(mailbox.QueueAccount, o.Blob)
	} else {
		err = t.addBody(b)
	}
	if err != nil {
		return err
	}
	t.hint(mailbox.QueueAccount)
	return t.expect(o.Destination, o.Due)
}

// expect makes a destination due at that time at the latest.
func (t *tx) expect(d mailbox.DestinationID, due time.Time) error {
	_, err := t.exec(queryExpect, d[:], due.UnixMilli())
	return err
}

// destColumn scans a column into a destination's identifier.
type destColumn struct{ p *mailbox.DestinationID }

// Scan implements sql.Scanner.
func (d destColumn) Scan(src any) error {
	v, ok := src.([]byte)
	if !ok || len(v) != len(d.p) {
		return damaged("a column holds no destination")
	}
	copy(d.p[:], v)
	return nil
}

// timeColumn scans a column of milliseconds into a time.
type timeColumn struct{ p *time.Time }

// Scan implements sql.Scanner.
func (c timeColumn) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return damaged("a column holds %T where a time belongs", src)
	}
	*c.p = time.UnixMilli(v).UTC()
	return nil
}
