package imapd

import (
	"bytes"
	"io"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox/imapd/wire"
)

// errUnknownCTE answers BINARY of a part whose transfer encoding nobody knows
// (RFC 9051, 6.4.5).
var errUnknownCTE = no(imap.ResponseCodeUnknownCTE, "The encoding of a part is not known: fetch it with BODY")

// binarySection is a part without its transfer encoding. It is decoded once to
// learn its size, and again to be told, so that none of it is held.
type binarySection struct {
	body     content
	piece    piece
	encoding string

	size int64
	nul  bool // it holds NUL, which only a literal8 may
}

// binary returns the part that a section names, or false where there is none.
func (m *opened) binary(s *wire.Section) (*binarySection, bool, error) {
	root, err := m.structure()
	if err != nil {
		return nil, false, err
	}
	p := root.Find(s.Part...)
	if p == nil {
		return nil, false, nil
	}
	b := &binarySection{piece: piece{p.BodyStart, p.Size()}, encoding: p.Encoding}
	if len(s.Part) == 0 {
		b.piece = piece{0, root.End}
	}
	if len(s.Part) == 0 || p.IsMultipart() || p.IsMessage() {
		b.encoding = "binary"
	}
	if !decodable(b.encoding) {
		return nil, false, errUnknownCTE
	}
	if b.body, err = m.body(); err != nil {
		return nil, false, err
	}
	if s.Kind == wire.SectionBinarySize && b.encoding != "base64" && b.encoding != "quoted-printable" {
		b.size = b.piece.n
		return b, true, nil
	}
	return b, true, b.measure()
}

// measure decodes the part for its size.
func (b *binarySection) measure() error {
	r, err := b.open(0)
	if err != nil {
		return err
	}
	defer r.Close()
	var buf [4096]byte
	for {
		n, err := r.Read(buf[:])
		b.size += int64(n)
		b.nul = b.nul || bytes.IndexByte(buf[:n], 0) >= 0
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// open returns the decoded octets from skip on.
func (b *binarySection) open(skip int64) (io.ReadCloser, error) {
	raw := b.body.Section(b.piece.off, b.piece.n)
	r := struct {
		io.Reader
		io.Closer
	}{decode(b.encoding, raw), raw}
	if _, err := io.CopyN(io.Discard, r.Reader, skip); err != nil {
		raw.Close()
		return nil, err
	}
	return r, nil
}
