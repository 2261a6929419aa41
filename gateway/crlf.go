package gateway

import (
	"bufio"
	"io"
)

// newCRLF returns a reader of r in which every line ends with CRLF, as signatures
// and MIME want it: a CR or LF of its own is a line end too.
func newCRLF(r io.Reader) io.Reader { return &crlfReader{r: bufio.NewReaderSize(r, 32<<10)} }

type crlfReader struct {
	r     *bufio.Reader
	wasCR bool
	rest  bool // the LF of a line end is due
}

func (c *crlfReader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if c.rest {
			b[n], c.rest = '\n', false
			n++
			continue
		}
		if n > 0 && c.r.Buffered() == 0 {
			return n, nil // what there is, rather than wait for more
		}
		x, err := c.r.ReadByte()
		if err != nil {
			return n, err
		}
		again := x == '\n' && c.wasCR
		c.wasCR = x == '\r'
		switch {
		case again:
		case x == '\r' || x == '\n':
			b[n], c.rest = '\r', true
			n++
		default:
			b[n] = x
			n++
		}
	}
	return n, nil
}
