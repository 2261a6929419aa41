package imapd

import (
	"bytes"
	"io"
	"mime"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// fold appends text in the form in which texts are compared: without regard to
// case and to how letters with marks are composed, as i;unicode-casemap does
// (RFC 5051). What is not UTF-8 is compared octet by octet. An unfinished
// character at the end is returned as rest, unless text is final.
func fold(dst, text []byte, final bool) (folded, rest []byte) {
	dst = slices.Grow(dst, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			dst = append(dst, lower(c))
			i++
			continue
		}
		if !final && !utf8.FullRune(text[i:]) {
			return dst, text[i:]
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = foldRune(dst, r)
		}
		i += n
	}
	return dst, nil
}

func foldRune(dst []byte, r rune) []byte {
	var buf, out [utf8.UTFMax * 18]byte // no character decomposes to more
	one := utf8.AppendRune(buf[:0], unicode.ToTitle(r))
	for _, c := range norm.NFKD.Append(out[:0], one...) {
		dst = append(dst, lower(c))
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func foldString(s string) []byte {
	folded, _ := fold(make([]byte, 0, len(s)), []byte(s), true)
	return folded
}

// containsFolded reports whether text contains needle, which is folded.
func containsFolded(text string, needle []byte) bool {
	return len(needle) == 0 || bytes.Contains(foldString(text), needle)
}

// needle is a text that a search looks for in bodies.
type needle struct {
	folded  []byte
	headers bool // look in headers too: TEXT, not BODY
}

// textScan looks for several needles in one pass over a message. It can be used for
// one message after another.
type textScan struct {
	needles []needle
	found   []bool
	window  []byte // folded: what was written last, and enough before it
	rest    []byte // of an unfinished character
	buf     [4096]byte
}

// begin makes the scan ready for another message.
func (s *textScan) begin(needles []needle) {
	s.needles, s.found = needles, make([]bool, len(needles))
	s.window, s.rest = s.window[:0], s.rest[:0]
}

// done reports whether every needle was found.
func (s *textScan) done() bool {
	for _, ok := range s.found {
		if !ok {
			return false
		}
	}
	return true
}

// look takes in a piece of text. What belongs together may come in several
// pieces, of which the last is final; nothing is found across its end.
func (s *textScan) look(text []byte, header, final bool) {
	if len(s.rest) > 0 {
		text = append(bytes.Clone(s.rest), text...)
	}
	var rest []byte
	s.window, rest = fold(s.window, text, final)
	s.rest = append(s.rest[:0], rest...)
	keep := 0
	for i, n := range s.needles {
		if s.found[i] || header && !n.headers {
			continue
		}
		s.found[i] = bytes.Contains(s.window, n.folded)
		keep = max(keep, len(n.folded)-1)
	}
	if final {
		keep = 0
	}
	if drop := len(s.window) - keep; drop > 0 {
		s.window = s.window[:copy(s.window, s.window[drop:])]
	}
}

func (s *textScan) room() []byte { return s.buf[:] }

// textSink takes in the texts of a message: a textScan, or what an index is made of.
type textSink interface {
	look(text []byte, header, final bool) // as textScan has it
	done() bool                           // no more texts are wanted
	room() []byte                         // to read texts into
}

// readText takes in all of r, or as much as is wanted.
func readText(s textSink, r io.Reader) error {
	buf := s.room()
	for !s.done() {
		n, err := r.Read(buf)
		s.look(buf[:n], false, err == io.EOF)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// toUTF8 returns a reader of text in some charset as UTF-8. One that nobody knows
// is read as it is: the words in ASCII can be found all the same.
func toUTF8(charset string, r io.Reader) io.Reader {
	if plainCharset(charset) {
		return r
	}
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return r
	}
	return transform.NewReader(r, enc.NewDecoder())
}

func plainCharset(name string) bool {
	switch string(foldString(name)) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	return false
}

var headerWords = mime.WordDecoder{
	CharsetReader: func(charset string, r io.Reader) (io.Reader, error) { return toUTF8(charset, r), nil },
}

// decodeHeader decodes the encoded-words of a header field (RFC 2047).
func decodeHeader(value string) string {
	text, err := headerWords.DecodeHeader(value)
	if err != nil {
		return value
	}
	return text
}
