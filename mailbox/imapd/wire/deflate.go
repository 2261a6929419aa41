package wire

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// A Deflater writes DEFLATE (RFC 1951). Each Write is flushed, and leaves nothing
// behind: what is written next does not refer to it, so that a connection that
// waits needs no memory for what it has sent.
type Deflater struct{ dst io.Writer }

// NewDeflater returns a Deflater that writes to dst.
func NewDeflater(dst io.Writer) *Deflater { return &Deflater{dst} }

type compressor struct {
	flate *flate.Writer
	out   bytes.Buffer
}

// Mail that is encrypted can't be made smaller than by what base64 adds to it, and
// that the fastest level finds as well as any.
var compressors = sync.Pool{New: func() any {
	c := &compressor{}
	c.flate, _ = flate.NewWriter(&c.out, flate.BestSpeed) // the level is valid
	return c
}}

// Write compresses p, and writes it in one piece.
func (d *Deflater) Write(p []byte) (int, error) {
	c := compressors.Get().(*compressor)
	defer compressors.Put(c)
	c.out.Reset()
	c.flate.Reset(&c.out)
	if _, err := c.flate.Write(p); err != nil {
		return 0, err
	}
	if err := c.flate.Flush(); err != nil {
		return 0, err
	}
	if _, err := d.dst.Write(c.out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
