package mta

import (
	"bytes"
	"errors"
	"io"

	"github.com/restante/restante/mailbox"
)

// What a message is refused for before anyone looks at its meaning.
var (
	errBareCR   = errors.New("mta: carriage return without line feed")
	errBareLF   = errors.New("mta: line feed without carriage return")
	errNUL      = errors.New("mta: NUL in message")
	errLongLine = errors.New("mta: line too long")
)

var crlf = []byte("\r\n")

// A lineReader passes a message on and fails for good at what SMTP does not
// allow: a CR or LF outside CRLF, a NUL (RFC 5321, 2.3.8 and 4.5.2), a line
// longer than maxLine with its CRLF, or more than maxSize bytes.
//
// Two servers that read a bare CR or LF differently see different messages in
// the same bytes, which is what SMTP smuggling lives on. Refusing is the one
// answer that nobody can read differently.
//
// A last line without an end, which only BDAT can bring, gets its CRLF.
type lineReader struct {
	r       io.Reader
	maxLine int
	maxSize int64

	size   int64
	column int    // bytes of the present line so far, a final CR included
	cr     bool   // the last byte was a CR
	tail   []byte // still to be given out after the end of r
	err    error  // what every further Read returns
}

// Read returns no byte of the chunk in which it finds a fault.
func (l *lineReader) Read(b []byte) (int, error) {
	if l.err != nil {
		return l.rest(b)
	}
	n, err := l.r.Read(b)
	if fault := l.check(b[:n]); fault != nil {
		l.err = fault
		return 0, fault
	}
	if err == io.EOF {
		err = l.end()
	}
	l.err = err
	if n > 0 {
		return n, nil
	}
	return l.rest(b)
}

// rest gives out the tail, and then the error that ended the message.
func (l *lineReader) rest(b []byte) (int, error) {
	if len(l.tail) == 0 || l.err == nil {
		return 0, l.err
	}
	n := copy(b, l.tail)
	l.tail = l.tail[n:]
	return n, nil
}

// end is called at the end of r and returns what Read then ends with.
func (l *lineReader) end() error {
	if l.cr {
		return errBareCR
	}
	if l.column > 0 {
		l.tail = crlf
	}
	return io.EOF
}

// check goes through the next bytes, line by line.
func (l *lineReader) check(b []byte) error {
	l.size += int64(len(b))
	if l.size > l.maxSize {
		return mailbox.ErrTooLarge
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return errNUL
	}
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		part := b
		if n > 0 {
			part = b[:n]
		}
		if err := l.checkPart(part, n > 0); err != nil {
			return err
		}
		b = b[len(part):]
	}
	return nil
}

// checkPart looks at a part of one line, which ends the line or not.
func (l *lineReader) checkPart(b []byte, ends bool) error {
	l.column += len(b)
	if l.column > l.maxLine {
		return errLongLine
	}
	if l.cr && b[0] != '\n' {
		return errBareCR
	}
	at := bytes.IndexByte(b, '\r')
	if !ends {
		l.cr = at == len(b)-1
		if at >= 0 && !l.cr {
			return errBareCR
		}
		return nil
	}
	switch {
	case at < 0 && !l.cr:
		return errBareLF
	case at >= 0 && at != len(b)-2:
		return errBareCR
	}
	l.cr, l.column = false, 0
	return nil
}

// A dotCR finds a line that begins with a dot and a bare CR in what a client
// sends, in chunks. The engine's reader of DATA drops that CR together with the
// dot, so that the lineReader behind it can't refuse the message. It may be
// looked for everywhere: no command and no lawful message has it.
type dotCR struct {
	seen int // bytes of "\n.\r" that the last chunk ended with
}

// in reports whether the next chunk completes such a line.
func (d *dotCR) in(b []byte) bool {
	for len(b) > 0 {
		if d.seen == 0 {
			at := bytes.IndexByte(b, '\n')
			if at < 0 {
				return false
			}
			b, d.seen = b[at+1:], 1
			continue
		}
		switch c := b[0]; {
		case d.seen == 3 && c != '\n':
			return true
		case c == '\n':
			d.seen = 1
		case d.seen == 1 && c == '.', d.seen == 2 && c == '\r':
			d.seen++
		default:
			d.seen = 0
		}
		b = b[1:]
	}
	return false
}
