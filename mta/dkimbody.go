package mta

import (
	"crypto/sha256"
	"hash"
)

// A relaxedBody hashes a body in its relaxed form (RFC 6376, 3.4.4): no space at
// the end of a line, one where there are several, and no empty lines at the end.
type relaxedBody struct {
	h     hash.Hash
	empty int  // lines that are not hashed yet
	space bool // likewise
	begun bool // the line has something in it
	out   []byte
}

func newRelaxedBody() *relaxedBody { return &relaxedBody{h: sha256.New()} }

// Write implements io.Writer. Lines end in CRLF.
func (r *relaxedBody) Write(p []byte) (int, error) {
	r.out = r.out[:0]
	for _, b := range p {
		switch b {
		case '\r': // what comes next is the line feed
		case '\n':
			r.endLine()
		case ' ', '\t':
			r.space = true
		default:
			r.add(b)
		}
	}
	r.h.Write(r.out)
	return len(p), nil
}

func (r *relaxedBody) endLine() {
	if r.begun {
		r.out = append(r.out, crlf...)
	} else {
		r.empty++
	}
	r.space, r.begun = false, false
}

func (r *relaxedBody) add(b byte) {
	for ; r.empty > 0; r.empty-- {
		if r.out = append(r.out, crlf...); len(r.out) > flushAt { // there can be many of them
			r.h.Write(r.out)
			r.out = r.out[:0]
		}
	}
	if r.space {
		r.out = append(r.out, ' ')
	}
	r.out = append(r.out, b)
	r.space, r.begun = false, true
}

// sum ends the body and returns its hash. A last line without an end gets one.
func (r *relaxedBody) sum() []byte {
	if r.begun {
		r.h.Write(crlf)
		r.begun = false
	}
	return r.h.Sum(nil)
}

// A simpleBody hashes a body as it is, but for empty lines at its end, of which
// there is one in an empty body (RFC 6376, 3.4.3).
type simpleBody struct {
	h     hash.Hash
	ends  int // of lines that are not hashed yet
	ended bool
	out   []byte
}

func newSimpleBody() *simpleBody { return &simpleBody{h: sha256.New()} }

// Write implements io.Writer. Lines end in CRLF.
func (s *simpleBody) Write(p []byte) (int, error) {
	s.out = s.out[:0]
	for _, b := range p {
		switch b {
		case '\r': // what comes next is the line feed
		case '\n':
			s.ends++
		default:
			s.endLines()
			s.out = append(s.out, b)
		}
	}
	s.h.Write(s.out)
	return len(p), nil
}

// endLines hashes the ends of lines, in pieces: there can be many of them.
func (s *simpleBody) endLines() {
	for ; s.ends > 0; s.ends-- {
		if s.out = append(s.out, crlf...); len(s.out) > flushAt {
			s.h.Write(s.out)
			s.out = s.out[:0]
		}
	}
}

// sum ends the body and returns its hash. A last line without an end gets one.
func (s *simpleBody) sum() []byte {
	if !s.ended {
		s.h.Write(crlf)
		s.ended = true
	}
	return s.h.Sum(nil)
}
