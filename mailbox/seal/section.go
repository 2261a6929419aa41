package seal

import (
	"errors"
	"io"
)

// Section reads a range of a body from its beginning to its end. It opens each
// chunk once, however small the reads are, and holds one chunk in memory from
// the first Read until its end, an error or Close. WriteTo, which io.Copy uses,
// holds it for its own duration only. A Section is for one goroutine.
type Section struct {
	b    *BodyReader
	off  int64 // what comes next from the body
	end  int64
	buf  *chunkBuffer
	rest []byte // the opened bytes of buf that were not read yet
	err  error  // what every later call returns
}

var (
	_ io.ReadCloser = (*Section)(nil)
	_ io.WriterTo   = (*Section)(nil)
)

// Section returns a reader of n bytes from offset off. What lies outside the
// content is left out, as RFC 9051, 6.4.5 wants it for partial FETCH.
func (b *BodyReader) Section(off, n int64) *Section {
	off = min(max(0, off), b.size)
	return &Section{b: b, off: off, end: off + min(max(0, n), b.size-off)}
}

// errSectionClosed: Read after Close.
var errSectionClosed = errors.New("seal: section is closed")

// Read returns the next bytes, io.EOF at the end, or the errors of
// BodyReader.ReadAt.
func (s *Section) Read(p []byte) (int, error) {
	if s.err == nil && len(s.rest) == 0 {
		s.err = s.next()
	}
	if s.err != nil {
		s.release()
		return 0, s.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// WriteTo writes what is left of the section to w, chunk by chunk.
func (s *Section) WriteTo(w io.Writer) (int64, error) {
	defer s.release()
	var total int64
	for s.err == nil {
		if len(s.rest) == 0 {
			s.err = s.next()
			continue
		}
		n, err := w.Write(s.rest)
		total += int64(n)
		s.rest = s.rest[n:]
		if err != nil {
			s.err = err
		}
	}
	if s.err == io.EOF {
		return total, nil
	}
	return total, s.err
}

// Close gives the memory back. Later reads fail. It never fails itself.
func (s *Section) Close() error {
	if s.err == nil {
		s.err = errSectionClosed
	}
	s.release()
	return nil
}

// next opens the chunk at s.off.
func (s *Section) next() error {
	if s.off == s.end {
		return io.EOF
	}
	if s.buf == nil {
		s.buf = chunkBuffers.Get().(*chunkBuffer)
	}
	content, err := s.b.from(s.buf, s.off)
	if err != nil {
		return err
	}
	s.rest = content[:min(int64(len(content)), s.end-s.off)]
	s.off += int64(len(s.rest))
	return nil
}

func (s *Section) release() {
	if s.buf != nil {
		putBuffer(s.buf)
		s.buf, s.rest = nil, nil
	}
}
