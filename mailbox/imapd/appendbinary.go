package imapd

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/restante/restante/internal/mime"
)

// A message with NUL can't be fetched again as it is, for no literal holds NUL. A
// client may append one as literal8 all the same (RFC 3516, 4.4): its binary parts
// are then put into base64, as the standard permits.

// errNotBinary says that NUL stands where no transfer encoding helps.
var errNotBinary = errors.New("NUL outside of the binary parts")

// patch is a range of a message that is to be read differently.
type patch struct {
	from, to int64
	with     func(io.Reader) io.Reader
}

// withoutNUL returns a message with its binary parts in base64. The error is
// errNotBinary if NUL would remain.
func withoutNUL(raw io.ReaderAt, m *mime.Message) (io.Reader, error) {
	var patches []patch
	if err := encodeParts(raw, m.Root, &patches); err != nil {
		return nil, err
	}
	return patched(raw, m.Size, patches), nil
}

// encodeParts notes what has to change of a part and those in it.
func encodeParts(raw io.ReaderAt, p *mime.Part, patches *[]patch) error {
	if len(p.Parts) > 0 {
		for _, part := range p.Parts {
			if err := encodeParts(raw, part, patches); err != nil {
				return err
			}
		}
		return nil
	}
	body := io.NewSectionReader(raw, p.BodyStart, p.Size())
	if nul, err := holdsNUL(body); err != nil || !nul {
		return err
	}
	if p.Encoding != "binary" {
		return errNotBinary
	}
	*patches = append(*patches,
		patch{p.HeaderStart, p.BodyStart, sayBase64},
		patch{p.BodyStart, p.End, inBase64})
	return nil
}

func holdsNUL(r io.Reader) (bool, error) {
	var buf [4096]byte
	for {
		n, err := r.Read(buf[:])
		if bytes.IndexByte(buf[:n], 0) >= 0 {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// patched reads a message of that size with its patches, which ascend.
func patched(raw io.ReaderAt, size int64, patches []patch) io.Reader {
	var pieces []io.Reader
	at := int64(0)
	for _, p := range patches {
		pieces = append(pieces, io.NewSectionReader(raw, at, p.from-at), p.with(io.NewSectionReader(raw, p.from, p.to-p.from)))
		at = p.to
	}
	return io.MultiReader(append(pieces, io.NewSectionReader(raw, at, size-at))...)
}

// sayBase64 reads a header with another transfer encoding.
func sayBase64(r io.Reader) io.Reader {
	block, err := io.ReadAll(r)
	if err != nil {
		return broken{err}
	}
	var out []byte
	for f := range mime.Fields(block) {
		if strings.EqualFold(f.Name, "Content-Transfer-Encoding") {
			out = append(out, "Content-Transfer-Encoding: base64\r\n"...)
			continue
		}
		out = append(out, f.Raw...)
	}
	return bytes.NewReader(append(out, "\r\n"...))
}

// base64Line is how many octets a line of 76 characters holds.
const base64Line = 57

// inBase64 reads what r holds in lines of base64. The line end behind the last one is
// the boundary's.
func inBase64(r io.Reader) io.Reader { return &base64Lines{src: r} }

type base64Lines struct {
	src  io.Reader
	line []byte // that is being read
	more bool   // a line came before
	err  error
}

// Read implements io.Reader.
func (b *base64Lines) Read(p []byte) (int, error) {
	for len(b.line) == 0 && b.err == nil {
		b.fill()
	}
	n := copy(p, b.line)
	b.line = b.line[n:]
	if n == 0 {
		return 0, b.err
	}
	return n, nil
}

func (b *base64Lines) fill() {
	var in [base64Line]byte
	n, err := io.ReadFull(b.src, in[:])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	b.err = err
	if n == 0 {
		return
	}
	if b.more {
		b.line = append(b.line[:0], "\r\n"...)
	}
	b.line = base64.StdEncoding.AppendEncode(b.line, in[:n])
	b.more = true
}

// broken is a reader that fails.
type broken struct{ err error }

// Read implements io.Reader.
func (b broken) Read([]byte) (int, error) { return 0, b.err }
