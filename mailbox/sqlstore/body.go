package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// maxInline is the largest body that is a row. Beyond it files are faster, and
// don't hold up the writer.
const maxInline = 64 << 10

// body is a sealed body on its way in. Small ones wait in memory for their
// transaction, large ones are a file.
type body struct {
	files   *bodyFiles
	account mailbox.AccountID
	blob    seal.BlobID
	size    int64
	written int64

	data []byte   // of a small body
	file *os.File // of a large one, until Commit

	committed bool
	taken     bool // by Accept
}

var _ mailbox.BodyWriter = (*body)(nil)

// CreateBody implements mailbox.Store.
func (s *Store) CreateBody(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyWriter, error) {
	if err := s.enter(); err != nil {
		return nil, fmt.Errorf("create body: %w", err)
	}
	defer s.leave()
	if size < 0 {
		return nil, fmt.Errorf("create body: a size of %d bytes", size)
	}
	b := &body{files: s.files, account: id, blob: blob, size: size}
	if size <= maxInline {
		b.data = make([]byte, 0, size)
		return b, nil
	}
	var err error
	if b.file, err = s.files.create(blob); err != nil {
		return nil, fmt.Errorf("create body: %w", classifyFile(err))
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
	if b.file != nil {
		n, err = b.file.Write(p)
	} else {
		b.data = append(b.data, p...)
	}
	b.written += int64(n)
	if err != nil {
		return n, fmt.Errorf("write body: %w", classifyFile(err))
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
	if b.file != nil {
		if err := b.files.commit(b.file, b.blob); err != nil {
			return fmt.Errorf("commit body: %w", classifyFile(err))
		}
		b.file = nil
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
	if b.size <= maxInline {
		return
	}
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	b.files.removeBoth(b.blob)
	b.files.arrived(b.blob)
}

const (
	queryBody     = `SELECT data FROM body WHERE account_id = $1 AND blob_id = $2`
	queryBodyFile = `SELECT size FROM body_file WHERE account_id = $1 AND blob_id = $2`
)

// OpenBody implements mailbox.Store. A reader keeps what it opened, whatever
// happens to the message or the store.
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
		r, err = s.openFile(q, id, blob)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// openFile opens a body's file. An expunge may remove it between the look at
// the row and the open, hence the second look.
func (s *Store) openFile(q querier, id mailbox.AccountID, blob seal.BlobID) (mailbox.BodyReader, error) {
	size, err := q.bodyFile(id, blob)
	if err != nil {
		return nil, err
	}
	r, err := s.files.open(blob)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := q.bodyFile(id, blob); err != nil {
			return nil, err
		}
		return nil, damaged("the file of body %s of account %s is missing", blob, id)
	}
	if err != nil {
		return nil, withoutPath(err)
	}
	if r.Size() != size {
		r.Close()
		return nil, damaged("the file of body %s of account %s has %d bytes, not %d", blob, id, r.Size(), size)
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

// fileBody reads a body that is a file.
type fileBody struct {
	*os.File
	size int64
}

var _ mailbox.BodyReader = fileBody{}

// Size implements mailbox.BodyReader.
func (f fileBody) Size() int64 { return f.size }

// ReadAt implements io.ReaderAt.
func (f fileBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, withoutPath(err)
}
