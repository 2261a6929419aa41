package pgp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"slices"
)

// armorLine is how many octets go on one line of armor: 64 characters, as everybody writes.
const armorLine = 48

// armorBuffer is how many lines are written at once.
const armorBuffer = 256

// armorWriter writes ASCII armor (RFC 9580, 6.2) as all mail software reads it: CRLF line ends, no header lines, and
// always the checksum, without which GnuPG 2.2 finds no data in every third message.
type armorWriter struct {
	w    io.Writer
	kind string
	crc  crc24
	buf  []byte // octets not written yet, always less than one full buffer
	text []byte // their encoding, reused
	open bool   // the first line is written
	err  error
}

// newArmorWriter returns a writer that armors what it gets and writes it to w. Close must be called; it writes the last
// line and leaves w open.
func newArmorWriter(w io.Writer, kind string) *armorWriter {
	return &armorWriter{w: w, kind: kind, crc: crc24Start, buf: make([]byte, 0, armorBuffer*armorLine)}
}

// Write takes all of b unless an earlier write to the underlying writer failed.
func (a *armorWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && a.err == nil {
		take := min(len(b), armorBuffer*armorLine-len(a.buf))
		a.buf = append(a.buf, b[:take]...)
		b = b[take:]
		if len(a.buf) == armorBuffer*armorLine {
			a.flush()
		}
	}
	if a.err != nil {
		return n - len(b), a.err
	}
	return n, nil
}

// Close writes what is left, the checksum and the last line.
func (a *armorWriter) Close() error {
	a.flush()
	if a.err != nil {
		return a.err
	}
	sum := a.crc.sum()
	end := base64.StdEncoding.AppendEncode([]byte("="), sum[:])
	end = append(end, "\r\n-----END "+a.kind+"-----\r\n"...)
	_, a.err = a.w.Write(end)
	if a.err != nil {
		return a.err
	}
	a.err = errors.New("armor: write after Close")
	return nil
}

// flush encodes and writes what is buffered.
func (a *armorWriter) flush() {
	if a.err != nil {
		return
	}
	// Per line 64 characters and its end; and the first line, once.
	a.text = slices.Grow(a.text[:0], (len(a.buf)/armorLine+1)*66+64)
	if !a.open {
		a.open = true
		a.text = append(a.text, "-----BEGIN "+a.kind+"-----\r\n\r\n"...)
	}
	a.crc = a.crc.update(a.buf)
	for rest := a.buf; len(rest) > 0; {
		take := min(len(rest), armorLine)
		a.text = base64.StdEncoding.AppendEncode(a.text, rest[:take])
		a.text = append(a.text, '\r', '\n')
		rest = rest[take:]
	}
	a.buf = a.buf[:0]
	_, a.err = a.w.Write(a.text)
}

// armored returns b in armor.
func armored(kind string, b []byte) []byte {
	var out bytes.Buffer
	w := newArmorWriter(&out, kind)
	// A bytes.Buffer takes everything.
	w.Write(b)
	w.Close()
	return out.Bytes()
}
