package mime

import "strings"

// scanner reads the lexical elements of structured fields (RFC 5322, 3.2 and RFC 2045, 5.1) from an unfolded value.
type scanner struct {
	s string
	i int
}

func (s *scanner) more() bool { return s.i < len(s.s) }

// skip passes c if it is next.
func (s *scanner) skip(c byte) bool {
	if s.more() && s.s[s.i] == c {
		s.i++
		return true
	}
	return false
}

// skipCFWS passes blanks and comments, and returns the inside of the first comment that has one.
func (s *scanner) skipCFWS() (comment string) {
	for s.more() {
		switch c := s.s[s.i]; {
		case isBlank(c):
			s.i++
		case c == '(':
			if text := s.comment(); comment == "" {
				comment = text
			}
		default:
			return comment
		}
	}
	return comment
}

// comment reads a comment, which may hold comments, and returns what is inside. One without an end takes all.
func (s *scanner) comment() string {
	start, depth := s.i+1, 0
	for ; s.more(); s.i++ {
		switch s.s[s.i] {
		case '\\':
			s.i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s.i++
				return unescape(strings.Trim(s.s[start:s.i-1], " \t"))
			}
		}
	}
	s.i = len(s.s)
	return unescape(strings.Trim(s.s[min(start, len(s.s)):], " \t"))
}

// quoted reads a quoted string and returns what it means. It reports false for one without an end, which takes all.
func (s *scanner) quoted() (string, bool) {
	start := s.i + 1
	for s.i++; s.more(); s.i++ {
		switch s.s[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return unescape(s.s[start : s.i-1]), true
		}
	}
	s.i = len(s.s)
	return unescape(s.s[min(start, len(s.s)):]), false
}

// unescape takes the backslashes of quoted pairs out.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// token reads a token of RFC 2045; it is empty if none is next.
func (s *scanner) token() string {
	start := s.i
	for s.more() && isToken(s.s[s.i]) {
		s.i++
	}
	return s.s[start:s.i]
}

func isToken(c byte) bool {
	return c > ' ' && c <= '~' && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// param reads name=value. It reports false if that took guesswork; then the name may be empty, and what stands before
// the next semicolon is passed over.
func (s *scanner) param() (p Param, clean bool) {
	name := s.token()
	s.skipCFWS()
	if name == "" || !s.skip('=') {
		s.until(";")
		return Param{}, false
	}
	s.skipCFWS()
	p.Name = intern(name)
	if s.more() && s.s[s.i] == '"' {
		p.Value, clean = s.quoted()
		return p, clean
	}
	if p.Value = s.token(); p.Value != "" {
		end := s.i
		s.skipCFWS()
		if !s.more() || s.s[s.i] == ';' {
			return p, true
		}
		s.i = end
	}
	// Unquoted values with special characters or blanks are common in the wild: name=my file (1).pdf
	p.Value += strings.TrimRight(s.until(";"), " \t")
	return p, false
}

// until passes everything before any of the stops.
func (s *scanner) until(stops string) string {
	rest := s.s[s.i:]
	if n := strings.IndexAny(rest, stops); n >= 0 {
		rest = rest[:n]
	}
	s.i += len(rest)
	return rest
}

// intern returns s in lower case, and common words without holding on to the field they came from.
func intern(s string) string {
	s = strings.ToLower(s)
	if w, ok := commonWords[s]; ok {
		return w
	}
	return s
}

var commonWords = table("text", "plain", "html", "multipart", "mixed", "alternative", "related", "report", "signed",
	"encrypted", "digest", "message", "rfc822", "global", "delivery-status", "application", "octet-stream",
	"pgp-encrypted", "pgp-signature", "pgp-keys", "image", "jpeg", "png", "audio", "video", "charset", "boundary",
	"protocol", "micalg", "name", "filename", "format", "delsp", "report-type", "protected-headers", "hp", "inline",
	"attachment", "7bit", "8bit", "binary", "base64", "quoted-printable")
