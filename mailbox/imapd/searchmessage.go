package imapd

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// headerCondition makes a condition on a header field. The fields of the envelope, and
// those that are kept beside it, need no body opened.
func headerCondition(field string, needle []byte) condition {
	if of, ok := envelopeFields[field]; ok && len(needle) > 0 {
		return onInfo(func(i *mailbox.Info) bool { return containsFolded(of(&i.Envelope), needle) })
	}
	inKept := func(i *mailbox.Info) bool { return anyField(slices.Values(i.Kept), field, needle) }
	inHeader := test{stageHeader, func(m *candidate) (bool, error) {
		block, err := m.headerBlock()
		return err == nil && anyField(mime.Fields(block), field, needle), err
	}}
	if !mailbox.KeepsField(field) {
		return inHeader
	}
	return keptField{inKept, inHeader}
}

// envelopeFields are the keys that search a field of the envelope. They come in
// capitals; HEADER and the same field in other spelling searches the raw field.
var envelopeFields = map[string]func(*mime.Envelope) string{
	"BCC":     func(e *mime.Envelope) string { return addressText(e.Bcc) },
	"CC":      func(e *mime.Envelope) string { return addressText(e.Cc) },
	"FROM":    func(e *mime.Envelope) string { return addressText(e.From) },
	"TO":      func(e *mime.Envelope) string { return addressText(e.To) },
	"SUBJECT": func(e *mime.Envelope) string { return decodeHeader(e.Subject) },
}

// addressText writes addresses as a person would, with names decoded and without
// comments and folding.
func addressText(list []mime.Address) string {
	var b strings.Builder
	for _, a := range list {
		switch {
		case a.IsGroupStart():
			fmt.Fprintf(&b, "%s: ", decodeHeader(a.Mailbox))
		case a.IsGroupEnd():
			b.WriteString("; ")
		default:
			fmt.Fprintf(&b, "%s <%s@%s>, ", decodeHeader(a.Name), a.Mailbox, a.Host)
		}
	}
	return b.String()
}

// keptField is a condition on a field of those that are kept, as long as there was
// room for all of them.
type keptField struct {
	inKept   func(*mailbox.Info) bool
	inHeader condition
}

func (k keptField) judge(m *candidate, s stage) (verdict, error) {
	if s < stageInfo {
		return undecided, nil
	}
	info, err := m.info()
	if err != nil {
		return rejected, err
	}
	if info.KeptAll {
		return verdictOf(k.inKept(info)), nil
	}
	return k.inHeader.judge(m, s)
}

// anyField reports whether a field of that name contains needle.
func anyField(fields iter.Seq[mime.Field], name string, needle []byte) bool {
	for f := range fields {
		if f.Is(name) && containsFolded(decodeHeader(f.Value()), needle) {
			return true
		}
	}
	return false
}

// scan looks for all of the program's needles in the text of a message, once.
func (p *program) scan(m *candidate) error {
	if m.texts != nil {
		return nil
	}
	s := &p.texts
	s.begin(p.needles)
	if err := m.scanHeader(s); err != nil {
		return err
	}
	if !s.done() {
		if err := m.scanBody(s); err != nil {
			return err
		}
	}
	m.texts = s.found
	return nil
}

func (m *opened) scanBody(s textSink) error {
	root, err := m.structure()
	if err != nil {
		return err
	}
	body, err := m.body()
	if err != nil {
		return err
	}
	return scanPart(s, body, root)
}

// scanHeader looks in the message's own header, if any needle is to be found there.
func (m *candidate) scanHeader(s *textScan) error {
	for _, n := range s.needles {
		if n.headers {
			block, err := m.headerBlock()
			if err == nil {
				scanFields(s, block, true)
			}
			return err
		}
	}
	return nil
}

func scanFields(s textSink, block []byte, header bool) {
	for f := range mime.Fields(block) {
		s.look([]byte(f.Name+": "+decodeHeader(f.Value())), header, true)
	}
}

// scanPart looks in the body of a part. Attachments that are no text are passed
// over, as RFC 9051, 6.4.4 lets a server do. The header of an embedded message
// belongs to the body of the message around it, the MIME header of a part to its
// header.
func scanPart(s textSink, body content, p *mime.Part) error {
	switch {
	case s.done():
		return nil
	case p.IsMessage():
		return scanEmbedded(s, body, p.Parts[0])
	case p.IsMultipart():
		return scanParts(s, body, p.Parts)
	case p.Type != "text" && p.Type != "message":
		return nil
	}
	if err := scanText(s, body, p, asWritten); err != nil || !p.Is("text/html") {
		return err
	}
	return scanText(s, body, p, newVisible)
}

// scanText looks in the text of a part, which as makes of its decoded content.
func scanText(s textSink, body content, p *mime.Part, as func(io.Reader) io.Reader) error {
	raw := body.Section(p.BodyStart, p.Size())
	defer raw.Close()
	charset, _ := p.Params.Get("charset")
	return readText(s, as(toUTF8(charset, decode(p.Encoding, raw))))
}

func asWritten(r io.Reader) io.Reader { return r }

func scanEmbedded(s textSink, body content, root *mime.Part) error {
	block, err := readHeader(body, headerOf(root))
	if err != nil {
		return err
	}
	scanFields(s, block, false)
	return scanPart(s, body, root)
}

func scanParts(s textSink, body content, parts []*mime.Part) error {
	for _, p := range parts {
		block, err := readHeader(body, headerOf(p))
		if err != nil {
			return err
		}
		scanFields(s, block, true)
		if err := scanPart(s, body, p); err != nil {
			return err
		}
	}
	return nil
}
