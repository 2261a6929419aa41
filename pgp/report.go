package pgp

import (
	"strings"

	"github.com/restante/restante/internal/mime"
)

// report is the grammar of a delivery status report (RFC 3464 in RFC 6522), which mail servers send unencrypted: a
// short notice for people, status fields for programs, and then of the message that was not delivered either the header
// or, if it is encrypted mail by the gate's own grammar, all of it. The notice may be a text in two forms with an icon,
// as Gmail's and Exchange's are.
type report struct {
	root     *mime.Part
	parts    int // of the root
	left     int // octets that the current body may still have
	lines    fieldLines
	preamble small
	returned *encrypted // the returned message, once it has begun
	part     *mime.Part // the part that holds it
}

const (
	maxNotice       = 32 << 10 // Gmail's has 7 KiB with its icon
	maxStatus       = 16 << 10
	maxReturned     = 64 << 10
	maxReportHeader = 2 << 10

	badReport      = "the delivery report does not have the parts of one: a notice, the status, and the returned header"
	badReturned    = "the message that the delivery report returns is not encrypted; only its header may be returned"
	longReport     = "the delivery report is too long"
	badReportLines = "the delivery report has something other than fields where its status or returned header stands"
)

func newReport(root *mime.Part) (*report, error) {
	if kind, _ := root.Params.Get("report-type"); !strings.EqualFold(kind, "delivery-status") {
		return nil, whyPlain(root)
	}
	return &report{root: root}, nil
}

func (r *report) header(p *mime.Part) error {
	if r.returned != nil {
		return r.returned.header(p)
	}
	if r.part != nil {
		return r.beginReturned(p)
	}
	if len(p.Header) > maxReportHeader {
		return refuse(longReport)
	}
	if p != r.root.Parts[len(r.root.Parts)-1] {
		return r.inNotice(p)
	}
	r.parts++
	r.lines = fieldLines{}
	switch {
	case r.parts == 1:
		r.left = maxNotice
		return r.inNotice(p)
	case r.parts == 2 && (p.Is("message/delivery-status") || p.Is("message/global-delivery-status")):
		r.left = maxStatus
	case r.parts == 3 && (p.Is("text/rfc822-headers") || p.Is("message/global-headers")):
		r.left = maxReturned
	case r.parts == 3 && p.IsMessage():
		r.part = p
	default:
		return refuse(badReport)
	}
	return nil
}

// inNotice takes the first part of the report, or a part in that. All of them together have maxNotice octets.
func (r *report) inNotice(p *mime.Part) error {
	known := p.Type == "text" || p.Type == "image" || p.Is("multipart/alternative") || p.Is("multipart/related")
	if r.parts != 1 || !known {
		return refuse(badReport)
	}
	return nil
}

// beginReturned takes the header of the returned message.
func (r *report) beginReturned(root *mime.Part) error {
	if !root.Is("multipart/encrypted") {
		return refuse(badReturned)
	}
	var err error
	r.returned, err = newEncrypted(root)
	return err
}

func (r *report) body(p *mime.Part, b []byte) error {
	if r.returned != nil {
		return r.returned.body(p, b)
	}
	if r.left -= len(b); r.left < 0 {
		return refuse(longReport)
	}
	if r.parts > 1 && !r.lines.accept(b) {
		return refuse(badReportLines)
	}
	return nil
}

func (r *report) outside(p *mime.Part, place mime.Place, b []byte) error {
	switch {
	case r.returned != nil && p == r.returned.root:
		return r.returned.outside(p, place, b)
	case place == mime.Preamble && p == r.root:
		return r.preamble.add(b, badPreamble)
	case blank(b):
		return nil
	}
	return refuse(badEpilogue)
}

func (r *report) close() (Verdict, error) {
	var v Verdict
	switch {
	case r.parts < 2 || r.part != nil && r.returned == nil:
		return v, refuse(badReport)
	case !knownPreamble(r.preamble.trimmed()):
		return v, refuse(badPreamble)
	case r.returned != nil:
		var err error
		if v, err = r.returned.close(); err != nil {
			return Verdict{}, err
		}
	}
	v.Kind = Report
	return v, nil
}

// fieldLines checks that a text consists of header fields: names with a colon, continuation lines, blank lines.
type fieldLines struct {
	inLine bool // past the colon, or in a continuation
	name   int  // octets of the name so far
}

// accept takes a piece of the text and reports whether it fits.
func (l *fieldLines) accept(b []byte) bool {
	for _, c := range b {
		switch {
		case c == '\n':
			if !l.inLine && l.name > 0 {
				return false
			}
			*l = fieldLines{}
		case l.inLine || c == '\r':
		case c == ':' && l.name > 0, (c == ' ' || c == '\t') && l.name == 0:
			l.inLine = true
		case c <= ' ' || c > '~' || l.name >= 64:
			return false
		default:
			l.name++
		}
	}
	return true
}
