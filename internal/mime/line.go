package mime

import "bytes"

// line keeps account of the octets read so far, line by line.
type line struct {
	defects *defects
	nul     bool  // there may be a NUL in what comes: looked for in larger pieces than lines
	pos     int64 // octets read
	count   int64 // lines ended
	col     int   // octets of the present line, without a CR that may end it
	cr      bool  // the last octet was such a CR
	settled bool  // the present line is known not to be a delimiter
	empty   bool  // the last line that ended had nothing but its end
	eol     int   // octets of its end: 1 or 2
}

// fresh reports whether the next octet begins a line, of which nothing is known yet.
func (l *line) fresh() bool { return l.col == 0 && !l.cr && !l.settled }

// note accounts for b, a piece of one line that may end with its line feed, and reports whether it does.
func (l *line) note(b []byte) (ended bool) {
	text, eol := b, 0
	if ended = b[len(b)-1] == '\n'; ended {
		text, eol = b[:len(b)-1], 1
	}
	if l.cr {
		l.cr = false
		if ended && len(text) == 0 {
			eol = 2
		} else {
			l.bareCR()
		}
	}
	if n := len(text) - 1; n >= 0 && text[n] == '\r' {
		text = text[:n]
		if l.cr = !ended; ended {
			eol = 2
		}
	}
	l.inspect(text)
	l.col += len(text)
	l.pos += int64(len(b))
	if ended {
		l.end(eol)
	}
	return ended
}

// inspect looks for what must not be inside a line.
func (l *line) inspect(text []byte) {
	if i := bytes.IndexByte(text, '\r'); i >= 0 {
		l.defects.addN(BareCR, l.pos+int64(i), bytes.Count(text, []byte{'\r'}))
	}
	if !l.nul {
		return
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		l.defects.addN(NUL, l.pos+int64(i), bytes.Count(text, []byte{0}))
	}
}

// bareCR counts the CR just read as text of its line.
func (l *line) bareCR() {
	l.defects.add(BareCR, l.pos-1)
	l.col++
}

// end ends the present line, of which all was read.
func (l *line) end(eol int) {
	if eol == 1 {
		l.defects.add(BareLF, l.pos-1)
	}
	l.checkLength(eol)
	l.empty, l.eol = l.col == 0, eol
	l.count++
	l.col, l.settled = 0, false
}

func (l *line) checkLength(eol int) {
	if l.col > maxLine {
		l.defects.add(LongLine, l.pos-int64(l.col+eol))
	}
}

// eof ends the message, perhaps inside a line.
func (l *line) eof() {
	if l.cr {
		l.cr = false
		l.bareCR()
	}
	l.checkLength(0)
}
