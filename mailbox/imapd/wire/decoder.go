package wire

import (
	"errors"
	"strings"
)

// A Decoder reads the tokens of one command or response. After its first error
// every method returns a zero value and consumes nothing.
//
// The methods that read a token expect it at the current place; only List reads
// the spaces between tokens by itself.
type Decoder struct {
	r         *Reader
	line      []byte
	pos       int
	depth     int
	cut       bool // the line was longer than this
	streaming bool // a literal is open; line is what stood before it
	err       error
}

var errSkipped = errors.New("imap: the command was skipped")

// Err returns the first error: a *SyntaxError, a *LimitError, what a callback
// returned, or the error that lost the connection.
func (d *Decoder) Err() error { return d.err }

// Fail makes err the decoder's error if it has none: for a caller that finds a
// token well formed and yet wrong.
func (d *Decoder) Fail(err error) { d.setErr(err) }

func (d *Decoder) setErr(err error) {
	if d.err == nil {
		d.err = err
	}
}

// fail records that want was expected here.
func (d *Decoder) fail(want string) {
	if d.err != nil {
		return
	}
	if d.cut && d.pos >= len(d.line) {
		d.err = d.r.tooLong()
		return
	}
	d.err = &SyntaxError{Want: want, At: d.pos}
}

// failAt records that want was expected at an earlier place.
func (d *Decoder) failAt(at int, want string) {
	if d.err == nil {
		d.err = &SyntaxError{Want: want, At: at}
	}
}

// load reads the next line of the command.
func (d *Decoder) load() {
	line, cut, err := d.r.line()
	d.line, d.pos, d.cut = line, 0, cut
	if err != nil {
		d.setErr(err)
	}
}

// rest returns what is left of the line, nil after an error. If a literal was
// streamed, the line that follows it is read first.
func (d *Decoder) rest() []byte {
	if d.streaming && d.err == nil {
		d.r.body.discard()
		d.streaming = false
		d.load()
	}
	if d.err != nil {
		return nil
	}
	return d.line[d.pos:]
}

// End expects the end of the command and returns the decoder's error. A command
// acts only after End returned nil.
func (d *Decoder) End() error {
	if len(d.rest()) > 0 || d.cut {
		d.fail("the end of the command")
	}
	return d.err
}

// AtEnd reports whether the line is at its end.
func (d *Decoder) AtEnd() bool { return len(d.rest()) == 0 && !d.cut }

// Peek returns the next byte without consuming it, or 0.
func (d *Decoder) Peek() byte {
	if b := d.rest(); len(b) > 0 {
		return b[0]
	}
	return 0
}

// Special consumes c if it comes next and reports whether it did.
func (d *Decoder) Special(c byte) bool {
	if b := d.rest(); len(b) == 0 || b[0] != c {
		return false
	}
	d.pos++
	return true
}

// Expect consumes c, which must come next.
func (d *Decoder) Expect(c byte) {
	if !d.Special(c) {
		d.fail("\"" + string(rune(c)) + "\"")
	}
}

// SP consumes exactly one space.
func (d *Decoder) SP() {
	if !d.Special(' ') {
		d.fail("a space")
	}
}

// take consumes the longest run of the class, which must not be empty. The
// result points into the line.
func (d *Decoder) take(set uint8, want string) []byte {
	b := d.rest()
	n := span(b, set)
	if n == 0 {
		d.fail(want)
		return nil
	}
	d.pos += n
	return b[:n]
}

// Tag reads the tag of a command.
func (d *Decoder) Tag() string { return string(d.take(charTag, "a tag")) }

// Atom reads an atom.
func (d *Decoder) Atom() string { return string(d.take(charAtom, "an atom")) }

// Keyword reads an atom that is a protocol word and returns it in upper case.
func (d *Decoder) Keyword() string { return intern(d.take(charAtom, "a keyword")) }

// word reads the name of a data item, which may be followed by "[".
func (d *Decoder) word(want string) string { return intern(d.take(charWord, want)) }

// Text reads the rest of the line: the human-readable text of a response. It
// may be empty, and a literal announced in it is none.
func (d *Decoder) Text() string {
	b := d.rest()
	d.pos += len(b)
	if d.cut {
		d.fail("text")
		return ""
	}
	if d.err == nil {
		d.r.lit = announced{}
	}
	return string(b)
}

// List reads a parenthesised list, calling item at the start of each element.
// The list may be empty. It fails if lists are nested beyond Options.MaxDepth.
func (d *Decoder) List(item func()) {
	d.Expect('(')
	d.enter()
	for first := true; d.err == nil && d.Peek() != ')'; first = false {
		if !first {
			d.SP()
		}
		item()
	}
	d.Expect(')')
	d.depth--
}

// enter counts one level of nesting.
func (d *Decoder) enter() {
	d.depth++
	if d.depth > d.r.opt.MaxDepth {
		d.setErr(&LimitError{What: "levels of nesting", Max: int64(d.r.opt.MaxDepth)})
	}
}

// words are the keywords that intern knows, so that reading one costs nothing.
var words = makeWords(`ALERT ALL APPEND AUTHENTICATE CAPABILITY CHECK CLOSE COMPRESS COPY
	CREATE DELETE DONE ENABLE EXAMINE EXPUNGE FETCH GETMETADATA GETQUOTA GETQUOTAROOT ID
	IDLE FAST FULL LIST LOGIN LOGOUT LSUB MOVE NAMESPACE NOOP NOTIFY RENAME REPLACE SEARCH SELECT
	SETMETADATA SORT STARTTLS STATUS STORE SUBSCRIBE THREAD UID UNAUTHENTICATE UNSELECT
	UNSUBSCRIBE BAD BYE NO OK PREAUTH EXISTS VANISHED CONDSTORE QRESYNC RETURN CHARSET
	FLAGS FLAGS.SILENT UNCHANGEDSINCE UTF-8 US-ASCII NIL`)

func makeWords(list string) map[string]string {
	m := make(map[string]string)
	for _, w := range strings.Fields(list) {
		m[w] = w
	}
	for w := range fetchWords {
		m[w] = w
	}
	for w := range searchWords {
		m[w] = w
	}
	for _, s := range statusWords {
		m[s.word] = s.word
	}
	return m
}

// intern returns b in upper case, without allocating for the known words.
func intern(b []byte) string {
	var up [32]byte
	if len(b) > len(up) {
		return strings.ToUpper(string(b))
	}
	for i, c := range b {
		up[i] = upper(c)
	}
	if w, ok := words[string(up[:len(b)])]; ok {
		return w
	}
	return string(up[:len(b)])
}
