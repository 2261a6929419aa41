package imapd

import (
	"io"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// content is the text of a message: a mailbox.Body.
type content interface {
	io.ReaderAt
	Size() int64
	Section(off, n int64) io.ReadCloser
	Close() error
}

// piece is where in a message the octets of a section lie.
type piece struct{ off, n int64 }

// locateWhole returns the piece of a section without part numbers. It needs no
// part tree.
func locateWhole(h *mime.Head, what imap.PartSpecifier) piece {
	switch what {
	case imap.PartSpecifierHeader:
		return piece{0, h.HeaderLen}
	case imap.PartSpecifierText:
		return piece{h.HeaderLen, h.Size - h.HeaderLen}
	}
	return piece{0, h.Size}
}

// locatePart returns the piece of a section with part numbers (RFC 9051,
// 6.4.5.1), or false where the message has none: HEADER and TEXT are of embedded
// messages only.
func locatePart(root *mime.Part, s *wire.Section) (piece, bool) {
	p := root.Find(s.Part...)
	if p == nil {
		return piece{}, false
	}
	switch s.Specifier {
	case imap.PartSpecifierNone:
		return piece{p.BodyStart, p.Size()}, true
	case imap.PartSpecifierMIME:
		return headerOf(p), true
	}
	if !p.IsMessage() {
		return piece{}, false
	}
	inner := p.Parts[0]
	if s.Specifier == imap.PartSpecifierHeader {
		return headerOf(inner), true
	}
	return piece{inner.BodyStart, inner.Size()}, true
}

func headerOf(p *mime.Part) piece { return piece{p.HeaderStart, p.BodyStart - p.HeaderStart} }

// cut returns the part of p that a partial FETCH asks for. Beyond the end there
// are no octets, and that is no error.
func (p piece) cut(part *imap.SectionPartial) piece {
	if part == nil {
		return p
	}
	skip := min(part.Offset, p.n)
	return piece{p.off + skip, min(part.Size, p.n-skip)}
}

// cutBytes is cut for a section that is in memory.
func cutBytes(b []byte, part *imap.SectionPartial) []byte {
	p := piece{0, int64(len(b))}.cut(part)
	return b[p.off : p.off+p.n]
}

// asksForFields reports whether a section is HEADER.FIELDS or HEADER.FIELDS.NOT.
func asksForFields(s *wire.Section) bool {
	return len(s.HeaderFields) > 0 || len(s.HeaderFieldsNot) > 0
}

// readHeader reads the header block at p, as far as the rest of the program looks
// at headers: what lies beyond is as if absent (internal/mime).
func readHeader(body io.ReaderAt, p piece) ([]byte, error) {
	block := make([]byte, min(p.n, mime.DefaultMaxHeader))
	if n, err := body.ReadAt(block, p.off); n < len(block) {
		return nil, err
	}
	return block, nil
}

// pickFields returns the fields of a header block that a section names, or all
// others, in their order, and the blank line that ends a header.
func pickFields(block []byte, s *wire.Section) []byte {
	wanted, names := len(s.HeaderFields) > 0, s.HeaderFields
	if !wanted {
		names = s.HeaderFieldsNot
	}
	var out []byte
	for f := range mime.Fields(block) {
		if f.Name != "" && named(f, names) == wanted {
			out = appendField(out, f)
		}
	}
	return append(out, "\r\n"...)
}

// appendField appends a field with its line end, which the last line of a message
// may lack.
func appendField(b []byte, f mime.Field) []byte {
	b = append(b, f.Raw...)
	if b[len(b)-1] != '\n' {
		b = append(b, "\r\n"...)
	}
	return b
}

func named(f mime.Field, names []string) bool {
	for _, n := range names {
		if f.Is(n) {
			return true
		}
	}
	return false
}
