package sqlstore

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// chunkBodies keeps large bodies in the database, in chunks of 64 KiB, so that
// none passes through memory as a whole.
//
// Chunks are written while the body comes in, each by a transaction of its own
// that does not wait for the disk; the commit that adds the body's row comes after
// them in the server's log, and makes them durable with itself. Until then the
// body is listed in loose, and a crash leaves it there for the sweep. A deleted
// body goes back to loose for half an hour, for those who have it open.
type chunkBodies struct {
	e        *postgres
	sessions *readerPool
}

var _ largeBodies = (*chunkBodies)(nil)

const (
	// chunkSize is part of the schema: the bytes of a body are found by it.
	chunkSize = 64 << 10

	// spareBodies is how many quarters of an hour a body is spared that has no row,
	// after the present one; one that was deleted, a quarter more. With the time between
	// two looks for them that is an hour at most.
	spareBodies = 1

	// chunkWriters bounds the connections on which bodies come in.
	chunkWriters = 4

	// chunkTimeout bounds the reading or the writing of one chunk.
	chunkTimeout = 30 * time.Second
)

func newChunkBodies(e *postgres) *chunkBodies {
	return &chunkBodies{e, newPool(e, writesLoosely, chunkWriters, false)}
}

const (
	postgresAddLoose  = `INSERT INTO loose (account_id, blob_id, quarter) VALUES ($1, $2, $3)`
	postgresAddChunk  = `INSERT INTO chunk (account_id, blob_id, n, data) VALUES ($1, $2, $3, $4)`
	postgresDropLoose = `DELETE FROM loose WHERE account_id = $1 AND blob_id = $2`
	postgresTakeLoose = `DELETE FROM loose WHERE account_id = $1 AND blob_id = $2 AND quarter >= 0`
	postgresDropChunk = `DELETE FROM chunk WHERE account_id = $1 AND blob_id = $2`
	postgresChunk     = `SELECT data FROM chunk WHERE account_id = $1 AND blob_id = $2 AND n = $3`
	postgresSizeOf    = `SELECT coalesce(sum(length(data)), 0)::bigint FROM chunk WHERE account_id = $1 AND blob_id = $2`
	postgresOldLoose  = `SELECT account_id, blob_id FROM loose WHERE quarter < $1 LIMIT 20`
)

func (c *chunkBodies) quarter() int64 { return c.e.s.opts.Now().Unix() / (15 * 60) }

func (c *chunkBodies) create(ctx context.Context, id mailbox.AccountID, blob seal.BlobID, _ int64) (largeBody, error) {
	n := &newChunks{c: c, id: id, blob: blob, ctx: context.WithoutCancel(ctx), data: make([]byte, 0, chunkSize)}
	return n, n.exec(postgresAddLoose, int64(id), blob[:], c.quarter())
}

// take takes the body out of loose. If it isn't there the sweep was faster; if it
// is shorter than it was, the server crashed meanwhile.
func (c *chunkBodies) take(t *tx, b *body) error {
	n, err := t.exec(postgresTakeLoose, int64(b.account), b.blob[:])
	if err != nil {
		return err
	}
	var size int64
	if _, err := t.one(postgresSizeOf, []any{num(&size)}, int64(b.account), b.blob[:]); err != nil {
		return err
	}
	if n == 0 || size != b.size {
		return fmt.Errorf("%w: the body was lost on its way", mailbox.ErrBusy)
	}
	return nil
}

func (c *chunkBodies) drop(t *tx, id mailbox.AccountID, blob seal.BlobID) error {
	_, err := t.exec(postgresAddLoose, int64(id), blob[:], c.quarter()+1)
	return err
}

// hold has nothing to do: a snapshot sees the chunks that were there.
func (*chunkBodies) hold(querier) error { return nil }

func (c *chunkBodies) open(_ context.Context, _ querier, id mailbox.AccountID, blob seal.BlobID, size int64) (mailbox.BodyReader, error) {
	return &chunkReader{s: c.e.s, id: id, blob: blob, size: size, have: -1}, nil
}

func (c *chunkBodies) copy(q querier, id mailbox.AccountID, blob seal.BlobID, size int64, w io.Writer) error {
	for n := range (size + chunkSize - 1) / chunkSize {
		var data []byte
		found, err := q.one(postgresChunk, []any{&data}, int64(id), blob[:], n)
		if err != nil {
			return err
		}
		if want := min(chunkSize, size-n*chunkSize); !found || int64(len(data)) != want {
			return damaged("a chunk of body %s of account %s is missing or short", blob, id)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// outsideChunks says that a body is in an object store.
const outsideChunks = `(c.n IS NULL AND EXISTS (SELECT 1 FROM meta WHERE objects <> ''))`

const postgresLost = `SELECT body_file.account_id, body_file.blob_id FROM body_file LEFT JOIN (
	SELECT account_id, blob_id, count(*) AS n, max(n) AS last, sum(length(data)) AS bytes
	FROM chunk GROUP BY account_id, blob_id) AS c
	ON c.account_id = body_file.account_id AND c.blob_id = body_file.blob_id
	WHERE (coalesce(c.bytes, 0) <> size OR c.n <> c.last + 1) AND NOT ` + outsideChunks

func (c *chunkBodies) lost(q querier) (list []place, err error) {
	var p place
	err = q.each(postgresLost, []any{num(&p.id), blobColumn{&p.blob}}, func() error {
		list = append(list, p)
		return nil
	})
	return list, err
}

// check has nothing to do: what must hold of chunks are invariants.
func (c *chunkBodies) check(context.Context) error { return nil }

// sweep removes bodies that have been loose for long enough. Whoever deletes the row
// in loose first, a sweep or the transaction that takes the body, has it.
func (c *chunkBodies) sweep(ctx context.Context) error {
	before := c.quarter() - spareBodies
	for {
		n, err := c.sweepSome(ctx, before)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (c *chunkBodies) sweepSome(ctx context.Context, before int64) (int, error) {
	old, err := c.oldLoose(ctx, before)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	return len(old), c.forget(ctx, old)
}

// oldLoose lists some bodies that have been loose since before a quarter of an hour.
func (c *chunkBodies) oldLoose(ctx context.Context, before int64) (old []place, err error) {
	var p place
	err = c.e.s.readOne(ctx, "sweep bodies", func(q querier) error {
		return q.each(postgresOldLoose, []any{num(&p.id), blobColumn{&p.blob}}, func() error {
			old = append(old, p)
			return nil
		}, before)
	})
	return old, err
}

// forget deletes bodies from loose, and their chunks.
func (c *chunkBodies) forget(ctx context.Context, old []place) error {
	return c.e.s.write(ctx, "sweep bodies", func(t *tx) error {
		for _, p := range old {
			n, err := t.exec(postgresDropLoose, int64(p.id), p.blob[:])
			if err == nil && n > 0 {
				_, err = t.exec(postgresDropChunk, int64(p.id), p.blob[:])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// newChunks is a body on its way into chunks.
type newChunks struct {
	c    *chunkBodies
	ctx  context.Context // of what CreateBody was called for, without its end
	id   mailbox.AccountID
	blob seal.BlobID
	data []byte // of the chunk that is not full yet
	n    int64  // chunks written
}

// Write implements io.Writer.
func (n *newChunks) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		k := min(len(p), chunkSize-len(n.data))
		n.data = append(n.data, p[:k]...)
		p, written = p[k:], written+k
		if len(n.data) == chunkSize {
			if err := n.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (n *newChunks) flush() error {
	if len(n.data) == 0 {
		return nil
	}
	err := n.exec(postgresAddChunk, int64(n.id), n.blob[:], n.n, n.data)
	n.data = n.data[:0]
	n.n++
	return err
}

// exec runs one statement by itself.
func (n *newChunks) exec(query string, args ...any) error {
	ctx, cancel := context.WithTimeout(n.ctx, chunkTimeout)
	defer cancel()
	on, err := n.c.sessions.get(ctx)
	if err != nil {
		return err
	}
	_, err = querier{ctx, on}.exec(query, args...)
	n.c.sessions.put(on, false)
	return err
}

func (n *newChunks) commit() error {
	err := n.flush()
	n.data = nil
	return err
}

func (n *newChunks) remove() {
	n.data = nil
	for _, query := range []string{postgresDropChunk, postgresDropLoose} {
		if n.exec(query, int64(n.id), n.blob[:]) != nil {
			return // the sweep will do it
		}
	}
}

func (n *newChunks) arrived() {}

// chunkReader reads a body chunk by chunk, and keeps the last one.
type chunkReader struct {
	s    *Store
	id   mailbox.AccountID
	blob seal.BlobID
	size int64

	mu   sync.Mutex
	have int64 // number of the chunk that data is, or -1
	data []byte
}

var _ mailbox.BodyReader = (*chunkReader)(nil)

// Size implements mailbox.BodyReader.
func (r *chunkReader) Size() int64 { return r.size }

// Close implements io.Closer.
func (r *chunkReader) Close() error { return nil }

// ReadAt implements io.ReaderAt.
func (r *chunkReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read body: offset %d", off)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		if err := r.loadLocked(off / chunkSize); err != nil {
			return n, err
		}
		k := copy(p[n:], r.data[off%chunkSize:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// loadLocked reads a chunk unless it is there.
func (r *chunkReader) loadLocked(n int64) error {
	if r.have == n {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), chunkTimeout)
	defer cancel()
	err := r.s.readOne(ctx, "read body", func(q querier) error {
		found, err := q.one(postgresChunk, []any{&r.data}, int64(r.id), r.blob[:], n)
		if err != nil {
			return err
		}
		if want := min(chunkSize, r.size-n*chunkSize); !found || int64(len(r.data)) != want {
			return r.missing(q)
		}
		return nil
	})
	r.have = n
	if err != nil {
		r.have = -1
	}
	return err
}

// missing says why a chunk isn't whole: the body was deleted long ago, or it is
// damaged.
func (r *chunkReader) missing(q querier) error {
	if _, err := q.bodyFile(r.id, r.blob); err != nil {
		return err
	}
	return damaged("a chunk of body %s of account %s is missing or short", r.blob, r.id)
}

// postgresInvariants are those of the chunks.
var postgresInvariants = []invariant{
	{"a large body has all its chunks", `
		SELECT body_file.account_id, 0::bigint FROM body_file LEFT JOIN (
			SELECT account_id, blob_id, count(*) AS n, max(n) AS last, sum(length(data)) AS bytes
			FROM chunk GROUP BY account_id, blob_id) AS c
		ON c.account_id = body_file.account_id AND c.blob_id = body_file.blob_id
		WHERE (coalesce(c.bytes, 0) <> size OR c.n <> c.last + 1 OR c.n <> (size + 65535) / 65536) AND NOT ` + outsideChunks},
	{"chunks belong to one body, or are loose", `
		SELECT chunk.account_id, chunk.n FROM chunk
		LEFT JOIN body_file ON body_file.account_id = chunk.account_id AND body_file.blob_id = chunk.blob_id
		LEFT JOIN loose ON loose.account_id = chunk.account_id AND loose.blob_id = chunk.blob_id
		WHERE (body_file.blob_id IS NULL) = (loose.blob_id IS NULL)`},
}
