package imapd

import (
	"io"
	"strings"
)

// decodable reports whether a transfer encoding is one that can be undone.
func decodable(encoding string) bool {
	switch encoding {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
		return true
	}
	return false
}

// decode returns a reader of r without its transfer encoding (RFC 2045, 6). What
// is not well encoded is read as well as can be: no content makes an error.
func decode(encoding string, r io.Reader) io.Reader {
	switch encoding {
	case "base64":
		return &transferReader{src: r, step: new(base64Decoder)}
	case "quoted-printable":
		return &transferReader{src: r, step: new(quotedDecoder)}
	}
	return r
}

// transferReader undoes a transfer encoding block by block.
type transferReader struct {
	src  io.Reader
	step interface {
		decode(dst, src []byte) []byte // appends what src decodes to
		end(dst []byte) []byte         // appends what was held back
	}
	in   [2048]byte
	buf  []byte
	rest []byte // of buf, not read yet
	err  error
}

// Read implements io.Reader.
func (t *transferReader) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		t.fill()
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *transferReader) fill() {
	n, err := t.src.Read(t.in[:])
	t.buf = t.step.decode(t.buf[:0], t.in[:n])
	if err == io.EOF {
		t.buf = t.step.end(t.buf)
	}
	t.rest, t.err = t.buf, err
}

// base64Decoder decodes base64, passing over all that is none (RFC 2045, 6.8).
// After padding it begins anew, because some mailers join encoded pieces.
type base64Decoder struct {
	bits uint32
	n    int // how many of bits count
}

func (d *base64Decoder) decode(dst, src []byte) []byte {
	for _, c := range src {
		v := base64Values[c]
		switch {
		case v < 64:
			d.bits, d.n = d.bits<<6|uint32(v), d.n+6
		case c == '=':
			d.n = 0
		}
		if d.n >= 8 {
			d.n -= 8
			dst = append(dst, byte(d.bits>>d.n))
		}
	}
	return dst
}

func (d *base64Decoder) end(dst []byte) []byte { return dst }

var base64Values = makeBase64Values()

func makeBase64Values() (t [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for c := range t {
		t[c] = 64
	}
	for v, c := range []byte(alphabet) {
		t[c] = byte(v)
	}
	return t
}

// quotedDecoder decodes quoted-printable (RFC 2045, 6.7).
type quotedDecoder struct {
	// held is what can't be judged yet: blanks and a CR that may end a line, or
	// "=" and what follows it.
	held []byte
}

// maxHeld is more than a line of quoted-printable can have. Blanks beyond it are
// taken for content.
const maxHeld = 1000

func (d *quotedDecoder) decode(dst, src []byte) []byte {
	for _, c := range src {
		if len(d.held) == 0 && c > '=' {
			dst = append(dst, c)
			continue
		}
		dst = d.next(dst, c)
	}
	return dst
}

// next takes in one octet.
func (d *quotedDecoder) next(dst []byte, c byte) []byte {
	var last byte
	if n := len(d.held); n > 0 {
		last = d.held[n-1]
	}
	switch {
	case len(d.held) > 0 && d.held[0] == '=':
		return d.afterEqual(dst, c)
	case c == '\n': // blanks at the end of a line are not content
		d.held = d.held[:0]
		if last == '\r' {
			dst = append(dst, '\r')
		}
		return append(dst, c)
	case !isBlank(c) && c != '\r', last == '\r', len(d.held) == maxHeld:
		dst = d.release(dst)
	}
	if isBlank(c) || c == '\r' || c == '=' {
		d.held = append(d.held, c)
		return dst
	}
	return append(dst, c)
}

// afterEqual takes in an octet behind "=": a hexadecimal digit, or the rest of a
// soft line break, which may have blanks before it. Anything else was meant as it
// stands.
func (d *quotedDecoder) afterEqual(dst []byte, c byte) []byte {
	n := len(d.held)
	digit := n == 2 && hexValue(d.held[1]) < 16
	switch {
	case digit && hexValue(c) < 16:
		dst = append(dst, hexValue(d.held[1])<<4|hexValue(c))
		d.held = d.held[:0]
		return dst
	case n == 1 && hexValue(c) < 16:
	case digit, n == maxHeld, d.held[n-1] == '\r' && c != '\n', !isBlank(c) && c != '\r' && c != '\n':
		return d.next(d.release(dst), c)
	case c == '\n':
		d.held = d.held[:0]
		return dst
	}
	d.held = append(d.held, c)
	return dst
}

func (d *quotedDecoder) release(dst []byte) []byte {
	dst = append(dst, d.held...)
	d.held = d.held[:0]
	return dst
}

// end decides about what was held: blanks and a soft line break at the very end
// are no content.
func (d *quotedDecoder) end(dst []byte) []byte {
	blanks := strings.Trim(string(d.held), " \t\r") == ""
	soft := len(d.held) > 0 && d.held[0] == '=' && strings.Trim(string(d.held[1:]), " \t\r") == ""
	if blanks || soft {
		d.held = nil
	}
	return d.release(dst)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// hexValue returns the value of a hexadecimal digit, or 16.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
