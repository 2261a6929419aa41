package mime

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shape writes a tree in one line: type, and in brackets the parts.
func shape(p *Part) string {
	s := p.Type + "/" + p.Subtype
	if len(p.Parts) == 0 {
		return s
	}
	var parts []string
	for _, q := range p.Parts {
		parts = append(parts, shape(q))
	}
	return s + "[" + strings.Join(parts, " ") + "]"
}

// mixed is a header of a multipart with boundary b.
const mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

func TestDefects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 999)
	tests := []struct {
		name, text, shape string
		want              []Defect
	}{
		{"empty message", "", "text/plain", nil},
		{"only a blank line", "\r\n", "text/plain", nil},
		{"header only", "Subject: x\r\n", "text/plain", nil},
		{"header without line end", "Subject: x", "text/plain", nil},
		{"body only", "\r\nhello", "text/plain", nil},
		{"8-bit body", "\r\ngr\xfc\xdfe\r\n", "text/plain", nil},
		{"line of 998", "\r\n" + long[1:] + "\r\n", "text/plain", nil},
		{"blanks behind delimiters", mixed + "--b \r\n\r\n\r\n--b--\t \r\n", "multipart/mixed[text/plain]", nil},

		{"bare CR in header", "A: x\ry\r\n\r\n", "text/plain", []Defect{{BareCR, 4, 1}}},
		{"bare CRs in body", "\r\na\r\r\nb\rc\r", "text/plain", []Defect{{BareCR, 3, 3}}},
		{"bare LF ends header line", "A: x\nB: y\r\n\r\n", "text/plain", []Defect{{BareLF, 4, 1}}},
		{"bare LF is the blank line", "A: x\r\n\nb\n", "text/plain", []Defect{{BareLF, 6, 2}}},
		{"LF ends around a delimiter", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", "multipart/mixed[text/plain]", []Defect{{BareLF, 41, 6}}},
		{"NUL in header and body", "A: \x00\r\n\r\na\x00\x00", "text/plain", []Defect{{NUL, 3, 3}}},
		{"NUL in a line like a delimiter", mixed + "--b\r\n\r\n-\x00\r\n--b--", "multipart/mixed[text/plain]", []Defect{{NUL, 53, 1}}},
		{"long line in body", "\r\n" + long + "\r\n" + long, "text/plain", []Defect{{LongLine, 2, 2}}},
		{"long line in header", "A: " + long + "\r\n\r\n", "text/plain", []Defect{{LongLine, 0, 1}}},
		{"8-bit header", "Subject: abcdefghijklmn\xfc\r\n\r\n", "text/plain", []Defect{{EightBitHeader, 23, 1}}},
		{"no colon", "Subject: x\r\nhello\r\n\r\n", "text/plain", []Defect{{BadField, 12, 1}}},
		{"blank in name", "Sub ject: x\r\n\r\n", "text/plain", []Defect{{BadField, 0, 1}}},
		{"empty name", ": x\r\n\r\n", "text/plain", []Defect{{BadField, 0, 1}}},
		{"continuation first", " x: y\r\n\r\n", "text/plain", []Defect{{BadField, 0, 1}}},
		{"mbox line first", "From joe Mon Nov 23 14:08:00 2026\r\nTo: x@y\r\n\r\n", "text/plain", []Defect{{BadField, 0, 1}}},
		{"blank before colon is obsolete, not wrong", "Content-Type : text/html\r\n\r\n", "text/html", nil},
		{"second From", "From: a@b\r\nFrom: c@d\r\n\r\n", "text/plain", []Defect{{DuplicateField, 11, 1}}},
		{"second MIME-Version", "MIME-Version: 1.0\r\nmime-version: 1.0\r\n\r\n", "text/plain", []Defect{{DuplicateField, 19, 1}}},
		{"second Content-Type: the first counts", "Content-Type: text/html\r\nCONTENT-TYPE: image/png\r\n\r\n", "text/html", []Defect{{DuplicateField, 25, 1}}},
		{"second Subject", "Subject: a\r\nSubject: b\r\nSubject: c\r\n\r\n", "text/plain", []Defect{{RepeatedField, 12, 2}}},
		{"many Received are lawful", "Received: a\r\nReceived: b\r\n\r\n", "text/plain", nil},
		{"header ended by delimiter", mixed + "--b\r\nContent-Type: text/html\r\n--b--\r\n", "multipart/mixed[text/html]", []Defect{{NoBlankLine, 75, 1}}},

		{"type without subtype", "Content-Type: text\r\n\r\n", "text/plain", []Defect{{BadContentType, 0, 1}}},
		{"empty type", "Content-Type:\r\n\r\n", "text/plain", []Defect{{BadContentType, 0, 1}}},
		{"parameter without value", "Content-Type: text/html; charset\r\n\r\n", "text/html", []Defect{{BadContentField, 0, 1}}},
		{"text after type", "Content-Type: text/html charset=x\r\n\r\n", "text/html", []Defect{{BadContentField, 0, 1}}},
		{"open quote", "Content-Type: text/html; name=\"a\r\n\r\n", "text/html", []Defect{{BadContentField, 0, 1}}},
		{"semicolon at the end is common", "Content-Type: text/html;\r\n\r\n", "text/html", nil},
		{"bad disposition", "Content-Disposition: ;\r\n\r\n", "text/plain", []Defect{{BadContentField, 0, 1}}},
		{"bad language", "Content-Language: en;q=1\r\n\r\n", "text/plain", []Defect{{BadContentField, 0, 1}}},
		{"duplicate parameter", "Content-Type: text/html; name=a; NAME=b\r\n\r\n", "text/html", []Defect{{DuplicateParam, 0, 1}}},
		{"unknown encoding", "Content-Transfer-Encoding: x-uue\r\n\r\n", "text/plain", []Defect{{BadEncoding, 0, 1}}},
		{"encoded multipart is opened", "Content-Transfer-Encoding: base64\r\n" + mixed + "--b\r\n\r\n\r\n--b--", "multipart/mixed[text/plain]", []Defect{{BadEncoding, 0, 1}}},
		{"encoded message is not", "Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\n\r\nQQ==", "application/octet-stream", []Defect{{BadEncoding, 0, 1}}},

		{"no boundary", "Content-Type: multipart/mixed\r\n\r\n--\r\n", "text/plain", []Defect{{BadBoundary, 0, 1}}},
		{"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n", "text/plain", []Defect{{BadBoundary, 0, 1}}},
		{"boundary of blanks", "Content-Type: multipart/mixed; boundary=\" \"\r\n\r\n--\r\n", "text/plain", []Defect{{BadBoundary, 0, 1}}},
		{"boundary over 70", "Content-Type: multipart/mixed; boundary=" + long[:71] + "\r\n\r\n--" + long[:71] + "\r\n\r\n\r\n--" + long[:71] + "--", "multipart/mixed[text/plain]", []Defect{{BadBoundary, 0, 1}}},
		{"boundary over 250", "Content-Type: multipart/mixed; boundary=" + long[:251] + "\r\n\r\n--" + long[:251] + "\r\n", "text/plain", []Defect{{BadBoundary, 0, 1}}},
		{"odd boundary", "Content-Type: multipart/mixed; boundary=\"b*\"\r\n\r\n--b*\r\n\r\n\r\n--b*--", "multipart/mixed[text/plain]", []Defect{{BadBoundary, 0, 1}}},
		{"no close delimiter", mixed + "--b\r\n\r\nx\r\n", "multipart/mixed[text/plain]", []Defect{{MissingClose, 55, 1}}},
		{"inner close delimiter missing", mixed + "--b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\n\r\n\r\nx\r\n--b--", "multipart/mixed[multipart/digest[message/rfc822[text/plain]]]", []Defect{{MissingClose, 108, 1}}},
		{"no parts", mixed + "text\r\n", "multipart/mixed[text/plain]", []Defect{{MissingClose, 51, 1}, {EmptyMultipart, 51, 1}}},
		{"close delimiter only", mixed + "--b--\r\n", "multipart/mixed[text/plain]", []Defect{{EmptyMultipart, 52, 1}}},
		{"text behind close delimiter", mixed + "--b\r\n\r\n\r\n--b-- \x00text\rx\r\n", "multipart/mixed[text/plain]", []Defect{{BareCR, 65, 1}, {NUL, 60, 1}, {DelimiterText, 60, 1}}},
		{"text behind delimiter", mixed + "--b text\r\n\r\n\r\n--b--", "multipart/mixed[text/plain]", []Defect{{DelimiterText, 49, 1}}},
		{"line like a delimiter", mixed + "--b\r\n\r\n--bb\r\n--b--b\r\n--b--", "multipart/mixed[text/plain]", []Defect{{NearDelimiter, 52, 2}}},
		{"delimiter in epilogue is text", mixed + "--b\r\n\r\n\r\n--b--\r\n--b\r\n", "multipart/mixed[text/plain]", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, _ := walkAll(t, tt.text, Options{})
			if got := shape(m.Root); got != tt.shape {
				t.Errorf("tree = %s, want %s", got, tt.shape)
			}
			if d := cmp.Diff(m.Defects, tt.want); d != "" {
				t.Errorf("defects (-got +want):\n%s", d)
			}
			for _, d := range tt.want {
				if !m.Has(numKinds, d.Kind) {
					t.Errorf("Has(%v) = false", d.Kind)
				}
			}
			if _, err := ParseBinary(m.AppendBinary(nil)); err != nil {
				t.Errorf("the tree breaks a rule: %v", err)
			}
			if len(tt.text) < 90 {
				checkCuts(t, tt.text, Options{})
			}
		})
	}
}

func TestDefectTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := range DefectKind(numKinds) {
		s := k.String()
		if s == "" || seen[s] {
			t.Errorf("kind %d is called %q", int(k), s)
		}
		seen[s] = true
	}
	if got, want := (Defect{NUL, 7, 2}).String(), "NUL octet at octet 7 (2 in all)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := DefectKind(-1).String(), "defect -1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// nested returns n containers inside each other, of alternating kinds.
func nested(n int) string {
	var b strings.Builder
	for i := range n {
		if i%2 == 0 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=n%d\r\n\r\n--n%d\r\n", i, i)
		} else {
			b.WriteString("Content-Type: message/rfc822\r\n\r\n")
		}
	}
	return b.String() + "\r\ntext"
}

func TestDepthLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		containers, limit int
		deep              bool
	}{{99, 0, false}, {100, 0, true}, {5000, 0, true}, {3, 4, false}, {4, 4, true}, {200, 200, true}} {
		m, _ := walkAll(t, nested(tt.containers), Options{MaxDepth: tt.limit})
		depth := 0
		eachPart(m.Root, func(*Part) { depth++ }) // every container has one part
		want := tt.containers + 1
		if tt.deep {
			want = min(max(tt.limit, 4), 100)
			if tt.limit == 0 {
				want = 100
			}
		}
		if depth != want || m.Has(TooDeep) != tt.deep {
			t.Errorf("%d containers, limit %d: depth %d, want %d, TooDeep %v", tt.containers, tt.limit, depth, want, m.Has(TooDeep))
		}
		if _, err := ParseBinary(m.AppendBinary(nil)); err != nil {
			t.Error(err)
		}
	}
}

func TestPartsLimit(t *testing.T) {
	t.Parallel()
	text := mixed + strings.Repeat("--b\r\n\r\nx\r\n", 5) + "--b--\r\n"
	m, rec := walkAll(t, text, Options{MaxParts: 4})
	if got, want := shape(m.Root), "multipart/mixed[text/plain text/plain text/plain]"; got != want {
		t.Errorf("tree = %s, want %s", got, want)
	}
	last := m.Root.Parts[2]
	if got, want := text[last.BodyStart:last.End], "x\r\n--b\r\n\r\nx\r\n--b\r\n\r\nx"; got != want {
		t.Errorf("last part = %q, want %q", got, want)
	}
	if d := cmp.Diff(m.Defects, []Defect{{TooManyParts, 75, 2}}); d != "" {
		t.Errorf("defects (-got +want):\n%s", d)
	}
	checkSeen(t, text, m, rec)

	m, _ = walkAll(t, mixed+"--b\r\n"+mixed+"--b\r\n", Options{MaxParts: 2})
	if got, want := shape(m.Root), "multipart/mixed[application/octet-stream]"; got != want || !m.Has(TooManyParts) {
		t.Errorf("tree = %s, want %s; defects %v", got, want, m.Defects)
	}
	m, _ = walkAll(t, mixed+strings.Repeat("--b\r\n\r\n", 3000), Options{})
	if got, want := len(m.Root.Parts), 999; got != want {
		t.Errorf("%d parts, want %d", got, want)
	}
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	fits := "From: a@b\r\nSubject: x\r\n\r\n"
	text := "From: a@b\r\nSubject: x\r\n folded\r\nContent-Type: text/html\r\n\r\nbody"
	for _, tt := range []struct {
		name, text string
		limit      int
		header     string
		keptAll    bool
	}{
		{"fits", fits, len(fits), "From: a@b\r\nSubject: x\r\n", true},
		{"blank line one over", fits, len(fits) - 1, "From: a@b\r\nSubject: x\r\n", false},
		{"one over", fits, len(fits) - 3, "From: a@b\r\n", false},
		{"cut inside a folded field", text, 30, "From: a@b\r\n", false},
		{"cut inside the first", text, 5, "", false},
	} {
		m, _ := walkAll(t, tt.text, Options{MaxHeader: tt.limit, Keep: []string{"from"}})
		if got := string(m.Root.Header); got != tt.header {
			t.Errorf("%s: header %q, want %q", tt.name, got, tt.header)
		}
		if m.KeptAll != tt.keptAll || m.Has(HeaderTooLong) == tt.keptAll {
			t.Errorf("%s: KeptAll %v, defects %v", tt.name, m.KeptAll, m.Defects)
		}
		if want := int64(strings.Index(tt.text, "\r\n\r\n") + 4); m.HeaderLen != want {
			t.Errorf("%s: HeaderLen %d, want %d", tt.name, m.HeaderLen, want)
		}
		checkCuts(t, tt.text, Options{MaxHeader: tt.limit, Keep: []string{"from"}})
	}
}

func TestHundredThousandHeaders(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("X: y\r\n", 100_000) + "Subject: last\r\n\r\nbody"
	m, _ := walkAll(t, text, Options{})
	if len(m.Root.Header) > DefaultMaxHeader || m.Envelope.Subject != "" || !m.Has(HeaderTooLong) {
		t.Errorf("header of %d octets, subject %q, defects %v", len(m.Root.Header), m.Envelope.Subject, m.Defects)
	}
	if got := text[m.Root.BodyStart:m.Root.End]; got != "body" {
		t.Errorf("body %q", got)
	}
}

// TestTextLimit feeds headers made to fill memory: what the tree keeps stays within bounds, and says so.
func TestTextLimit(t *testing.T) {
	t.Parallel()
	fill := strings.Repeat("y", 90)
	for name, header := range map[string]string{
		"parameters":   "Content-Type: text/html" + strings.Repeat(";a=b", 3000) + "\r\n",
		"descriptions": "Content-Description: " + strings.Repeat(fill, 100) + "\r\n",
		"comments":     "Content-Type: text/html; a=b " + strings.Repeat("("+fill+")", 100) + "\r\n",
		"languages":    "Content-Language: " + strings.Repeat("a,", 4000) + "\r\n",
		"envelopes":    "Content-Type: message/rfc822\r\n\r\nTo: " + strings.Repeat("a@b,", 2000) + "\r\n",
	} {
		m, _ := walkAll(t, mixed+strings.Repeat("--b\r\n"+header+"\r\n", 200)+"\r\n--b--", Options{})
		if n := len(m.AppendBinary(nil)); n > 2*maxText || !m.Has(TooMuchText) {
			t.Errorf("%s: binary form of %d octets, defects %v", name, n, m.Defects)
		}
	}
}
