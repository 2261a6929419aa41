package wire

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// Word writes a word of the protocol as it is. It is for the program's own
// constants; anything that comes from elsewhere is written with Atom, Astring
// or String.
func (e *Encoder) Word(w string) {
	e.sep()
	e.b = append(e.b, w...)
}

// Atom writes an atom. What is no atom cannot be written.
func (e *Encoder) Atom(s string) {
	if !all(s, charAtom) {
		e.fail("a value is not an atom")
		return
	}
	e.Word(s)
}

// Number writes a number.
func (e *Encoder) Number(n uint64) {
	e.sep()
	e.b = appendUint(e.b, n)
}

// Nil writes NIL.
func (e *Encoder) Nil() { e.Word("NIL") }

// Open starts a parenthesised list.
func (e *Encoder) Open() { e.bracket('(') }

// Close ends a parenthesised list.
func (e *Encoder) Close() { e.unbracket(')') }

func (e *Encoder) bracket(c byte) {
	e.sep()
	e.b = append(e.b, c)
	e.tight = true
	e.open++
}

func (e *Encoder) unbracket(c byte) {
	e.b = append(e.b, c)
	e.tight = false
	e.open--
}

// String writes a quoted string, or a literal where the content needs one. NUL,
// which neither can hold, becomes "?".
func (e *Encoder) String(s string) {
	e.sep()
	n := 0
	for n < len(s) && class[s[n]]&charPlain != 0 {
		n++
	}
	if n == len(s) && n <= maxQuoted {
		e.b = append(append(append(e.b, '"'), s...), '"')
		return
	}
	if len(s) > maxQuoted || !e.quotable(s[n:]) {
		e.literalString(s)
		return
	}
	e.b = append(append(e.b, '"'), s[:n]...)
	for i := n; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			e.b = append(e.b, '\\')
		}
		e.b = append(e.b, s[i])
	}
	e.b = append(e.b, '"')
}

// maxQuoted is the length up to which a string is quoted, which many clients
// read into a fixed buffer.
const maxQuoted = 4096

// quotable reports whether s may stand in a quoted string: no controls, and
// beyond ASCII only UTF-8 where that is enabled.
func (e *Encoder) quotable(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x80:
			ascii = false
		case class[c]&charPlain == 0 && c != '"' && c != '\\' && c != '\t':
			return false
		}
	}
	return ascii || e.utf8 && utf8.ValidString(s)
}

// literalString writes s as a literal, behind the space that stands already.
func (e *Encoder) literalString(s string) {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "?")
	}
	if e.announce("", int64(len(s))) {
		e.b = append(e.b, s...)
	}
}

// NString writes a string, or NIL if ok is false.
func (e *Encoder) NString(s string, ok bool) {
	if !ok {
		e.Nil()
		return
	}
	e.String(s)
}

// Astring writes an atom where that is enough, and else a string. Wildcards are
// quoted, and so is the word NIL.
func (e *Encoder) Astring(s string) {
	if all(s, charAtomic) && !equalFold(s, "NIL") {
		e.Word(s)
		return
	}
	e.String(s)
}

// announce writes the announcement of a literal and, if the peer must ask for
// it, waits until it does. It reports whether the octets may follow.
func (e *Encoder) announce(prefix string, size int64) bool {
	e.b = append(append(e.b, prefix...), '{')
	e.b = appendInt(e.b, size)
	l := e.opt.Literals
	nonSync := l == LiteralsPlus || l == LiteralsMinus && size <= literalMinusMax
	if nonSync {
		e.b = append(e.b, '+')
	}
	e.b = append(append(e.b, '}'), crlf...)
	if nonSync || l == LiteralsFromServer {
		return true
	}
	return e.await()
}

// await flushes the announcement and waits for "+".
func (e *Encoder) await() bool {
	if e.err != nil {
		return false
	}
	e.spill()
	if e.broken == nil {
		e.broken = e.opt.Await()
	}
	return e.broken == nil
}

// Literal writes size bytes of r as a literal, flushing as the batch fills. If
// r ends early or fails, the response cannot be completed; when part of it was
// written already, the connection must be closed. The error is the one that
// CRLF will return.
func (e *Encoder) Literal(r io.Reader, size int64) error { return e.stream("", r, size) }

// Literal8 is like Literal for content that may hold NUL (RFC 3516).
func (e *Encoder) Literal8(r io.Reader, size int64) error { return e.stream("~", r, size) }

func (e *Encoder) stream(prefix string, r io.Reader, size int64) error {
	e.sep()
	if !e.announce(prefix, size) {
		return e.failure()
	}
	for size > 0 && e.failure() == nil {
		if len(e.b) >= BatchSize {
			e.spill()
		}
		n, err := e.pull(r, size)
		size -= int64(n)
		if n == 0 {
			e.failRead(err)
		}
	}
	return e.failure()
}

func (e *Encoder) failure() error {
	if e.broken != nil {
		return e.broken
	}
	return e.err
}

// pull reads from r into the batch, at most size bytes.
func (e *Encoder) pull(r io.Reader, size int64) (int, error) {
	room := int(min(size, int64(max(BatchSize-len(e.b), minPull))))
	n := len(e.b)
	for cap(e.b) < n+room {
		e.b = append(e.b[:cap(e.b)], 0)
	}
	got, err := io.ReadAtLeast(r, e.b[n:n+room], 1)
	e.b = e.b[:n+got]
	return got, err
}

// minPull is the least that pull asks for.
const minPull = 512

func (e *Encoder) failRead(err error) {
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if e.err == nil {
		e.err = err
	}
}
