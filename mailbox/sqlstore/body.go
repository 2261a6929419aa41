package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// maxInline is the largest body that is one row. Beyond it files are faster, or
// chunks written beforehand, and neither holds up the writer.
const maxInline = 64 << 10

// body is a sealed body on its way in. Small ones wait in memory for their
// transaction, large ones are a file.
type body struct {
	account mailbox.AccountID
	blob    seal.BlobID
	size    int64
	written int64

	data  []byte    // of a small body
	large largeBody // of a large one

	committed bool
	taken     bool // by Accept
}

var _ mailbox.BodyWriter = (*body)(nil)

// largeBodies is where an engine has the bodies that are too large for a row. Each
// of them has a row in body_file, which says that it is there.
type largeBodies interface {
	// create begins a body of size bytes.
	create(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, size int64) (largeBody, error)

	// take is called in the transaction that adds the row.
	take(t *tx, b *body) error

	// drop is called in the transaction that deletes the row.
	drop(t *tx, id mailbox.AccountID, blob seal.BlobID) error

	// open opens a body that had a row a moment ago.
	open(ctx context.Context, q querier, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyReader, error)

	// hold is called at the begin of a snapshot from which bodies will be copied: it
	// keeps those that it names.
	hold(q querier) error

	// copy writes the bytes of a body to w, as q's snapshot has them.
	copy(q querier, id mailbox.AccountID, blob seal.BlobID, size int64, w io.Writer) error

	// sweep removes bodies that have no row and never will.
	sweep(ctx context.Context) error

	// lost lists the rows whose bytes are missing or not whole.
	lost(q querier) ([]place, error)

	// check compares the rows with what is there.
	check(ctx context.Context) error
}

// place is where a body is.
type place struct {
	id   mailbox.AccountID
	blob seal.BlobID
}

// largeBody is a large body on its way in.
type largeBody interface {
	io.Writer

	// commit makes what was written durable.
	commit() error

	// remove removes what was written, before or after commit. What can't be
	// removed is swept up later.
	remove()

	// arrived is called when the body has its row, or may have one.
	arrived()
}

// CreateBody implements mailbox.Store.
func (s *Store) CreateBody(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyWriter, error) {
	if err := s.enter(); err != nil {
		return nil, fmt.Errorf("create body: %w", err)
	}
	defer s.leave()
	if size < 0 {
		return nil, fmt.Errorf("create body: a size of %d bytes", size)
	}
	b := &body{account: id, blob: blob, size: size}
	if size <= maxInline {
		b.data = make([]byte, 0, size)
		return b, nil
	}
	var err error
	if b.large, err = s.large.create(ctx, id, blob, size); err != nil {
		return nil, fmt.Errorf("create body: %w", err)
	}
	return b, nil
}

// Write implements io.Writer.
func (b *body) Write(p []byte) (int, error) {
	if b.committed || b.written+int64(len(p)) > b.size {
		return 0, fmt.Errorf("write body: more than the announced %d bytes", b.size)
	}
	n := len(p)
	var err error
	if b.large != nil {
		n, err = b.large.Write(p)
	} else {
		b.data = append(b.data, p...)
	}
	b.written += int64(n)
	if err != nil {
		return n, fmt.Errorf("write body: %w", err)
	}
	return n, nil
}

// Commit implements mailbox.BodyWriter.
func (b *body) Commit() error {
	if b.written != b.size {
		return fmt.Errorf("commit body: %d of the announced %d bytes were written", b.written, b.size)
	}
	if b.committed {
		return nil
	}
	if b.large != nil {
		if err := b.large.commit(); err != nil {
			return fmt.Errorf("commit body: %w", err)
		}
	}
	b.committed = true
	return nil
}

// Discard implements mailbox.BodyWriter.
func (b *body) Discard() {
	if !b.taken {
		b.remove()
	}
}

// remove removes what was written. What can't be removed is swept up later.
func (b *body) remove() {
	b.data, b.committed = nil, false
	if b.large != nil {
		b.large.remove()
	}
}

// arrived notes that the body has its row, or may have one.
func (b *body) arrived() {
	if b.large != nil {
		b.large.arrived()
	}
}

const (
	queryBody     = `SELECT data FROM body WHERE account_id = $1 AND blob_id = $2`
	queryBodyFile = `SELECT size FROM body_file WHERE account_id = $1 AND blob_id = $2`
)

// OpenBody implements mailbox.Store. A reader keeps what it opened, whatever
// happens to the message: on SQLite for as long as it likes, on PostgreSQL for half
// an hour (spareBodies) and until the store is closed.
func (s *Store) OpenBody(ctx context.Context, id mailbox.AccountID, blob seal.BlobID) (mailbox.BodyReader, error) {
	var r mailbox.BodyReader
	err := s.readOne(ctx, "open body", func(q querier) error {
		var data []byte
		found, err := q.one(queryBody, []any{&data}, int64(id), blob[:])
		if err != nil {
			return err
		}
		if found {
			r = inlineBody{bytes.NewReader(data)}
			return nil
		}
		size, err := q.bodyFile(id, blob)
		if err != nil {
			return err
		}
		r, err = s.large.open(ctx, q, id, blob, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (q querier) bodyFile(id mailbox.AccountID, blob seal.BlobID) (size int64, err error) {
	found, err := q.one(queryBodyFile, []any{num(&size)}, int64(id), blob[:])
	if err == nil && !found {
		err = mailbox.ErrGone
	}
	return size, err
}

// inlineBody reads a body that was a row.
type inlineBody struct{ *bytes.Reader }

var _ mailbox.BodyReader = inlineBody{}

// Close implements io.Closer.
func (inlineBody) Close() error { return nil }
