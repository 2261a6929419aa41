package imapd

import (
	"bytes"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// tellsFlags reports whether the response tells the flags: also when the FETCH
// itself has changed them (RFC 9051, 6.4.5).
func (f *fetching) tellsFlags(row mailbox.Row) bool {
	return f.Items.Has(wire.FetchFlags) || f.seen[row.UID]
}

// start begins the response and writes what the table knows.
func (f *fetching) start(number uint32, row mailbox.Row) {
	flags := f.tellsFlags(row)
	var names []imap.Flag
	if flags {
		names = f.flagNames(row)
	}
	f.startFetch(number, row.UID, f.Items.Has(wire.FetchUID))
	if f.enabled.uidOnly && f.Items.Has(wire.FetchUID) { // RFC 9586, 3.3: once more if asked for
		f.writeUID(row.UID)
	}
	if flags {
		f.w.Word("FLAGS")
		f.w.Flags(names)
	}
	if f.Items.Has(wire.FetchModSeq) || flags && f.enabled.condstore {
		f.writeModSeq(row.ModSeq)
	}
}

// finish completes the response.
func (f *fetching) finish(row mailbox.Row) {
	f.sent(f.w.EndFetch())
	if f.tellsFlags(row) {
		f.sel.tells(row)
	}
}

// items writes what the sealed envelope data tells, and what the row does.
func (f *fetching) items(m *opened) error {
	if f.Items.Has(wire.FetchSaveDate) {
		f.w.Word("SAVEDATE")
		f.w.DateTime(timeOf(m.item.Saved))
	}
	if f.Items.Has(wire.FetchEmailID) {
		f.w.Word("EMAILID")
		f.w.Open()
		f.w.Atom(m.item.ID())
		f.w.Close()
	}
	if f.Items.Has(wire.FetchThreadID) { // encrypted mail has no thread here (DESIGN §8.17)
		f.w.Word("THREADID NIL")
	}
	if f.Items.Has(wire.FetchPreview) { // nor a preview
		f.w.Word(`PREVIEW ""`)
	}
	if err := f.infoItems(m); err != nil {
		return err
	}
	return f.structureItems(m)
}

func (f *fetching) infoItems(m *opened) error {
	if f.Items&(wire.FetchInternalDate|wire.FetchSize|wire.FetchEnvelope) == 0 {
		return nil
	}
	info, err := m.info()
	if err != nil {
		return err
	}
	if f.Items.Has(wire.FetchInternalDate) {
		f.w.Word("INTERNALDATE")
		f.w.DateTime(info.Date)
	}
	if f.Items.Has(wire.FetchSize) {
		f.w.Word("RFC822.SIZE")
		f.w.Number(uint64(info.Size))
	}
	if f.Items.Has(wire.FetchEnvelope) {
		f.w.Word("ENVELOPE")
		f.w.Envelope(&info.Envelope)
	}
	return nil
}

func (f *fetching) structureItems(m *opened) error {
	if f.Items&(wire.FetchBody|wire.FetchBodyStructure) == 0 {
		return nil
	}
	root, err := m.structure()
	if err != nil {
		return err
	}
	if f.Items.Has(wire.FetchBody) {
		f.w.Word("BODY")
		f.w.Body(root)
	}
	if f.Items.Has(wire.FetchBodyStructure) {
		f.w.Word("BODYSTRUCTURE")
		f.w.BodyStructure(root)
	}
	return nil
}

// sections writes the sections, each from the message as it streams by.
func (f *fetching) sections(m *opened) error {
	for i := range f.Sections {
		if err := f.section(m, &f.Sections[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetching) section(m *opened, s *wire.Section) error {
	switch {
	case s.Kind == wire.SectionBinary || s.Kind == wire.SectionBinarySize:
		return f.binary(m, s)
	case asksForFields(s):
		return f.fields(m, s)
	}
	p, ok, err := m.locate(s)
	if err != nil {
		return err
	}
	f.w.SectionLabel(s)
	if !ok {
		f.w.Nil()
		return nil
	}
	p = p.cut(s.Partial)
	body, err := m.body()
	if err != nil {
		return err
	}
	r := body.Section(p.off, p.n)
	defer r.Close()
	return f.w.Literal(r, p.n)
}

// locate finds the octets of a section, or false where there is no such part. For
// those of the whole message, the body alone is opened.
func (m *opened) locate(s *wire.Section) (piece, bool, error) {
	if len(s.Part) == 0 && s.Specifier == imap.PartSpecifierNone {
		body, err := m.body()
		if err != nil {
			return piece{}, false, err
		}
		return piece{0, body.Size()}, true, nil
	}
	if len(s.Part) == 0 {
		info, err := m.info()
		if err != nil {
			return piece{}, false, err
		}
		return locateWhole(&info.Head, s.Specifier), true, nil
	}
	root, err := m.structure()
	if err != nil {
		return piece{}, false, err
	}
	p, ok := locatePart(root, s)
	return p, ok, nil
}

// fields writes some fields of a header.
func (f *fetching) fields(m *opened, s *wire.Section) error {
	block, ok, err := m.fieldsOf(s)
	if err != nil {
		return err
	}
	f.w.SectionLabel(s)
	if !ok {
		f.w.Nil()
		return nil
	}
	picked := cutBytes(pickFields(block, s), s.Partial)
	return f.w.Literal(bytes.NewReader(picked), int64(len(picked)))
}

// fieldsOf returns the header block that a section is about. If the fields it
// names are all kept beside the envelope, these do, and no body is opened: that is
// what Delta Chat fetches of each new message.
func (m *opened) fieldsOf(s *wire.Section) (block []byte, ok bool, err error) {
	if len(s.Part) == 0 {
		info, err := m.info()
		if err != nil {
			return nil, false, err
		}
		if info.KeptAll && allKept(s) {
			for _, field := range info.Kept {
				block = append(block, field.Raw...)
			}
			return block, true, nil
		}
		block, err = m.headerBlock()
		return block, err == nil, err
	}
	p, ok, err := m.locate(s)
	if err != nil || !ok {
		return nil, false, err
	}
	body, err := m.body()
	if err != nil {
		return nil, false, err
	}
	block, err = readHeader(body, p)
	return block, err == nil, err
}

// opensBodies reports whether the FETCH opens the body of most messages.
func (f *fetching) opensBodies() bool {
	return slices.ContainsFunc(f.Sections, func(s wire.Section) bool { return len(s.Part) > 0 || !allKept(&s) })
}

// allKept reports whether a section names only fields that are kept.
func allKept(s *wire.Section) bool {
	for _, name := range s.HeaderFields {
		if !mailbox.KeepsField(name) {
			return false
		}
	}
	return len(s.HeaderFields) > 0
}

// binary writes BINARY and BINARY.SIZE: a part without its transfer encoding
// (RFC 9051, 6.4.5; RFC 3516). A part that holds others has none, and neither has
// the message as a whole.
func (f *fetching) binary(m *opened, s *wire.Section) error {
	b, ok, err := m.binary(s)
	if err != nil {
		return err
	}
	f.w.SectionLabel(s)
	switch {
	case !ok && s.Kind == wire.SectionBinarySize: // a number by the grammar (RFC 9051, 9)
		f.w.Number(0)
		return nil
	case !ok:
		f.w.Nil()
		return nil
	case s.Kind == wire.SectionBinarySize:
		f.w.Number(uint64(b.size))
		return nil
	}
	p := piece{0, b.size}.cut(s.Partial)
	r, err := b.open(p.off)
	if err != nil {
		return err
	}
	defer r.Close()
	if b.nul {
		return f.w.Literal8(io.LimitReader(r, p.n), p.n)
	}
	return f.w.Literal(io.LimitReader(r, p.n), p.n)
}
