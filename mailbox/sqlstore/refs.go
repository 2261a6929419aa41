package sqlstore

import (
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	queryAddBody     = `INSERT INTO body (account_id, blob_id, data) VALUES ($1, $2, $3)`
	queryAddBodyFile = `INSERT INTO body_file (account_id, blob_id, size) VALUES ($1, $2, $3)`
)

func (t *tx) addBody(b *body) error {
	if b.size > maxInline {
		if _, err := t.exec(queryAddBodyFile, int64(b.account), b.blob[:], b.size); err != nil {
			return err
		}
		return t.w.s.large.take(t, b)
	}
	return t.later(queryAddBody, int64(b.account), b.blob[:], notNull(b.data))
}

const (
	queryShare = `INSERT INTO shared (account_id, blob_id, extra) VALUES ($1, $2, 1)
		ON CONFLICT (account_id, blob_id) DO UPDATE SET extra = shared.extra + 1`
	queryDropBody = `DELETE FROM body WHERE account_id = $1 AND blob_id = $2
		AND NOT EXISTS (SELECT 1 FROM shared WHERE account_id = $1 AND blob_id = $2)`
	queryUnshare      = `UPDATE shared SET extra = extra - 1 WHERE account_id = $1 AND blob_id = $2 AND extra > 1`
	queryUnique       = `DELETE FROM shared WHERE account_id = $1 AND blob_id = $2`
	queryDropBodyFile = `DELETE FROM body_file WHERE account_id = $1 AND blob_id = $2`
)

// share notes that one more message has the body.
func (t *tx) share(id mailbox.AccountID, blob seal.BlobID) error {
	_, err := t.exec(queryShare, int64(id), blob[:])
	return err
}

// releaseBody notes that one message less has the body, and removes it with the
// last one. The first statement does it for most.
func (t *tx) releaseBody(id mailbox.AccountID, blob seal.BlobID) error {
	if id == mailbox.QueueAccount { // which nobody has locked
		if err := t.w.s.engine.lockBody(t, blob); err != nil {
			return err
		}
	}
	for _, query := range []string{queryDropBody, queryUnshare, queryUnique} {
		if n, err := t.exec(query, int64(id), blob[:]); err != nil || n > 0 {
			return err
		}
	}
	n, err := t.exec(queryDropBodyFile, int64(id), blob[:])
	if err != nil || n == 0 {
		return err
	}
	return t.w.s.large.drop(t, id, blob)
}
