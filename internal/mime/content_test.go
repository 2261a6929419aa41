package mime

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContentFields(t *testing.T) {
	t.Parallel()
	plain := Part{Type: "text", Subtype: "plain", Params: Params{{"charset", "us-ascii"}}, Encoding: "7bit"}
	typed := func(typ, sub string, ps ...Param) Part {
		return Part{Type: typ, Subtype: sub, Params: ps, Encoding: "7bit"}
	}
	with := func(p Part, change func(*Part)) Part {
		change(&p)
		return p
	}
	tests := []struct {
		name, header string
		want         Part
	}{
		{"nothing", "", plain},
		{"type", "Content-Type: Text/HTML; Charset=UTF-8", typed("text", "html", Param{"charset", "UTF-8"})},
		{"comments and blanks", "Content-Type: (a) text (b) / (c) html (d) ; (e) charset (f) = (g) utf-8 (h)", typed("text", "html", Param{"charset", "utf-8"})},
		{"folded", "Content-Type: text/html;\r\n\tcharset=utf-8;\r\n name=\"a\r\n b\"", typed("text", "html", Param{"charset", "utf-8"}, Param{"name", "a b"})},
		{"quoted", `Content-Type: a/b; x="a;b\"\\c\d"; y=""`, typed("a", "b", Param{"x", `a;b"\cd`}, Param{"y", ""})},
		{"RFC 2231 is left raw", `Content-Type: a/b; name*0*=utf-8''a%20; Name*1="b"`, typed("a", "b", Param{"name*0*", "utf-8''a%20"}, Param{"name*1", "b"})},
		{"special characters without quotes", "Content-Type: a/b; boundary=x=y?z; name=my file (1).pdf ; c=d", typed("a", "b", Param{"boundary", "x=y?z"}, Param{"name", "my file (1).pdf"}, Param{"c", "d"})},
		{"unreadable parameters are passed over", "Content-Type: a/b; ; =x; y; z = ; \"q\"=1; c=d", typed("a", "b", Param{"z", ""}, Param{"c", "d"})},
		{"no semicolon between", `Content-Type: a/b x="1" y=2`, typed("a", "b", Param{"x", "1"}, Param{"y", "2"})},
		{"disposition", "Content-Disposition: ATTACHMENT; filename=\"a b.txt\"; size=3", with(plain, func(p *Part) {
			p.Disposition, p.DispositionParams = "attachment", Params{{"filename", "a b.txt"}, {"size", "3"}}
		})},
		{"encoding", "Content-Transfer-Encoding: (x) BASE64 (y)", with(plain, func(p *Part) { p.Encoding = "base64" })},
		{"empty encoding", "Content-Transfer-Encoding: ", plain},
		{"the rest", "Content-ID: <1@x>\r\nContent-Description: a\r\n b\r\nContent-MD5: Q2hl\r\nContent-Location: http://x/\r\nContent-Language: en, (German) de-AT,fr", with(plain, func(p *Part) {
			p.ID, p.Description, p.MD5, p.Location, p.Language = "<1@x>", "a b", "Q2hl", "http://x/", []string{"en", "de-AT", "fr"}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, _ := walkAll(t, strings.TrimPrefix(tt.header+"\r\n\r\n", "\r\n"), Options{})
			got := *m.Root
			got.Header, got.BodyStart, got.End = nil, 0, 0
			if d := cmp.Diff(got, tt.want); d != "" {
				t.Errorf("(-got +want):\n%s", d)
			}
		})
	}
}

func TestDigestDefaults(t *testing.T) {
	t.Parallel()
	text := "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\nbody\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n"
	m, _ := walkAll(t, text, Options{})
	if got, want := shape(m.Root), "multipart/digest[message/rfc822[text/plain] text/plain]"; got != want {
		t.Errorf("tree = %s, want %s", got, want)
	}
	if got := m.Root.Parts[0].Envelope.Subject; got != "one" {
		t.Errorf("subject %q", got)
	}
}

func TestNestedBoundaries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, outer, inner string }{
		{"inner begins like outer", "b", "bb"},
		{"outer begins like inner", "bb", "b"},
		{"blank inside", "b", "b b"},
		{"inner looks like a close delimiter", "b", "b--"},
	} {
		text := "Content-Type: multipart/mixed; boundary=\"" + tt.outer + "\"\r\n\r\n--" + tt.outer +
			"\r\nContent-Type: multipart/mixed; boundary=\"" + tt.inner + "\"\r\n\r\n--" + tt.inner + "\r\n\r\na\r\n--" + tt.inner +
			"\r\n\r\nb\r\n--" + tt.inner + "--\r\n--" + tt.outer + "\r\n\r\nc\r\n--" + tt.outer + "--\r\n"
		m, _ := walkAll(t, text, Options{})
		if got, want := shape(m.Root), "multipart/mixed[multipart/mixed[text/plain text/plain] text/plain]"; got != want || len(m.Defects) > 0 {
			t.Errorf("%s: tree = %s, want %s; defects %v", tt.name, got, want, m.Defects)
		}
		checkCuts(t, text, Options{})
	}
}

// TestFind numbers the parts of the example in RFC 9051, 6.4.5.1, and of messages that are no multipart.
func TestFind(t *testing.T) {
	t.Parallel()
	part := func(b string, bodies ...string) string {
		s := "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n"
		for _, body := range bodies {
			s += "--" + b + "\r\n" + body + "\r\n"
		}
		return s + "--" + b + "--"
	}
	leaf := func(name string) string { return "Content-ID: " + name + "\r\n\r\nx" }
	const message = "Content-Type: message/rfc822\r\n\r\n"
	rfc := part("a", leaf("1"), leaf("2"), message+part("b", leaf("3.1"), leaf("3.2")),
		part("c", leaf("4.1"), message+part("d", leaf("4.2.1"), part("e", leaf("4.2.2.1")))))
	tests := []struct {
		name, text, id string
		path           []int
	}{
		{"1", rfc, "1", []int{1}}, {"2", rfc, "2", []int{2}},
		{"3.1", rfc, "3.1", []int{3, 1}}, {"3.2", rfc, "3.2", []int{3, 2}},
		{"4.1", rfc, "4.1", []int{4, 1}}, {"4.2.1", rfc, "4.2.1", []int{4, 2, 1}}, {"4.2.2.1", rfc, "4.2.2.1", []int{4, 2, 2, 1}},
		{"root", leaf("r"), "r", nil},
		{"root as part 1", leaf("r"), "r", []int{1}},
		{"root is a message", "Content-ID: m\r\n" + message + leaf("r"), "m", []int{1}},
		{"message in the root", "Content-ID: m\r\n" + message + leaf("r"), "r", []int{1, 1}},
		{"message in message", message + "Content-ID: i\r\n" + message + leaf("r"), "i", []int{1, 1}},
		{"in message in message", message + "Content-ID: i\r\n" + message + leaf("r"), "r", []int{1, 1, 1}},
		{"no part 0", rfc, "none", []int{0}}, {"no part 5", rfc, "none", []int{5}}, {"no part -1", rfc, "none", []int{-1}},
		{"leaf has no parts", rfc, "none", []int{1, 1}}, {"root leaf has no parts", leaf("r"), "none", []int{1, 1}},
		{"root leaf has no part 2", leaf("r"), "none", []int{2}}, {"no part 3.3", rfc, "none", []int{3, 3}},
	}
	for _, tt := range tests {
		m, err := Walk(strings.NewReader(tt.text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		id := "none"
		if p := m.Root.Find(tt.path...); p != nil {
			id = p.ID
		}
		if id != tt.id {
			t.Errorf("%s: found %q, want %q", tt.name, id, tt.id)
		}
	}
}
