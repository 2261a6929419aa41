package mime

import "bytes"

// suspend puts the present line aside until enough of it is known to tell whether it is a delimiter.
func (w *Walker) suspend() {
	w.resume, w.state = w.state, inCandidate
	w.candidate = w.candidate[:0]
}

// readCandidate reads on in a line that begins with a hyphen, and decides as soon as it can. What it decides on does
// not depend on how the message was cut: it is the whole line, or as much as a delimiter with its line end can take.
func (w *Walker) readCandidate(b []byte) (int, error) {
	need := w.longest + len("--") + len("--") + len("\r\n")
	n := pieceLen(b[:min(len(b), need-len(w.candidate))])
	w.candidate = append(w.candidate, b[:n]...)
	c := w.candidate
	whole := c[len(c)-1] == '\n'
	if whole || len(c) == need || len(c) > 1 && c[1] != '-' {
		return n, w.decide()
	}
	return n, nil
}

// decide takes the candidate for a delimiter or for text, and reads it as such.
func (w *Walker) decide() error {
	w.line.nul = true // the candidate may have come in earlier writes
	c := w.candidate
	if d, ok := w.match(c); ok {
		return w.delimit(d)
	}
	w.state, w.line.settled = w.resume, true
	if w.state == inBody {
		if err := w.emitHeld(); err != nil {
			return err
		}
		_, err := w.readBody(c)
		return err
	}
	w.start = len(w.header)
	w.field = w.start
	_, err := w.readHeader(c)
	return err
}

// delimiter is a line that a candidate was found to be.
type delimiter struct {
	frame   int // of the multipart it belongs to
	length  int // octets before what may follow on the line
	closing bool
}

// match finds the multipart whose delimiter the line is. Behind the boundary must come the line's end or a blank:
// RFC 2046 would let any text follow, but then a boundary that begins another would hide it, and readers differ. The
// longest boundary wins, since boundaries may have blanks inside, and among equals that of the innermost multipart.
func (w *Walker) match(c []byte) (delimiter, bool) {
	text, ok := bytes.CutSuffix(c, []byte("\n"))
	if ok {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	text, ok = bytes.CutPrefix(text, []byte("--"))
	if !ok {
		return delimiter{}, false
	}
	var best delimiter
	longest, near := 0, false
	for i := len(w.stack) - 1; i >= 0; i-- {
		b := w.stack[i].boundary
		if len(b) <= longest || len(b) > len(text) || string(text[:len(b)]) != b {
			continue
		}
		rest, closing := bytes.CutPrefix(text[len(b):], []byte("--"))
		if len(rest) > 0 && !isBlank(rest[0]) {
			near = true
			continue
		}
		longest = len(b)
		best = delimiter{frame: i, length: len("--") + len(text) - len(rest), closing: closing}
	}
	if longest == 0 {
		if near {
			w.defects.add(NearDelimiter, w.line.pos)
		}
		return delimiter{}, false
	}
	if !best.closing && w.parts >= w.o.MaxParts {
		w.defects.add(TooManyParts, w.line.pos)
		return delimiter{}, false
	}
	return best, true
}

// delimit ends the parts that the delimiter ends, and reads the rest of its line. The line end before it is its own.
func (w *Walker) delimit(d delimiter) error {
	if w.state = w.resume; w.state == inHeader {
		w.defects.add(NoBlankLine, w.line.pos)
		if err := w.endHeaders(); err != nil {
			return err
		}
	}
	w.held = w.held[:0]
	w.finish(d.frame+1, w.line.pos-int64(w.line.eol))
	if d.closing {
		w.frame().boundary = ""
		w.measure()
	}
	w.state, w.opening, w.padded = inDelimiter, !d.closing, false
	w.line.note(w.candidate[:d.length])
	if rest := w.candidate[d.length:]; len(rest) > 0 {
		_, err := w.readDelimiter(rest)
		return err
	}
	return nil
}

// readDelimiter reads on behind a delimiter, up to the end of its line.
func (w *Walker) readDelimiter(b []byte) (int, error) {
	n := pieceLen(b)
	if len(w.held) > 0 && (n > 1 || b[0] != '\n') {
		if err := w.emitHeld(); err != nil {
			return 0, err
		}
	}
	at := w.line.pos
	ended := w.line.note(b[:n])
	text := b[:n]
	if ended {
		text = text[:n-1]
	}
	if k := len(text) - 1; k >= 0 && text[k] == '\r' {
		text = text[:k]
		if !ended {
			w.held = append(w.held, '\r')
		}
	}
	w.notePadding(text, at)
	if err := w.emit(text); err != nil {
		return n, err
	}
	if ended {
		w.endDelimiter()
	}
	return n, nil
}

// notePadding records text behind a delimiter, once for each. A CR is left to BareCR.
func (w *Walker) notePadding(text []byte, at int64) {
	i := bytes.IndexFunc(text, func(r rune) bool { return r != ' ' && r != '\t' && r != '\r' })
	if i >= 0 && !w.padded {
		w.padded = true
		w.defects.add(DelimiterText, at+int64(i))
	}
}

// endDelimiter ends the delimiter's line: what follows is the header of a part, or the epilogue.
func (w *Walker) endDelimiter() {
	w.held = w.held[:0]
	w.state = inBody
	if w.opening {
		w.push(w.frame().part)
	}
}
