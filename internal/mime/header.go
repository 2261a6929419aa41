package mime

import (
	"encoding/binary"
	"strings"
)

// field numbers of those that the walk reads; each may occur once.
type fieldID int

const (
	fieldOther fieldID = iota
	fieldFrom
	fieldMIMEVersion
	fieldContentType
	fieldEncoding
	fieldDisposition
	fieldContentID
	fieldDescription
	fieldMD5
	fieldLanguage
	fieldLocation
	fieldContentOther // a Content-* field of no meaning here
	fieldDate
	fieldSubject
	fieldMessageID
	fieldInReplyTo
	fieldReferences
	fieldSender
	fieldReplyTo
	fieldTo
	fieldCc
	fieldBcc
	numFields = iota
)

// identify tells which field has this name, without allocating.
func identify(name []byte) fieldID {
	var buf [32]byte
	if len(name) > len(buf) {
		return fieldOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	if id, ok := fieldIDs[string(buf[:len(name)])]; ok {
		return id
	}
	if strings.HasPrefix(string(buf[:len(name)]), "content-") {
		return fieldContentOther
	}
	return fieldOther
}

var fieldIDs = map[string]fieldID{
	"from": fieldFrom, "mime-version": fieldMIMEVersion, "content-type": fieldContentType,
	"content-transfer-encoding": fieldEncoding, "content-disposition": fieldDisposition, "content-id": fieldContentID,
	"content-description": fieldDescription, "content-md5": fieldMD5, "content-language": fieldLanguage,
	"content-location": fieldLocation, "date": fieldDate, "subject": fieldSubject, "message-id": fieldMessageID,
	"in-reply-to": fieldInReplyTo, "references": fieldReferences, "sender": fieldSender, "reply-to": fieldReplyTo,
	"to": fieldTo, "cc": fieldCc, "bcc": fieldBcc,
}

// interpret reads the header block of f.part: the fields that describe the part, and the envelope of a root.
func (w *Walker) interpret(f *frame) {
	p := f.part
	p.Encoding = "7bit"
	if i := indexEightBit(p.Header); i >= 0 {
		w.defects.add(EightBitHeader, p.HeaderStart+int64(i))
	}
	var seen [numFields]bool
	at := p.HeaderStart
	for raw, rest := nextField(p.Header); len(raw) > 0; raw, rest = nextField(rest) {
		name := fieldName(raw)
		id := identify(name)
		w.checkField(name, id, seen[id], at)
		w.interpretField(f, id, seen[id], raw, at)
		if p == w.msg.Root {
			w.keepField(name, raw)
		}
		seen[id] = true
		at += int64(len(raw))
	}
	if p == w.msg.Root && w.full && len(w.o.Keep) > 0 {
		w.msg.KeptAll = false
	}
	if p.Type == "" {
		w.setDefaultType(p)
	}
	w.limitContainer(p)
	if f.envelope != nil {
		f.envelope.complete()
	}
}

// checkField records what is wrong with a field by its name alone.
func (w *Walker) checkField(name []byte, id fieldID, again bool, at int64) {
	switch {
	case len(name) == 0:
		w.defects.add(BadField, at)
	case !again || id == fieldOther || id == fieldContentOther:
	case id < fieldContentOther:
		w.defects.add(DuplicateField, at)
	default:
		w.defects.add(RepeatedField, at)
	}
}

// interpretField reads one field. Of fields that occur again the first counts, but lists of recipients add up.
func (w *Walker) interpretField(f *frame, id fieldID, again bool, raw []byte, at int64) {
	adds := id == fieldTo || id == fieldCc || id == fieldBcc
	if id == fieldOther || again && !adds {
		return
	}
	if id == fieldMIMEVersion || id == fieldReferences || id == fieldContentOther {
		return // only counted
	}
	if id < fieldContentOther && id != fieldFrom {
		w.interpretContent(f.part, id, unfold(afterColon(raw)), at)
		return
	}
	if f.envelope != nil {
		w.interpretEnvelope(f.envelope, id, unfold(afterColon(raw)), at)
	}
}

// interpretContent reads a field that describes the part.
func (w *Walker) interpretContent(p *Part, id fieldID, value string, at int64) {
	switch id {
	case fieldContentType:
		w.readContentType(p, value, at)
	case fieldDisposition:
		w.readDisposition(p, value, at)
	case fieldEncoding:
		p.Encoding = w.readEncoding(value, at)
	case fieldLanguage:
		p.Language = w.readLanguage(value, at)
	case fieldContentID:
		p.ID = w.claim(value, at)
	case fieldDescription:
		p.Description = w.claim(value, at)
	case fieldMD5:
		p.MD5 = w.claim(value, at)
	case fieldLocation:
		p.Location = w.claim(value, at)
	}
}

// interpretEnvelope reads a field of the envelope.
func (w *Walker) interpretEnvelope(e *Envelope, id fieldID, value string, at int64) {
	if list := e.list(id); list != nil {
		more := w.claimAddresses(value, at)
		if *list == nil {
			*list = more
		} else {
			*list = append(*list, more...)
		}
		return
	}
	value = w.claim(value, at)
	switch id {
	case fieldDate:
		e.Date = value
		e.Time, _ = ParseDate(value)
	case fieldSubject:
		e.Subject = value
	case fieldMessageID:
		e.MessageID = value
	case fieldInReplyTo:
		e.InReplyTo = value
	}
}

// keepField puts a field of the root into Head.Kept if it was asked for and there is room.
func (w *Walker) keepField(name, raw []byte) {
	for _, k := range w.o.Keep {
		if len(k) != len(name) || !strings.EqualFold(k, string(name)) {
			continue
		}
		if w.kept+len(raw) > maxKept {
			w.msg.KeptAll = false
			return
		}
		w.kept += len(raw)
		if w.msg.Kept == nil {
			w.msg.Kept = make([]Field, 0, len(w.o.Keep))
		}
		w.msg.Kept = append(w.msg.Kept, Field{Name: internField(name), Raw: raw}) // shares Root.Header
		return
	}
}

// claim takes the room of s from what the tree may still grow by, and returns s, or "" if there is none.
func (w *Walker) claim(s string, at int64) string {
	if s != "" && !w.claimRoom(len(s)+stringRoom, at) {
		return ""
	}
	return s
}

// Room that a value takes besides its octets: about what it takes in memory.
const (
	stringRoom  = 16
	paramRoom   = 32
	addressRoom = 48
)

func (w *Walker) claimRoom(n int, at int64) bool {
	if n > w.text {
		w.defects.add(TooMuchText, at)
		return false
	}
	w.text -= n
	return true
}

// claimAddresses returns the addresses of a value, or none if there is no room. They share the value's memory.
func (w *Walker) claimAddresses(value string, at int64) []Address {
	list := ParseAddressList(value)
	if len(list) > 0 && !w.claimRoom(len(value)+len(list)*addressRoom, at) {
		return nil
	}
	return list
}

// indexEightBit returns the index of the first octet over 127, or -1.
func indexEightBit(b []byte) int {
	const high = 0x8080808080808080
	i := 0
	for i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&high == 0 {
		i += 8
	}
	for ; i < len(b); i++ {
		if b[i] >= 0x80 {
			return i
		}
	}
	return -1
}
