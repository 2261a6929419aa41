package mime

import (
	"encoding/binary"
	"slices"
)

// The binary form is what the sealed envelope of a stored message holds:
//
//	version    1 octet
//	head       length, then Size, HeaderLen, flags, Kept, Envelope
//	tree       the root part, each part followed by its children
//
// Numbers are varints in their shortest form. Strings and the head carry their length before them, so that a listing
// reads the head and never looks at the tree. Defects and Part.Header are not in it: they served the gate.
const binaryVersion = 1

// Flags of the head.
const (
	flagKeptAll = 1 << iota
	headFlags
)

// Flags of an envelope.
const (
	flagTime = 1 << iota
	flagSenderIsFrom
	flagReplyToIsFrom
	envelopeFlags
)

// AppendBinary appends the binary form of m to dst. ParseBinary and ParseHead read it.
func (m *Message) AppendBinary(dst []byte) []byte {
	head := appendHead(nil, &m.Head)
	dst = append(dst, binaryVersion)
	dst = binary.AppendUvarint(dst, uint64(len(head)))
	dst = append(dst, head...)
	return appendPart(dst, m.Root)
}

func appendHead(b []byte, h *Head) []byte {
	b = binary.AppendUvarint(b, uint64(h.Size))
	b = binary.AppendUvarint(b, uint64(h.HeaderLen))
	flags := byte(0)
	if h.KeptAll {
		flags |= flagKeptAll
	}
	b = append(b, flags)
	kept := 0
	for _, f := range h.Kept {
		kept += len(f.Raw)
	}
	b = binary.AppendUvarint(b, uint64(len(h.Kept)))
	b = binary.AppendUvarint(b, uint64(kept))
	for _, f := range h.Kept {
		b = append(b, f.Raw...)
	}
	return appendEnvelope(b, &h.Envelope)
}

func appendEnvelope(b []byte, e *Envelope) []byte {
	flags := byte(0)
	if !e.Time.IsZero() {
		flags |= flagTime
	}
	if slices.Equal(e.Sender, e.From) {
		flags |= flagSenderIsFrom
	}
	if slices.Equal(e.ReplyTo, e.From) {
		flags |= flagReplyToIsFrom
	}
	b = append(b, flags)
	if flags&flagTime != 0 {
		_, offset := e.Time.Zone()
		b = binary.AppendVarint(b, e.Time.Unix())
		b = binary.AppendVarint(b, int64(offset/60))
	}
	for _, s := range []string{e.Date, e.Subject, e.InReplyTo, e.MessageID} {
		b = appendString(b, s)
	}
	lists := e.storedLists(flags)
	total := 0
	for _, l := range lists {
		total += len(*l)
	}
	b = binary.AppendUvarint(b, uint64(total))
	for _, l := range lists {
		b = appendAddresses(b, *l)
	}
	return b
}

// storedLists returns the address lists that are written out under these flags, in their order.
func (e *Envelope) storedLists(flags byte) []*[]Address {
	lists := make([]*[]Address, 0, 6)
	lists = append(lists, &e.From, &e.To, &e.Cc, &e.Bcc)
	if flags&flagSenderIsFrom == 0 {
		lists = append(lists, &e.Sender)
	}
	if flags&flagReplyToIsFrom == 0 {
		lists = append(lists, &e.ReplyTo)
	}
	return lists
}

func appendAddresses(b []byte, list []Address) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, a := range list {
		b = appendString(b, a.Name)
		b = appendString(b, a.Mailbox)
		b = appendString(b, a.Host)
		b = appendString(b, a.Route)
	}
	return b
}

func appendPart(b []byte, p *Part) []byte {
	for _, s := range p.strings() {
		b = appendString(b, *s)
	}
	b = appendParams(b, p.Params)
	b = appendParams(b, p.DispositionParams)
	b = binary.AppendUvarint(b, uint64(len(p.Language)))
	for _, tag := range p.Language {
		b = appendString(b, tag)
	}
	for _, n := range []int64{p.HeaderStart, p.BodyStart - p.HeaderStart, p.End - p.BodyStart, p.Lines} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if p.IsMessage() {
		b = appendEnvelope(b, p.Envelope)
	}
	if p.IsMultipart() {
		b = binary.AppendUvarint(b, uint64(len(p.Parts)))
	}
	for _, q := range p.Parts {
		b = appendPart(b, q)
	}
	return b
}

// strings returns the single strings of a part in the order of the binary form.
func (p *Part) strings() []*string {
	return []*string{&p.Type, &p.Subtype, &p.Disposition, &p.ID, &p.Description, &p.Encoding, &p.MD5, &p.Location}
}

func appendParams(b []byte, ps Params) []byte {
	b = binary.AppendUvarint(b, uint64(len(ps)))
	for _, p := range ps {
		b = appendString(b, p.Name)
		b = appendString(b, p.Value)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
