package pgp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

// dearmorer reads ASCII armor (RFC 9580, 6.2) strictly, as the gate wants it: one block, nothing but blank lines around
// it, header lines only with values that carry no message, base64 in its only spelling, a checksum that is right if it
// is there. What it decodes goes to a writer. Any way of cutting the input into writes gives the same result.
type dearmorer struct {
	w      io.Writer
	kind   string
	state  armorState
	crc    crc24
	padded bool // a line with padding has come, so data has ended
	heads  int  // header lines so far

	line []byte              // the beginning of a line that is still incomplete
	out  [dearmorBuffer]byte // decoded and not handed on yet
	used int
}

type armorState byte

const (
	armorBefore armorState = iota // before the first line
	armorHeader                   // up to the blank line
	armorBody
	armorSum // after the checksum
	armorAfter
)

const (
	maxArmorLine = 1000 // of any line; a header line may be longer than the 76 characters of data
	maxArmorData = 76   // RFC 9580, 6.2

	maxArmorHeaders = 4
	dearmorBuffer   = 3 << 9
)

var (
	errArmorStart = errors.New("the encrypted part does not begin with an armor header line, or has text before it")
	errArmorEnd   = errors.New("the encrypted part does not end with the armor tail line")
	errArmorAfter = errors.New("there is something after the end of the armor")
	errArmorData  = errors.New("the armor has a line that is not base64")
	errArmorSum   = errors.New("the armor's checksum is wrong")
	errArmorLong  = errors.New("the armor has a line that is too long")
)

// reset makes the zero value ready for a block of the kind.
func (d *dearmorer) reset(w io.Writer, kind string) {
	d.w, d.kind, d.crc = w, kind, crc24Start
}

// Write takes armor. An error is what is wrong with it, or the writer's.
func (d *dearmorer) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return n, d.keep(b)
		}
		line := b[:i]
		if len(d.line) > 0 {
			if err := d.keep(line); err != nil {
				return 0, err
			}
			line, d.line = d.line, d.line[:0]
		}
		if err := d.take(trimCR(line)); err != nil {
			return 0, err
		}
		b = b[i+1:]
	}
}

// keep adds to the incomplete line.
func (d *dearmorer) keep(b []byte) error {
	if len(d.line)+len(b) > maxArmorLine {
		return errArmorLong
	}
	d.line = append(d.line, b...)
	return nil
}

// Close ends the armor. It does not close the writer.
func (d *dearmorer) Close() error {
	if len(d.line) > 0 {
		line := d.line
		d.line = nil
		if err := d.take(trimCR(line)); err != nil {
			return err
		}
	}
	switch d.state {
	case armorBefore:
		return errArmorStart
	case armorAfter:
		return nil
	}
	return errArmorEnd
}

// take reads one line without its end.
func (d *dearmorer) take(line []byte) error {
	switch d.state {
	case armorBefore:
		return d.before(line)
	case armorHeader:
		return d.header(line)
	case armorBody:
		return d.body(line)
	case armorSum:
		return d.tail(line)
	}
	if !blank(line) {
		return errArmorAfter
	}
	return nil
}

func (d *dearmorer) before(line []byte) error {
	switch {
	case blank(line):
		return nil
	case d.isMark(line, "BEGIN"):
		d.state = armorHeader
		return nil
	}
	return errArmorStart
}

func (d *dearmorer) header(line []byte) error {
	if blank(line) {
		d.state = armorBody
		return nil
	}
	if d.heads++; d.heads > maxArmorHeaders {
		return errArmorHeader
	}
	return checkArmorHeader(line)
}

// body decodes a line of data, or takes the checksum or the tail.
func (d *dearmorer) body(line []byte) error {
	if len(line) > 0 && (line[0] == '=' || line[0] == '-') {
		return d.bodyEnd(line)
	}
	if len(line) > maxArmorData {
		return errArmorLong
	}
	if len(line)%4 != 0 || len(line) == 0 || d.padded {
		return errArmorData
	}
	if len(d.out)-d.used < len(line) {
		if err := d.flush(); err != nil {
			return err
		}
	}
	n, err := strictBase64.Decode(d.out[d.used:], line)
	if err != nil {
		return errArmorData
	}
	d.used += n
	d.padded = n < len(line)/4*3
	return nil
}

// strictBase64 takes no second spelling of the same octets.
var strictBase64 = base64.StdEncoding.Strict()

// bodyEnd takes what follows the data.
func (d *dearmorer) bodyEnd(line []byte) error {
	if err := d.flush(); err != nil {
		return err
	}
	if line[0] == '-' {
		return d.tail(line)
	}
	var sum [3]byte
	if len(line) != 5 {
		return errArmorData
	}
	if n, err := strictBase64.Decode(sum[:], line[1:]); err != nil || n != len(sum) {
		return errArmorData
	}
	if sum != d.crc.sum() {
		return errArmorSum
	}
	d.state = armorSum
	return nil
}

func (d *dearmorer) tail(line []byte) error {
	if !d.isMark(line, "END") {
		return errArmorEnd
	}
	d.state = armorAfter
	return nil
}

// flush hands on what is decoded.
func (d *dearmorer) flush() error {
	b := d.out[:d.used]
	d.used = 0
	d.crc = d.crc.update(b)
	_, err := d.w.Write(b)
	return err
}

// isMark reports whether line is "-----BEGIN PGP MESSAGE-----" or its END.
func (d *dearmorer) isMark(line []byte, word string) bool {
	rest, dashes := bytes.CutPrefix(line, []byte("-----"))
	rest, words := bytes.CutPrefix(rest, []byte(word))
	return dashes && words && string(rest) == " "+d.kind+"-----"
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// blank reports whether there are only blanks in b.
func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}
