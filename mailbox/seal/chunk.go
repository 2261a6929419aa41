package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// chunkBuffer holds one chunk, open or sealed.
type chunkBuffer struct {
	b    [sealedChunkSize]byte
	used int // bytes of b that were written since it was taken
}

// take returns the first n bytes of the buffer, to be written.
func (c *chunkBuffer) take(n int) []byte {
	c.used = max(c.used, n)
	return c.b[:n]
}

// chunkBuffers are shared by all writers and readers, so that only those that
// are at work hold one.
var chunkBuffers = sync.Pool{New: func() any { return new(chunkBuffer) }}

// putBuffer gives a buffer back, without what was in it.
func putBuffer(c *chunkBuffer) {
	clear(c.b[:c.used])
	c.used = 0
	chunkBuffers.Put(c)
}

// stream is the cipher of one run of chunks, sealed as STREAM does it (Hoang,
// Reyhanitabar, Rogaway, Vizár 2015): the nonce is the chunk's number and a
// flag that only the last chunk has. So a chunk opens in its own position
// only, and a run that was cut ends in a chunk that doesn't open. A stream's
// key seals one run and no other. Safe for concurrent use once made.
type stream struct {
	aead cipher.AEAD
	aad  []byte
	at   coordinate
}

func newStream(key []byte, at coordinate) stream {
	return stream{aead: newStreamCipher(key), aad: at.bytes(), at: at}
}

func nonce(index int64, last bool) [nonceSize]byte {
	var n [nonceSize]byte
	binary.BigEndian.PutUint64(n[nonceSize-1-8:], uint64(index))
	if last {
		n[nonceSize-1] = 1
	}
	return n
}

// seal seals the first n bytes of buf in place and returns the sealed chunk.
func (s *stream) seal(buf *chunkBuffer, n int, index int64, last bool) []byte {
	nc := nonce(index, last)
	return s.aead.Seal(buf.take(n + tagSize)[:0], nc[:], buf.b[:n], s.aad)
}

// open opens the sealed chunk, n bytes, in place. It fails with ErrOpen.
func (s *stream) open(buf *chunkBuffer, n int, index int64, last bool) ([]byte, error) {
	nc := nonce(index, last)
	b, err := s.aead.Open(buf.b[:0], nc[:], buf.b[:n], s.aad)
	if err != nil {
		return nil, s.at.fail(fmt.Errorf("chunk %d: %w", index, ErrOpen))
	}
	return b, nil
}

// chunkWriter seals what is written to it, chunk by chunk.
type chunkWriter struct {
	w     io.Writer
	s     stream
	buf   *chunkBuffer // nil once closed
	n     int          // bytes in buf
	index int64        // number of the chunk in buf
	err   error        // what ended the run
}

func newChunkWriter(w io.Writer, s stream) *chunkWriter {
	return &chunkWriter{w: w, s: s, buf: chunkBuffers.Get().(*chunkBuffer)}
}

// Write seals p. A full chunk stays in the buffer until more follows, because
// only then is it known not to be the last.
func (w *chunkWriter) Write(p []byte) (int, error) {
	if w.buf == nil {
		return 0, w.err
	}
	done := 0
	for len(p) > 0 {
		if w.n == ChunkSize {
			if err := w.flush(false); err != nil {
				return done, err
			}
		}
		n := copy(w.buf.take(min(w.n+len(p), ChunkSize))[w.n:], p)
		w.n += n
		done += n
		p = p[n:]
	}
	return done, nil
}

// flush writes the chunk in the buffer. After an error, the run is over.
func (w *chunkWriter) flush(last bool) error {
	_, err := w.w.Write(w.s.seal(w.buf, w.n, w.index, last))
	w.n = 0
	w.index++
	if err != nil {
		w.end(fmt.Errorf("write chunk: %w", err))
		return w.err
	}
	return nil
}

// finish writes the last chunk and gives the buffer back.
func (w *chunkWriter) finish() error {
	if w.buf == nil {
		return w.err
	}
	if err := w.flush(true); err != nil {
		return err
	}
	w.end(errClosed)
	return nil
}

// end gives the buffer back; every later call returns err.
func (w *chunkWriter) end(err error) {
	if w.buf == nil {
		return
	}
	putBuffer(w.buf)
	w.buf, w.err = nil, err
}
