package wire

import (
	"bytes"
	"io"
	"math"
)

// maxAnnounced is more than the length of any literal's announcement that can
// be obeyed: "~{9223372036854775807+}".
const maxAnnounced = 32

// announced is the literal that a line ends in. It is found in one place, for
// parsing and for skipping, so that the two never differ on where the next
// command starts.
type announced struct {
	ok      bool
	at      int   // where in the line the announcement starts, -1 if it was cut off
	size    int64 // math.MaxInt64 if the number is larger
	nonSync bool  // "{n+}": the octets come without being asked for (RFC 7888)
	binary  bool  // "~{n}": a literal8 (RFC 3516)
}

// announcedBy finds the literal at the end of a line.
func announcedBy(line []byte) (a announced) {
	i := len(line)
	if i == 0 || line[i-1] != '}' {
		return a
	}
	i--
	if i > 0 && line[i-1] == '+' {
		a.nonSync = true
		i--
	}
	last := i
	for i > 0 && class[line[i-1]]&charDigit != 0 {
		i--
	}
	if i == last || i == 0 || line[i-1] != '{' {
		return announced{}
	}
	a.size = literalSize(line[i:last])
	i--
	if i > 0 && line[i-1] == '~' {
		a.binary = true
		i--
	}
	a.ok, a.at = true, i
	return a
}

func literalSize(digits []byte) int64 {
	var n int64
	for _, c := range digits {
		v := int64(c - '0')
		if n > (math.MaxInt64-v)/10 {
			return math.MaxInt64
		}
		n = n*10 + v
	}
	return n
}

// A LiteralInfo is what a peer announces of a literal before its octets.
type LiteralInfo struct {
	Size   int64
	Sync   bool // the peer waits to be asked, so a refusal costs nothing
	Binary bool // literal8: it may hold NUL
}

// A Literal streams the octets of a literal. It ends with io.EOF after Size
// bytes; a connection lost before that gives io.ErrUnexpectedEOF or the error
// of the connection. What is not read is skipped by the next token or by
// [Decoder.Skip].
type Literal struct {
	LiteralInfo
	r    *Reader
	left int64
}

// Read implements io.Reader. It never reads beyond the literal.
func (l *Literal) Read(p []byte) (int, error) {
	r := l.r
	if l.left == 0 {
		return 0, io.EOF
	}
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	p = p[:min(int64(len(p)), l.left)]
	n := copy(p, r.buf[r.beg:r.end])
	r.beg += n
	if n == 0 {
		var err error
		n, err = r.readRaw(p, PhaseLiteral, l.Size-l.left)
		r.lose(err)
	}
	l.left -= int64(n)
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// discard throws away the rest of the literal.
func (l *Literal) discard() {
	r := l.r
	for l.left > 0 && r.err == nil {
		if r.beg == r.end {
			n, err := r.readRaw(r.buf, PhaseLiteral, l.Size-l.left)
			r.lose(err)
			r.beg, r.end = 0, n
		}
		n := min(l.left, int64(r.end-r.beg))
		r.beg += int(n)
		l.left -= n
	}
}

// Literal reads a literal that the caller streams. accept decides from the
// announcement, before the peer is asked to send; its error becomes the
// decoder's error as it is, and the octets, if they come all the same, are
// skipped and never parsed. The result is nil if there is an error.
func (d *Decoder) Literal(accept func(LiteralInfo) error) *Literal {
	a := d.announcedHere()
	if !a.ok {
		d.fail("a literal")
		return nil
	}
	info := LiteralInfo{Size: a.size, Sync: !a.nonSync, Binary: a.binary}
	if err := accept(info); err != nil {
		d.setErr(err)
		return nil
	}
	return d.openLiteral(info)
}

// announcedHere returns the literal announced at the place of the decoder.
func (d *Decoder) announcedHere() announced {
	if len(d.rest()) == 0 || d.r.lit.at != d.pos {
		return announced{}
	}
	return d.r.lit
}

func (d *Decoder) openLiteral(info LiteralInfo) *Literal {
	r := d.r
	if info.Sync && r.opt.Continue != nil {
		if err := r.opt.Continue(); err != nil {
			r.lose(err)
			d.setErr(err)
			return nil
		}
	}
	d.pos = len(d.line)
	d.streaming = true
	r.lit = announced{}
	r.body = Literal{LiteralInfo: info, r: r, left: info.Size}
	return &r.body
}

// literalBytes reads a literal into memory, as far as the limit of the command
// allows, and then the line that follows it.
func (d *Decoder) literalBytes() []byte {
	l := d.Literal(func(i LiteralInfo) error {
		if i.Size > int64(d.r.left) {
			return d.r.tooLong()
		}
		return nil
	})
	if l == nil {
		return nil
	}
	d.r.left -= int(l.Size)
	b := make([]byte, l.Size)
	if _, err := io.ReadFull(l, b); err != nil {
		d.setErr(err)
		return nil
	}
	if !l.Binary && bytes.IndexByte(b, 0) >= 0 {
		d.fail("a literal without NUL")
		return nil
	}
	d.rest() // reads the line that follows
	return b
}

// Skip steps over what is left of the command: the rest of a literal, the line,
// and all literals that come without being asked for. It must be called before
// the next command, and may be called at any time and twice. An error means
// that the connection is lost.
func (d *Decoder) Skip() error {
	r := d.r
	for r.err == nil && (d.streaming || d.skipAnnounced()) {
		r.body.discard()
		d.streaming = false
		r.left = 0 // the line is not kept
		_, _, _ = r.line()
	}
	r.lit = announced{}
	d.line, d.pos, d.cut = nil, 0, false
	d.setErr(errSkipped)
	return r.err
}

// skipAnnounced opens, to throw it away, the literal that the last line ended
// in, if the peer sends it without being asked.
func (d *Decoder) skipAnnounced() bool {
	r := d.r
	if !r.lit.ok || !r.lit.nonSync && !r.opt.Responses {
		return false
	}
	r.spend(r.lit.size)
	r.body = Literal{LiteralInfo: LiteralInfo{Size: r.lit.size}, r: r, left: r.lit.size}
	r.lit = announced{}
	return r.err == nil
}
