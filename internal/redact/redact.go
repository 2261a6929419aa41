// Package redact keeps what identifies people out of the log.
//
// It is the second net. The first is the code that logs: it has no addresses,
// keys or secrets among its attributes, and types that hold them implement
// slog.LogValuer. The [Handler] of this package stands in front of the real one
// and replaces by "[redacted]" what slipped through all the same, most often in
// the text of an error from another package:
//
//   - mail addresses, also within URLs and with %40 for the at sign;
//   - IP addresses of both versions, in any notation that net/netip reads;
//   - PEM blocks and OpenPGP armor, with all that is between their lines;
//   - secrets of the form r1-…, which this software generates;
//   - runs of letters and digits too long to be words: keys, fingerprints,
//     tokens, base64.
//
// It errs on the side of the reader who should not know: a version number of
// four parts is taken for an address. A value whose text cannot be known to be
// harmless, such as a struct, is replaced as a whole.
package redact

import (
	"slices"
	"strings"
)

// Placeholder stands where something was taken out.
const Placeholder = "[redacted]"

// Lengths from which letters and digits are taken for a key or a token. No word
// is as long as the first; the second is for runs with the other characters of
// base64 in them, which file names have too.
const (
	longRun       = 32
	longBase64Run = 40
)

// Text returns s with everything replaced that may identify someone or be a
// secret. Text in which there is nothing is returned as it is, without
// allocation.
func Text(s string) string {
	if len(s) < longRun && !strings.ContainsAny(s, "@:0123456789") {
		return s // what remains to be found has one of these, or is long
	}
	f := finder{s: s}
	f.armor()
	if strings.Contains(s, "@") || strings.Contains(s, "%40") {
		f.addresses()
	}
	if strings.Count(s, ":") >= 2 || strings.Count(s, ".") >= 3 {
		f.ips()
	}
	if strings.Contains(s, "1-") {
		f.secrets()
	}
	if len(s) >= longRun {
		f.runs()
	}
	return f.replaced()
}

// A finder collects the places to replace in one text.
type finder struct {
	s     string
	spans []span
}

// A span is s[start:end].
type span struct{ start, end int }

func (f *finder) add(start, end int) { f.spans = append(f.spans, span{start, end}) }

// armor finds PEM blocks and OpenPGP armor, to the end of the text if the last
// line is not whole.
func (f *finder) armor() {
	const begin, end = "-----BEGIN ", "-----END "
	for at := 0; ; {
		i := strings.Index(f.s[at:], begin)
		if i < 0 {
			return
		}
		start := at + i
		at = len(f.s)
		if _, after, ok := strings.Cut(f.s[start:], end); ok {
			if _, rest, ok := strings.Cut(after, "-----"); ok {
				at = len(f.s) - len(rest)
			}
		}
		f.add(start, at)
	}
}

// addresses finds mail addresses by their at sign.
func (f *finder) addresses() {
	floor := 0 // nothing before needs a second look, which keeps this linear
	for i := 0; i < len(f.s); i++ {
		width := atSign(f.s[i:])
		if width == 0 {
			continue
		}
		end := f.domain(i + width)
		if end == i+width {
			continue
		}
		if start := f.localPart(floor, i); start < i {
			f.add(start, end)
			floor, i = end, end-1
		}
	}
}

// atSign returns the length of the at sign that s begins with, 0 if it does not.
func atSign(s string) int {
	if s[0] == '@' {
		return 1
	}
	if strings.HasPrefix(s, "%40") {
		return 3
	}
	return 0
}

// localPart returns where the local part that ends before the at sign begins,
// which is not before floor. It may be a quoted string (RFC 5321, 4.1.2).
func (f *finder) localPart(floor, at int) int {
	start := at
	if start > floor && f.s[start-1] == '"' {
		start--
		for start > floor {
			start--
			if f.s[start] == '"' && (start == floor || f.s[start-1] != '\\') {
				break
			}
		}
	}
	for start > floor && inAddress(f.s[start-1]) {
		start--
	}
	return start
}

// domain returns where the domain that begins at start ends. It may be an
// address in brackets.
func (f *finder) domain(start int) int {
	end := start
	if end < len(f.s) && f.s[end] == '[' {
		for end < len(f.s) && f.s[end] != ']' && f.s[end] > ' ' {
			end++
		}
		if end < len(f.s) && f.s[end] == ']' {
			end++
		}
	}
	for end < len(f.s) && inAddress(f.s[end]) {
		end++
	}
	return end
}

// inAddress reports whether a byte can stand in an address without quotes. The
// bytes of UTF-8 can (RFC 6531, 3.3).
func inAddress(c byte) bool {
	return c > ' ' && c != 0x7f && !strings.ContainsRune(`<>()[],;:"\`, rune(c))
}

// ips finds IP addresses: among runs of hexadecimal digits, colons and dots,
// those with four numbers between dots, with "::", or with eight groups.
func (f *finder) ips() {
	f.eachRun(inIP, func(start, end int) {
		run := f.s[start:end]
		if strings.Contains(run, "::") || strings.Count(run, ":") >= 7 || dottedNumbers(run) >= 3 {
			f.add(start, end)
		}
	})
}

func inIP(c byte) bool { return c == ':' || c == '.' || isHex(c) }

// dottedNumbers counts the dots with a digit on both sides.
func dottedNumbers(s string) int {
	n := 0
	for i := 1; i+1 < len(s); i++ {
		if s[i] == '.' && isDigit(s[i-1]) && isDigit(s[i+1]) {
			n++
		}
	}
	return n
}

// secrets finds what begins like a generated secret.
func (f *finder) secrets() {
	inSecret := func(c byte) bool { return c == '-' || isAlnum(c) }
	f.eachRun(inSecret, func(start, end int) {
		i := strings.Index(strings.ToLower(f.s[start:end]), "r1-")
		if i >= 0 && end-start-i > len("r1-") {
			f.add(start+i, end)
		}
	})
}

// runs finds keys and tokens by their length.
func (f *finder) runs() {
	f.eachRun(isAlnum, func(start, end int) {
		if end-start >= longRun {
			f.add(start, end)
		}
	})
	f.eachRun(inBase64, func(start, end int) {
		run := f.s[start:end]
		if len(run) >= longBase64Run && strings.ContainsFunc(run, isUpper) && strings.ContainsFunc(run, isLower) && strings.ContainsAny(run, "0123456789") {
			f.add(start, end)
		}
	})
}

// inBase64 is the alphabet of base64 and of base64url (RFC 4648).
func inBase64(c byte) bool {
	return c == '+' || c == '/' || c == '=' || c == '-' || c == '_' || isAlnum(c)
}

// eachRun calls found with each longest run of bytes that belong together.
func (f *finder) eachRun(belongs func(byte) bool, found func(start, end int)) {
	for i := 0; i < len(f.s); i++ {
		if !belongs(f.s[i]) {
			continue
		}
		start := i
		for i < len(f.s) && belongs(f.s[i]) {
			i++
		}
		found(start, i)
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }
func isLower(r rune) bool { return 'a' <= r && r <= 'z' }
func isAlnum(c byte) bool { return isDigit(c) || isUpper(rune(c)) || isLower(rune(c)) }
func isHex(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// replaced returns the text with a placeholder for each place that was found.
// Places that overlap or touch become one.
func (f *finder) replaced() string {
	if len(f.spans) == 0 {
		return f.s
	}
	slices.SortFunc(f.spans, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	done := 0 // up to where the text has been dealt with
	for i, sp := range f.spans {
		if i == 0 || sp.start > done {
			b.WriteString(f.s[done:sp.start])
			b.WriteString(Placeholder)
		}
		done = max(done, sp.end)
	}
	b.WriteString(f.s[done:])
	return b.String()
}
