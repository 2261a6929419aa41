package pgp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// armorReader reads ASCII armor that has been through other hands: text around the block, header lines of any kind,
// lines of any length and blanks at their ends are no reason to lose a message, and neither is the checksum (RFC 9580,
// 6.1: an object must not be refused for it). What was altered shows when the data is decrypted. The gate's reader is
// the strict one, dearmorer.
type armorReader struct {
	r      *bufio.Reader
	quad   []byte // characters of a group of four that the end of a line cut
	buf    []byte // decoded, reused
	rest   []byte // of buf, not read yet
	padded bool   // padding has come, so no data may follow
	err    error  // how it ended
}

const (
	armorReadBuffer = 4 << 10
	armorReadAhead  = 8 << 10 // also the longest line of data
)

var errArmorBroken = fmt.Errorf("%w: the armor has a line that is not base64", ErrDamaged)

// openArmor finds the first armored block in r, whose buffer has at least armorReadAhead octets, and returns what it
// says it is and its data. It fails with io.EOF if there is none. As the packets inside prove that they are complete,
// data without a tail line is read to its end.
func openArmor(r *bufio.Reader) (kind string, data io.Reader, err error) {
	for {
		line, err := armorText(r)
		if err != nil {
			return "", nil, err
		}
		name, ok := bytes.CutPrefix(line, []byte("-----BEGIN "))
		name, dashes := bytes.CutSuffix(name, []byte("-----"))
		if !ok || !dashes || len(name) == 0 {
			continue
		}
		kind := string(name)
		found, err := skipArmorHeader(r)
		if err != nil {
			return "", nil, err
		}
		if found {
			return kind, &armorReader{r: r}, nil
		}
	}
}

// skipArmorHeader reads up to the blank line before the data, and reports whether it came: other text is no header.
func skipArmorHeader(r *bufio.Reader) (found bool, err error) {
	for {
		line, err := armorText(r)
		if err != nil || len(line) == 0 {
			return err == nil, err
		}
		if !bytes.Contains(line, []byte(":")) {
			return false, nil
		}
	}
}

// armorText returns the next line without the blanks around it. Of a line that is longer than the buffer it returns
// the beginning.
func armorText(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	return bytes.TrimSpace(line), err
}

// Read returns data. Errors wrap ErrDamaged or come from the underlying reader.
func (a *armorReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		a.fill()
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// fill decodes the lines that are at hand, at least one and not many more than armorReadBuffer has room for.
func (a *armorReader) fill() {
	a.buf = a.buf[:0]
	for a.err == nil && len(a.buf) < armorReadBuffer && (len(a.buf) == 0 || a.r.Buffered() > 0) {
		line, err := a.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			a.err = errArmorBroken
		case err == nil || err == io.EOF:
			a.err = a.line(bytes.TrimSpace(line))
		}
		if a.err == nil {
			a.err = err
		}
	}
	if a.err == io.EOF && len(a.quad) > 0 {
		a.err = errArmorBroken
	}
	a.rest = a.buf
}

// line decodes one line of data. The checksum and the tail are io.EOF.
func (a *armorReader) line(line []byte) error {
	switch {
	case len(line) == 0:
		return nil
	case line[0] == '-', line[0] == '=' && len(a.quad) == 0:
		return io.EOF
	case a.padded:
		return errArmorBroken
	}
	if len(a.quad) > 0 || len(line)%4 != 0 {
		a.quad = append(a.quad, line...)
		whole := len(a.quad) / 4 * 4
		line = a.quad[:whole]
		a.quad = a.quad[whole:]
	}
	before := len(a.buf)
	var err error
	if a.buf, err = base64.StdEncoding.AppendDecode(a.buf, line); err != nil {
		return errArmorBroken
	}
	a.padded = len(a.buf)-before < len(line)/4*3
	return nil
}
