package seal

import (
	"fmt"
	"io"
)

// BodyReader opens a sealed body or spool, at any offset. It opens only the
// chunks that are asked for, each of them whole and before any byte of it is
// returned, so that no call ever returns a byte that was not authenticated.
//
// The size given at the start (from the envelope data, which is sealed) fixes
// how many chunks there are and which is the last. A body of another sealed
// size is refused then; one that turns out shorter than it claimed fails when
// a read meets its end. Bytes before the damage stay readable.
//
// A BodyReader holds no buffer between calls and is safe for concurrent use if
// the io.ReaderAt below is.
type BodyReader struct {
	r      io.ReaderAt
	base   int64 // where the chunks begin in r
	padded int64 // bytes in all chunks
	size   int64 // bytes that a reader sees
	s      stream
}

// NewBodyReader returns a reader for the body in r: sealedSize bytes that hold
// size bytes of content. It reads the header only. A body stays sealed as it came
// when its owner gets new keys, so that it may be of an earlier generation than the
// message is now: its DEK is its own. Errors: ErrOpen, ErrVersion, and those of r.
func (m *Message) NewBodyReader(r io.ReaderAt, sealedSize, size int64) (*BodyReader, error) {
	at := m.at(kindBody)
	if size < 0 || size > maxSize || sealedSize != SealedSize(size) {
		return nil, at.fail(fmt.Errorf("%d sealed bytes can't hold %d: %w", sealedSize, size, ErrOpen))
	}
	var header [bodyHeaderSize]byte
	if err := readFull(r, header[:], 0); err != nil {
		return nil, at.fail(err)
	}
	if g, err := Generation(header[:]); err == nil && g < at.owner.Generation {
		at.owner.Generation = g
	}
	salt, err := checkHeader(at, header[:])
	if err != nil {
		return nil, err
	}
	return &BodyReader{
		r:      r,
		base:   bodyHeaderSize,
		padded: PaddedSize(size),
		size:   size,
		s:      newStream(m.bodyKey(salt), at),
	}, nil
}

// Size returns the size of the content.
func (b *BodyReader) Size() int64 { return b.size }

// ReadAt fills p from offset off. At the end of the content it returns io.EOF,
// as io.ReaderAt asks. Other errors: ErrOpen, and those of the reader below;
// the bytes before the chunk that failed are in p then, and n counts them.
//
// Each call opens every chunk it touches. Many small reads in a row are better
// made through a Section.
func (b *BodyReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, b.s.at.fail(fmt.Errorf("read at negative offset %d", off))
	}
	want := min(int64(len(p)), max(0, b.size-off))
	buf := chunkBuffers.Get().(*chunkBuffer)
	defer putBuffer(buf)
	n := 0
	for int64(n) < want {
		content, err := b.from(buf, off+int64(n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], content)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// from opens the chunk that off lies in and returns its content from there on,
// without padding: a slice of buf, not empty. off must be below the size.
func (b *BodyReader) from(buf *chunkBuffer, off int64) ([]byte, error) {
	index := off / ChunkSize
	start := index * ChunkSize
	n := min(ChunkSize, b.padded-start) + tagSize
	if err := readFull(b.r, buf.take(int(n)), b.base+index*sealedChunkSize); err != nil {
		return nil, b.s.at.fail(fmt.Errorf("chunk %d: %w", index, err))
	}
	content, err := b.s.open(buf, int(n), index, start+n-tagSize == b.padded)
	if err != nil {
		return nil, err
	}
	return content[off-start : min(ChunkSize, b.size-start)], nil
}

// readFull fills p from r. An end before that is damage, and so ErrOpen.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF || err == nil {
		return fmt.Errorf("cut off: %w", ErrOpen)
	}
	return err
}
