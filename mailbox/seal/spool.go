package seal

import (
	"errors"
	"io"
)

// errUnfinished: a reader was asked for before Close.
var errUnfinished = errors.New("not closed yet, or closing it failed")

// Spool seals a stream of unknown size under a key that exists only in its
// memory: for the temporary file in which a message waits until it has been
// judged and sealed to its owners. When the process ends, nobody can read the
// file. A Spool is written by one goroutine and read after Close.
type Spool struct {
	chunks *chunkWriter
	s      stream
	size   int64
}

// NewSpool returns a Spool with a new key that writes to w.
func NewSpool(w io.Writer) *Spool {
	s := newStream(randomBytes(32), coordinate{kind: kindSpool})
	return &Spool{chunks: newChunkWriter(w, s), s: s}
}

// Write seals p.
func (s *Spool) Write(p []byte) (int, error) {
	n, err := s.chunks.Write(p)
	s.size += int64(n)
	return n, err
}

// Close writes what is left and gives the memory back, but for the key. It
// doesn't close the underlying writer. It must be called even if the content
// is not wanted any more.
func (s *Spool) Close() error { return s.chunks.finish() }

// Size returns how many bytes were written.
func (s *Spool) Size() int64 { return s.size }

// Reader returns a reader of the content. r must hold what the Spool wrote to
// its writer. It fails unless Close has returned nil.
func (s *Spool) Reader(r io.ReaderAt) (*BodyReader, error) {
	if s.chunks.err != errClosed {
		return nil, s.s.at.fail(errUnfinished)
	}
	return &BodyReader{r: r, padded: s.size, size: s.size, s: s.s}, nil
}
