package mime

import "strings"

// readContentType sets the type of p, or leaves it empty if it cannot be read (RFC 2045, 5.1).
func (w *Walker) readContentType(p *Part, value string, at int64) {
	s := scanner{s: value}
	s.skipCFWS()
	t := s.token()
	s.skipCFWS()
	slash := s.skip('/')
	s.skipCFWS()
	sub := s.token()
	if t == "" || !slash || sub == "" {
		w.defects.add(BadContentType, at)
		return
	}
	if w.claim(value, at) != "" { // what is read shares its memory
		p.Type, p.Subtype = intern(t), intern(sub)
		p.Params = w.readParams(&s, at)
	}
}

func (w *Walker) readDisposition(p *Part, value string, at int64) {
	s := scanner{s: value}
	s.skipCFWS()
	d := s.token()
	if d == "" {
		w.defects.add(BadContentField, at)
		return
	}
	if w.claim(value, at) != "" {
		p.Disposition = intern(d)
		p.DispositionParams = w.readParams(&s, at)
	}
}

// readEncoding returns a Content-Transfer-Encoding in lower case. One that is not known is kept for those who look.
func (w *Walker) readEncoding(value string, at int64) string {
	s := scanner{s: value}
	s.skipCFWS()
	e := strings.Clone(intern(s.token()))
	s.skipCFWS()
	switch e {
	case "7bit", "8bit", "binary", "quoted-printable", "base64":
	default:
		w.defects.add(BadEncoding, at)
	}
	if s.more() {
		w.defects.add(BadContentField, at)
	}
	if e = w.claim(e, at); e == "" {
		return "7bit"
	}
	return e
}

// readLanguage reads the tags of a Content-Language (RFC 3282).
func (w *Walker) readLanguage(value string, at int64) []string {
	var tags []string
	s := scanner{s: value}
	for s.skipCFWS(); s.more(); s.skipCFWS() {
		tag := s.token()
		if tag == "" && !s.skip(',') {
			w.defects.add(BadContentField, at)
			return tags
		}
		if tag = w.claim(strings.Clone(tag), at); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// readParams reads "; name=value" to the end of a field. What cannot be read is left out and recorded.
func (w *Walker) readParams(s *scanner, at int64) Params {
	var ps Params
	for s.skipCFWS(); s.more(); s.skipCFWS() {
		if !s.skip(';') {
			w.defects.add(BadContentField, at)
		}
		s.skipCFWS()
		if !s.more() {
			break // a semicolon at the end is common and harmless
		}
		p, clean := s.param()
		if !clean {
			w.defects.add(BadContentField, at)
		}
		if p.Name == "" {
			continue
		}
		if _, dup := ps.Get(p.Name); dup {
			w.defects.add(DuplicateParam, at)
		}
		if len(ps) == maxParams || !w.claimRoom(paramRoom, at) {
			w.defects.add(TooMuchText, at)
			break
		}
		if ps == nil {
			ps = make(Params, 0, 2)
		}
		ps = append(ps, p)
	}
	return ps
}

// maxParams bounds the parameters of one field. RFC 2231 continuations can make many of one, but not that many.
const maxParams = 200

// setDefaultType gives p the type of a part that names none: plain text, or a message in a multipart/digest
// (RFC 2046, 5.1.5).
func (w *Walker) setDefaultType(p *Part) {
	if n := len(w.stack); n > 1 && w.stack[n-2].part.Is("multipart/digest") {
		p.Type, p.Subtype = "message", "rfc822"
		return
	}
	p.setPlainText()
}

// setPlainText gives p the default type of RFC 2045, 5.2.
func (p *Part) setPlainText() {
	p.Type, p.Subtype, p.Params = "text", "plain", Params{{"charset", "us-ascii"}}
}

// limitContainer turns a container that cannot be opened into what it can be shown as.
func (w *Walker) limitContainer(p *Part) {
	multipart := p.IsMultipart()
	if !multipart && !p.IsMessage() {
		return
	}
	hidden := p.Encoding == "base64" || p.Encoding == "quoted-printable"
	if hidden {
		w.defects.add(BadEncoding, p.HeaderStart)
	}
	switch {
	case len(w.stack) >= w.o.MaxDepth:
		w.defects.add(TooDeep, p.HeaderStart)
		p.setOctetStream()
	case w.parts >= w.o.MaxParts:
		w.defects.add(TooManyParts, p.HeaderStart)
		p.setOctetStream()
	case multipart:
		w.checkBoundary(p)
	case hidden:
		p.setOctetStream()
	default:
		p.Envelope = new(Envelope)
	}
}

func (p *Part) setOctetStream() {
	p.Type, p.Subtype, p.Params = "application", "octet-stream", nil
}

// checkBoundary makes a multipart that has no usable boundary a text: then its body can at least be read.
func (w *Walker) checkBoundary(p *Part) {
	b, _ := p.Params.Get("boundary")
	if len(b) > 70 || strings.HasSuffix(b, " ") || strings.ContainsFunc(b, notBoundary) || b == "" {
		w.defects.add(BadBoundary, p.HeaderStart)
	}
	if b = trimBoundary(b); b == "" || len(b) > maxBoundary {
		p.setPlainText()
	}
}

// notBoundary reports whether r may not stand in a boundary (bchars of RFC 2046, 5.1.1).
func notBoundary(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("'()+_,-./:=? ", r)
}

// trimBoundary drops blanks at the end: they could not be told from the padding of a delimiter.
func trimBoundary(s string) string { return strings.TrimRight(s, " \t") }
