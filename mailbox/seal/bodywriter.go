package seal

import (
	"errors"
	"fmt"
	"io"
)

// errClosed: the writer was closed before.
var errClosed = errors.New("seal: writer is closed")

// bodyKey returns the key of a body. The salt makes each run's key its
// own, so that a body written a second time, after a failure and perhaps with
// other content, doesn't meet the nonces of the first.
func (m *Message) bodyKey(salt []byte) []byte {
	return newDeriver(m.DEK.body(), salt).key("body")
}

// BodyWriter seals one body. Write takes exactly the announced number of
// bytes; Close adds the padding and the last chunk. It holds one chunk in
// memory, until Close or the first error.
type BodyWriter struct {
	chunks *chunkWriter
	at     coordinate
	size   int64
	left   int64
}

// NewBodyWriter returns a writer that seals a body of size bytes to w, in
// SealedSize(size) bytes. Nothing that was written to w is a body before Close
// has returned nil. A BodyWriter is for one goroutine.
func (m *Message) NewBodyWriter(w io.Writer, size int64) (*BodyWriter, error) {
	at := m.at(kindBody)
	if size < 0 || size > maxSize {
		return nil, at.fail(fmt.Errorf("%d bytes: %w", size, ErrSize))
	}
	salt := randomBytes(saltSize)
	if _, err := w.Write(append(appendHeader(nil, m.Owner.Generation), salt...)); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return &BodyWriter{
		chunks: newChunkWriter(w, newStream(m.bodyKey(salt), at)),
		at:     at,
		size:   size,
		left:   size,
	}, nil
}

// Write seals p. It returns ErrSize, and takes nothing of p, if p goes beyond
// the announced size.
func (b *BodyWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, b.at.fail(fmt.Errorf("more than %d bytes: %w", b.size, ErrSize))
	}
	n, err := b.chunks.Write(p)
	b.left -= int64(n)
	return n, err
}

// Close completes the body. It returns ErrSize, and leaves the body without an
// end, if fewer bytes were written than announced. It doesn't close the
// underlying writer. A second Close returns an error and does nothing.
func (b *BodyWriter) Close() error {
	if b.left > 0 && b.chunks.buf != nil {
		err := b.at.fail(fmt.Errorf("%d of %d bytes are missing: %w", b.left, b.size, ErrSize))
		b.chunks.end(err)
		return err
	}
	if err := b.fill(PaddedSize(b.size) - b.size); err != nil {
		return err
	}
	return b.chunks.finish()
}

var zeros [4096]byte

// fill writes n zeros.
func (b *BodyWriter) fill(n int64) error {
	for n > 0 {
		k, err := b.chunks.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}
