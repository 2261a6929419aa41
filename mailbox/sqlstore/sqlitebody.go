package sqlstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// fileBodies keeps large bodies in files beside an SQLite store.
type fileBodies struct{ s *Store }

var _ largeBodies = fileBodies{}

func (f fileBodies) create(_ context.Context, _ mailbox.AccountID, blob seal.BlobID, _ int64) (largeBody, error) {
	file, err := f.s.files.create(blob)
	if err != nil {
		return nil, classifyFile(err)
	}
	return &newFile{files: f.s.files, blob: blob, file: file}, nil
}

// take has nothing to do: the file was named before the row.
func (fileBodies) take(*tx, *body) error { return nil }

func (fileBodies) drop(t *tx, _ mailbox.AccountID, blob seal.BlobID) error {
	t.removeFile(blob)
	return nil
}

// open opens a body's file. An expunge may remove it between the look at the row
// and the open, hence the second look.
func (f fileBodies) open(_ context.Context, q querier, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyReader, error) {
	r, err := f.s.files.open(blob)
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

// hold has nothing to do: whoever copies has asked bodyFiles.hold before.
func (fileBodies) hold(querier) error { return nil }

// copy reads the file: files are held while a snapshot is copied.
func (f fileBodies) copy(q querier, id mailbox.AccountID, blob seal.BlobID, size int64, w io.Writer) error {
	r, err := f.open(q.ctx, q, id, blob, size)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, io.NewSectionReader(r, 0, size))
	return err
}

func (f fileBodies) sweep(ctx context.Context) error { return f.s.sweepFiles(ctx) }

func (f fileBodies) lost(q querier) (list []place, err error) {
	var p place
	var size int64
	err = q.each(queryEveryFile, []any{num(&p.id), blobColumn{&p.blob}, num(&size)}, func() error {
		if f.s.files.check(p.blob, size) != nil {
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

func (f fileBodies) check(ctx context.Context) error { return f.s.checkFiles(ctx) }

// newFile is a body's file on its way in.
type newFile struct {
	files *bodyFiles
	blob  seal.BlobID
	file  *os.File // until commit
}

// Write implements io.Writer.
func (n *newFile) Write(p []byte) (int, error) {
	k, err := n.file.Write(p)
	return k, classifyFile(err)
}

func (n *newFile) commit() error {
	if err := n.files.commit(n.file, n.blob); err != nil {
		return classifyFile(err)
	}
	n.file = nil
	return nil
}

func (n *newFile) remove() {
	if n.file != nil {
		n.file.Close()
		n.file = nil
	}
	n.files.removeBoth(n.blob)
	n.files.arrived(n.blob)
}

func (n *newFile) arrived() { n.files.arrived(n.blob) }

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
