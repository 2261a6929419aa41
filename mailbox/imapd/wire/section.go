package wire

import (
	"math"

	"github.com/emersion/go-imap/v2"
)

// A SectionKind tells which data item asks for a section; the answer bears the
// same name.
type SectionKind uint8

const (
	SectionBody         SectionKind = iota // BODY[…]
	SectionBinary                          // BINARY[…]
	SectionBinarySize                      // BINARY.SIZE[…]
	SectionRFC822                          // RFC822, the same as BODY[]
	SectionRFC822Header                    // RFC822.HEADER, the same as BODY.PEEK[HEADER]
	SectionRFC822Text                      // RFC822.TEXT, the same as BODY[TEXT]
)

// A Section is a part of a message's content that a FETCH asks for. Where a
// Partial is set, Offset+Size does not overflow.
type Section struct {
	Kind SectionKind
	imap.FetchItemBodySection
}

// legacySections are the items of RFC 3501 that stand for a section.
var legacySections = map[string]Section{
	"RFC822": {Kind: SectionRFC822},
	"RFC822.HEADER": {Kind: SectionRFC822Header, FetchItemBodySection: imap.FetchItemBodySection{
		Specifier: imap.PartSpecifierHeader, Peek: true}},
	"RFC822.TEXT": {Kind: SectionRFC822Text, FetchItemBodySection: imap.FetchItemBodySection{
		Specifier: imap.PartSpecifierText}},
}

// bracketSections are the items that a "[" follows.
var bracketSections = map[string]Section{
	"BODY":        {Kind: SectionBody},
	"BODY.PEEK":   {Kind: SectionBody, FetchItemBodySection: imap.FetchItemBodySection{Peek: true}},
	"BINARY":      {Kind: SectionBinary},
	"BINARY.PEEK": {Kind: SectionBinary, FetchItemBodySection: imap.FetchItemBodySection{Peek: true}},
	"BINARY.SIZE": {Kind: SectionBinarySize, FetchItemBodySection: imap.FetchItemBodySection{Peek: true}},
}

// section reads "[" … "]" and the partial range that may follow.
func (d *Decoder) section(s Section) Section {
	d.Expect('[')
	d.sectionSpec(&s)
	d.Expect(']')
	if s.Kind != SectionBinarySize && d.Special('<') {
		s.Partial = d.sectionPartial()
		d.Expect('>')
	}
	return s
}

// sectionSpec reads part numbers and then, outside BINARY, what of the part.
func (d *Decoder) sectionSpec(s *Section) {
	for d.err == nil && class[d.Peek()]&charDigit != 0 {
		if len(s.Part) == d.r.opt.MaxDepth {
			d.setErr(&LimitError{What: "part numbers", Max: int64(d.r.opt.MaxDepth)})
			return
		}
		s.Part = append(s.Part, int(d.NzNumber()))
		if !d.Special('.') {
			return
		}
		if class[d.Peek()]&charDigit == 0 {
			d.sectionText(s)
			return
		}
	}
	if d.Peek() != ']' {
		d.sectionText(s)
	}
}

// sectionText reads section-text: HEADER, HEADER.FIELDS, TEXT or MIME.
func (d *Decoder) sectionText(s *Section) {
	at := d.pos
	word := d.word("a section")
	switch {
	case s.Kind != SectionBody:
		d.failAt(at, "part numbers only")
	case word == "HEADER":
		s.Specifier = imap.PartSpecifierHeader
	case word == "TEXT":
		s.Specifier = imap.PartSpecifierText
	case word == "MIME" && len(s.Part) > 0:
		s.Specifier = imap.PartSpecifierMIME
	case word == "HEADER.FIELDS":
		s.Specifier = imap.PartSpecifierHeader
		s.HeaderFields = d.headerList()
	case word == "HEADER.FIELDS.NOT":
		s.Specifier = imap.PartSpecifierHeader
		s.HeaderFieldsNot = d.headerList()
	default:
		d.failAt(at, "a section")
	}
}

// headerList reads SP "(" header-fld-name … ")".
func (d *Decoder) headerList() []string {
	d.SP()
	var names []string
	d.List(func() { names = append(names, d.Astring()) })
	if len(names) == 0 {
		d.fail("the name of a header field")
	}
	return names
}

// sectionPartial reads number64 "." nz-number64. The size is cut so that its
// end can be computed.
func (d *Decoder) sectionPartial() *imap.SectionPartial {
	offset := d.Number64()
	d.Expect('.')
	size := d.Number64()
	if size == 0 {
		d.fail("a number above zero")
	}
	return &imap.SectionPartial{Offset: offset, Size: min(size, math.MaxInt64-offset)}
}

// sectionNames are the names of data items in a response.
var sectionNames = [...]string{
	SectionBody: "BODY", SectionBinary: "BINARY", SectionBinarySize: "BINARY.SIZE",
	SectionRFC822: "RFC822", SectionRFC822Header: "RFC822.HEADER", SectionRFC822Text: "RFC822.TEXT",
}

// Section writes a section as a FETCH command asks for it.
func (e *Encoder) Section(s *Section) {
	e.sep()
	e.b = append(e.b, sectionNames[s.Kind]...)
	if s.Kind > SectionBinarySize {
		return
	}
	if s.Peek && s.Kind != SectionBinarySize {
		e.b = append(e.b, ".PEEK"...)
	}
	e.sectionSpec(s)
	if s.Partial != nil && s.Kind != SectionBinarySize {
		e.b = appendInt(append(e.b, '<'), s.Partial.Offset)
		e.b = appendInt(append(e.b, '.'), s.Partial.Size)
		e.b = append(e.b, '>')
	}
}

// SectionLabel writes the name of a section as a FETCH response bears it, with
// the origin but not the size of a partial one.
func (e *Encoder) SectionLabel(s *Section) {
	e.sep()
	e.b = append(e.b, sectionNames[s.Kind]...)
	if s.Kind > SectionBinarySize {
		return
	}
	e.sectionSpec(s)
	if s.Partial != nil && s.Kind != SectionBinarySize {
		e.b = append(appendInt(append(e.b, '<'), s.Partial.Offset), '>')
	}
}

func (e *Encoder) sectionSpec(s *Section) {
	e.b = append(e.b, '[')
	for i, n := range s.Part {
		if i > 0 {
			e.b = append(e.b, '.')
		}
		e.b = appendInt(e.b, int64(n))
	}
	if s.Specifier != imap.PartSpecifierNone {
		if len(s.Part) > 0 {
			e.b = append(e.b, '.')
		}
		e.b = append(e.b, s.Specifier...)
		e.headerList(".FIELDS", s.HeaderFields)
		e.headerList(".FIELDS.NOT", s.HeaderFieldsNot)
	}
	e.b = append(e.b, ']')
}

func (e *Encoder) headerList(word string, names []string) {
	if len(names) == 0 {
		return
	}
	e.b = append(e.b, word...)
	e.Open()
	for _, n := range names {
		e.Astring(n)
	}
	e.Close()
}
