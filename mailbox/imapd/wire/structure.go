package wire

import (
	"strings"

	"github.com/restante/restante/internal/mime"
)

// BodyStructure writes the value of BODYSTRUCTURE (RFC 9051, 7.5.2).
func (e *Encoder) BodyStructure(p *mime.Part) { e.body(p, true) }

// Body writes the value of BODY: the structure without extension data.
func (e *Encoder) Body(p *mime.Part) { e.body(p, false) }

func (e *Encoder) body(p *mime.Part, extended bool) {
	e.Open()
	if p.IsMultipart() {
		e.multipart(p, extended)
	} else {
		e.singlePart(p, extended)
	}
	e.Close()
}

// emptyPart stands in a multipart that has no parts, which the grammar cannot
// express.
var emptyPart = mime.Part{Type: "text", Subtype: "plain", Encoding: "7bit"}

func (e *Encoder) multipart(p *mime.Part, extended bool) {
	for _, child := range p.Parts {
		e.body(child, extended)
		e.tight = true // RFC 9051, 9: 1*body has no spaces
	}
	if len(p.Parts) == 0 {
		e.body(&emptyPart, extended)
	}
	e.tight = false
	e.String(p.Subtype)
	if extended {
		e.params(p.Params)
		e.extension(p)
	}
}

func (e *Encoder) singlePart(p *mime.Part, extended bool) {
	embedded := e.showsMessage(p)
	e.mediaType(p, embedded)
	e.params(p.Params)
	e.stringOrNil(p.ID)
	e.stringOrNil(p.Description)
	e.encoding(p.Encoding)
	e.Number(uint64(max(p.Size(), 0)))
	if embedded {
		e.Envelope(p.Envelope)
		e.body(p.Parts[0], extended)
	}
	if embedded || p.Type == "text" {
		e.Number(uint64(max(p.Lines, 0)))
	}
	if extended {
		e.stringOrNil(p.MD5)
		e.extension(p)
	}
}

// showsMessage reports whether p is written with the embedded message's
// envelope and structure. IMAP4rev1 knows that form for message/rfc822 only.
func (e *Encoder) showsMessage(p *mime.Part) bool {
	return p.IsMessage() && len(p.Parts) == 1 && p.Envelope != nil &&
		(p.Subtype == "rfc822" || e.utf8)
}

// mediaType writes type and subtype. A message/rfc822 without its content would
// be against the grammar, and is shown as what it is then: octets.
func (e *Encoder) mediaType(p *mime.Part, embedded bool) {
	if !embedded && p.Type == "message" && p.Subtype == "rfc822" {
		e.String("application")
		e.String("octet-stream")
		return
	}
	e.String(p.Type)
	e.String(p.Subtype)
}

// encoding writes body-fld-enc, which is never NIL.
func (e *Encoder) encoding(s string) {
	if s == "" {
		s = "7bit"
	}
	e.String(s)
}

// extension writes what ends the extension data of either form: disposition,
// language and location.
func (e *Encoder) extension(p *mime.Part) {
	if p.Disposition == "" {
		e.Nil()
	} else {
		e.Open()
		e.String(p.Disposition)
		e.params(p.DispositionParams)
		e.Close()
	}
	e.languages(p.Language)
	e.stringOrNil(p.Location)
}

func (e *Encoder) params(ps mime.Params) {
	if len(ps) == 0 {
		e.Nil()
		return
	}
	e.Open()
	for i := range ps {
		e.String(ps[i].Name)
		e.String(ps[i].Value)
	}
	e.Close()
}

func (e *Encoder) languages(list []string) {
	if len(list) == 0 {
		e.Nil()
		return
	}
	e.Open()
	for _, l := range list {
		e.String(strings.TrimSpace(l))
	}
	e.Close()
}
