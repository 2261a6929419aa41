package sqlstore

import (
	"context"
	"errors"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/restante/restante/mailbox"
)

const (
	// postgresHold keeps sweeps from removing objects until the transaction ends.
	postgresHold = `SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared(8243116, hashtext(objects)) FROM meta) AS held`

	postgresMayDoom = `SELECT pg_try_advisory_xact_lock(8243116, hashtext(objects)) FROM meta`
	postgresDoom    = `UPDATE loose SET quarter = -1 WHERE account_id = $1 AND blob_id = $2 AND quarter < $3`
)

// hold keeps objects that the snapshot of q may still name.
func (o *objectBodies) hold(q querier) error {
	var one int
	_, err := q.one(postgresHold, []any{&one})
	return err
}

// sweep removes bodies that have been loose for long enough. Each is doomed first, so
// that nobody takes it any more, and its line in loose goes last: whatever comes in
// between, another sweep goes on with it.
func (o *objectBodies) sweep(ctx context.Context) error {
	before := o.quarter() - spareBodies
	for {
		doomed, err := o.doom(ctx, before)
		if err != nil || len(doomed) == 0 {
			return err
		}
		for _, p := range doomed {
			if err := o.remove(ctx, o.name(p.blob)); err != nil {
				return o.troubled("remove", err)
			}
		}
		if err := o.forget(ctx, doomed); err != nil {
			return err
		}
	}
}

// doom lists some bodies that are to go; none while a copy is being made.
func (o *objectBodies) doom(ctx context.Context, before int64) ([]place, error) {
	old, err := o.oldLoose(ctx, before)
	if err != nil || len(old) == 0 {
		return nil, err
	}
	var doomed []place
	err = o.e.s.write(ctx, "sweep bodies", func(t *tx) error {
		doomed = nil
		var may bool
		if _, err := t.one(postgresMayDoom, []any{&may}); err != nil || !may {
			return err
		}
		for _, p := range old {
			n, err := t.exec(postgresDoom, int64(p.id), p.blob[:], before)
			if err != nil {
				return err
			}
			if n > 0 {
				doomed = append(doomed, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return doomed, nil
}

const objectRows = `SELECT account_id, blob_id, size FROM body_file WHERE NOT EXISTS (
	SELECT 1 FROM chunk WHERE chunk.account_id = body_file.account_id AND chunk.blob_id = body_file.blob_id)
	ORDER BY blob_id`

// compare goes through rows and objects side by side, both in the order of their names,
// and lists the rows whose object is missing or has another size.
func (o *objectBodies) compare(q querier) (wrong []held, err error) {
	next, stop := iter.Pull(o.core.ListObjectsIter(q.ctx, o.bucket, minio.ListObjectsOptions{Prefix: o.prefix + "/", Recursive: true}))
	defer stop()
	object, more := next()
	var h held
	err = q.each(objectRows, []any{num(&h.id), blobColumn{&h.blob}, num(&h.size)}, func() error {
		name := o.name(h.blob)
		for more && object.Err == nil && object.Key < name {
			object, more = next()
		}
		if more && object.Err != nil {
			return o.troubled("list", objectError(object.Err))
		}
		if !more || object.Key != name || object.Size != h.size {
			wrong = append(wrong, h)
		}
		return nil
	})
	return wrong, err
}

// lost lists the rows whose chunks or objects are missing or not whole.
func (o *objectBodies) lost(q querier) ([]place, error) {
	list, err := o.chunkBodies.lost(q)
	if err != nil {
		return nil, err
	}
	wrong, err := o.compare(q)
	for _, h := range wrong {
		list = append(list, h.place)
	}
	return list, err
}

// check looks at each finding once more: what was expunged meanwhile is none.
func (o *objectBodies) check(ctx context.Context) error {
	var found []error
	err := o.e.s.checkRead(ctx, func(q querier) error {
		wrong, err := o.compare(q)
		if err != nil {
			return err
		}
		for _, h := range wrong {
			r, err := o.open(ctx, q, h.id, h.blob, h.size)
			switch {
			case err == nil:
				found = append(found, r.Close())
			case !errors.Is(err, mailbox.ErrGone):
				found = append(found, err)
			}
		}
		return nil
	})
	return errors.Join(append(found, err)...)
}
