package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// objectBodies keeps the large bodies of a store on PostgreSQL in an object store.
// Bodies from before are left in the database, and read from there.
//
// A body is listed in loose, durably, before its upload begins, and taken out of it by
// the transaction that adds its row, after the upload is whole: a row never names what
// isn't there, and what a crash leaves is swept up. A deleted body goes back to loose
// for a while, for those who have it open; its key has gone with its row.
type objectBodies struct {
	*chunkBodies
	*objectStore
	sessions *readerPool // what is written on them is durable
}

var _ largeBodies = (*objectBodies)(nil)

func newObjectBodies(chunks *chunkBodies, o *objectStore) *objectBodies {
	return &objectBodies{chunks, o, newPool(chunks.e, writes, chunkWriters, false)}
}

// exec runs one statement by itself, durably.
func (o *objectBodies) exec(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	on, err := o.sessions.get(ctx)
	if err != nil {
		return err
	}
	_, err = querier{ctx, on}.exec(query, args...)
	o.sessions.put(on, false)
	return err
}

func (o *objectBodies) create(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, size int64) (largeBody, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n := &newObject{o: o, ctx: ctx, cancel: cancel, id: id, blob: blob, sent: make(chan struct{})}
	if err := o.exec(ctx, postgresAddLoose, int64(id), blob[:], o.quarter()); err != nil {
		cancel()
		return nil, err
	}
	r, w := io.Pipe()
	n.pipe = w
	n.late = time.AfterFunc(objectTimeout, cancel)
	go n.upload(r, size)
	return n, nil
}

// take takes the body out of loose. If it isn't there the sweep was faster.
func (o *objectBodies) take(t *tx, b *body) error {
	n, err := t.exec(postgresTakeLoose, int64(b.account), b.blob[:])
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the body was lost on its way", mailbox.ErrBusy)
	}
	return err
}

const postgresFirstChunk = `SELECT n FROM chunk WHERE account_id = $1 AND blob_id = $2 AND n = 0`

// open opens a body, which an expunge and a sweep may have removed since its row was
// read, hence the second look at that.
func (o *objectBodies) open(ctx context.Context, q querier, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyReader, error) {
	var first int64
	inside, err := q.one(postgresFirstChunk, []any{&first}, int64(id), blob[:])
	if err != nil {
		return nil, err
	}
	if inside {
		return o.chunkBodies.open(ctx, q, id, blob, size)
	}
	have, err := o.stat(ctx, o.name(blob))
	switch {
	case errors.Is(err, errNoObject):
		if _, err := q.bodyFile(id, blob); err != nil {
			return nil, err
		}
		return nil, damaged("the object of body %s of account %s is missing", blob, id)
	case err != nil:
		return nil, o.troubled("look at", err)
	case have != size:
		return nil, damaged("the object of body %s of account %s has %d bytes, not %d", blob, id, have, size)
	}
	return &objectReader{o: o, blob: blob, size: size}, nil
}

func (o *objectBodies) copy(q querier, id mailbox.AccountID, blob seal.BlobID, size int64, w io.Writer) error {
	r, err := o.open(q.ctx, q, id, blob, size)
	if err != nil {
		return err
	}
	if _, ok := r.(*objectReader); !ok {
		return o.chunkBodies.copy(q, id, blob, size, w)
	}
	_, err = io.Copy(w, io.NewSectionReader(r, 0, size))
	return err
}

// troubled tells the operator that the object store fails.
func (o *objectBodies) troubled(what string, err error) error {
	if err != nil {
		o.e.s.opts.Log.Warn("could not "+what+" a body in the object store", "error", err)
	}
	return err
}

// newObject is a body on its way into an object.
type newObject struct {
	o      *objectBodies
	ctx    context.Context // of the upload
	cancel context.CancelFunc
	late   *time.Timer // cancels an upload that makes no progress
	id     mailbox.AccountID
	blob   seal.BlobID
	pipe   *io.PipeWriter
	sent   chan struct{} // closed at the end of the upload, when err is set
	err    error
}

func (n *newObject) upload(r *io.PipeReader, size int64) {
	defer close(n.sent)
	n.err = n.o.put(n.ctx, n.o.name(n.blob), r, size)
	_ = r.CloseWithError(errors.Join(n.err, io.ErrClosedPipe)) // whoever still writes learns it
}

// Write implements io.Writer.
func (n *newObject) Write(p []byte) (int, error) {
	n.late.Reset(objectTimeout)
	k, err := n.pipe.Write(p)
	if err != nil {
		<-n.sent
		err = n.o.troubled("write", errors.Join(n.err, mailbox.ErrBusy))
	}
	return k, err
}

// commit waits until the server has the body.
func (n *newObject) commit() error {
	n.late.Reset(objectTimeout)
	_ = n.pipe.Close() // never fails
	n.end()
	return n.o.troubled("write", n.err)
}

func (n *newObject) end() {
	<-n.sent
	n.late.Stop()
	n.cancel()
}

// remove removes the object. Where the upload came to no good end, or the server can't
// be reached, the sweep does it.
func (n *newObject) remove() {
	_ = n.pipe.CloseWithError(context.Canceled)
	n.cancel()
	n.end()
	ctx := context.WithoutCancel(n.ctx)
	if n.err == nil && n.o.objectStore.remove(ctx, n.o.name(n.blob)) == nil {
		_ = n.o.exec(ctx, postgresTakeLoose, int64(n.id), n.blob[:])
	}
}

func (*newObject) arrived() {}

// objectReader reads a body range by range, and keeps the last one.
type objectReader struct {
	o    *objectBodies
	blob seal.BlobID
	size int64

	mu    sync.Mutex
	start int64 // of data in the body
	data  []byte
}

var _ mailbox.BodyReader = (*objectReader)(nil)

// readAhead is how many chunks are read at once by who reads one after the other.
const readAhead = 4

// Size implements mailbox.BodyReader.
func (r *objectReader) Size() int64 { return r.size }

// Close implements io.Closer.
func (r *objectReader) Close() error { return nil }

// ReadAt implements io.ReaderAt.
func (r *objectReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read body: offset %d", off)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		if err := r.loadLocked(off); err != nil {
			return n, fmt.Errorf("read body: %w", err)
		}
		k := copy(p[n:], r.data[off-r.start:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// loadLocked reads what is at off, unless it is there.
func (r *objectReader) loadLocked(off int64) error {
	end := r.start + int64(len(r.data))
	if r.start <= off && off < end {
		return nil
	}
	start, chunks := off/chunkSize*chunkSize, int64(1)
	if start == end && end > 0 {
		chunks = readAhead
	}
	n := min(chunks*chunkSize, r.size-start)
	if int64(cap(r.data)) < n {
		r.data = make([]byte, n)
	}
	r.start, r.data = start, r.data[:n]
	err := r.o.get(context.Background(), r.o.name(r.blob), r.data, start)
	if err != nil {
		r.data = r.data[:0]
	}
	return r.o.troubled("read", err)
}
