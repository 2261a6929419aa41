package wire

import (
	"bytes"
	"unicode/utf8"
)

// Astring reads an atom or a string, as of any bytes.
func (d *Decoder) Astring() string { return string(d.astring(charAtomic, "a string")) }

// String reads a quoted string or a literal.
func (d *Decoder) String() string { return string(d.str("a quoted string or literal")) }

// NString reads a string or NIL, for which ok is false.
func (d *Decoder) NString() (s string, ok bool) {
	if d.Nil() {
		return "", false
	}
	s = string(d.str("a string or NIL"))
	return s, d.err == nil
}

// Nil consumes NIL if it comes next and reports whether it did.
func (d *Decoder) Nil() bool {
	b := d.rest()
	if len(b) < 3 || !equalFold(string(b[:3]), "NIL") {
		return false
	}
	if len(b) > 3 && class[b[3]]&charAtomic != 0 {
		return false
	}
	d.pos += 3
	return true
}

// astring reads a run of the class, or a string. The result may point into the
// line.
func (d *Decoder) astring(set uint8, want string) []byte {
	if c := d.Peek(); class[c]&set == 0 {
		return d.str(want)
	}
	return d.take(set, want)
}

func (d *Decoder) str(want string) []byte {
	if d.Peek() == '"' {
		return d.quoted()
	}
	if d.announcedHere().ok {
		return d.literalBytes()
	}
	d.fail(want)
	return nil
}

// quoted reads a quoted string. The result points into the line if there is
// nothing to unescape.
func (d *Decoder) quoted() []byte {
	d.pos++
	b := d.rest()
	n := bytes.IndexAny(b, "\\\"")
	if n < 0 {
		d.pos = len(d.line)
		d.fail("the end of a quoted string")
		return nil
	}
	var s []byte
	if b[n] == '"' {
		s = b[:n]
		d.pos += n + 1
	} else {
		s = d.unescape(b)
	}
	if !d.mayBeQuoted(s) {
		d.fail("a quoted string of permitted characters")
		return nil
	}
	return s
}

// unescape reads a quoted string that has escapes, from behind its first quote.
func (d *Decoder) unescape(b []byte) []byte {
	s := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			d.pos += i + 1
			return s
		case b[i] == '\\':
			i++
			if i == len(b) || b[i] != '"' && b[i] != '\\' {
				d.pos += min(i, len(b))
				d.fail("\" or \\ after a backslash")
				return nil
			}
		}
		s = append(s, b[i])
	}
	d.pos += len(b)
	d.fail("the end of a quoted string")
	return nil
}

// mayBeQuoted reports whether the content of a quoted string is legal: no CR,
// LF or NUL, and beyond ASCII only UTF-8 where that is enabled.
func (d *Decoder) mayBeQuoted(s []byte) bool {
	ascii := true
	for _, c := range s {
		if c >= 0x80 {
			ascii = false
			continue
		}
		if c != '"' && c != '\\' && class[c]&charQuoted == 0 {
			return false
		}
	}
	return ascii || d.r.utf8 && utf8.Valid(s)
}
