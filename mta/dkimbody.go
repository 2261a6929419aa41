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
		r.out = append(r.out, crlf...)
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
