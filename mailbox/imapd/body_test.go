package imapd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// memory is a content in memory.
type memory struct{ *bytes.Reader }

func (m memory) Section(off, n int64) io.ReadCloser {
	return io.NopCloser(io.NewSectionReader(m.Reader, off, n))
}

func (memory) Close() error { return nil }

// open makes a message that is open already.
func open(tb testing.TB, text string) *opened {
	tb.Helper()
	m, err := mime.Walk(strings.NewReader(text), mime.Options{Keep: []string{"From"}})
	if err != nil {
		tb.Fatal(err)
	}
	return &opened{ctx: tb.Context(), head: &mailbox.Info{Head: m.Head}, root: m.Root, text: memory{bytes.NewReader([]byte(text))}}
}

// parseFetch reads what stands behind the set of a FETCH.
func parseFetch(tb testing.TB, what string) (wire.Fetch, error) {
	tb.Helper()
	d, err := wire.NewReader(strings.NewReader("a "+what+"\r\n"), wire.Options{}).Command()
	if err != nil {
		tb.Fatal(err)
	}
	d.Tag()
	d.SP()
	f := d.Fetch()
	return f, d.End()
}

// respond writes the sections of a FETCH as they are told.
func respond(tb testing.TB, m *opened, what string) (string, error) {
	tb.Helper()
	want, err := parseFetch(tb, what)
	if err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	var out strings.Builder
	f := &fetching{conn: &conn{w: wire.NewEncoder(&out, wire.EncoderOptions{})}, Fetch: &want}
	f.w.StartFetch(1)
	if err := f.sections(m); err != nil {
		return "", err
	}
	if err := f.w.EndFetch(); err != nil {
		tb.Fatal(err)
	}
	if err := f.w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return out.String(), nil
}

// literal is how the octets of a section are told.
func literal(label, octets string) string {
	return fmt.Sprintf("%s{%d}\r\n%s", label, len(octets), octets)
}

// crlf is a text of Go source as a message has it.
func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

var nested = crlf(`
From: a@example.net
Subject: outer
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain
X-One: 1

one

--b
Content-Type: message/rfc822

From: inner@example.net
Subject: inner
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/html

<p>
--c

plain
--c--
--b
Content-Type: message/rfc822

Subject: simple

simple body
--b--
epilogue
`)

var single = crlf(`
From: a@example.net
Subject: s
 folded
From: second@example.net

body
`)

func TestSections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, message, section, want string }{
		{"whole", single, "BODY[]", literal("BODY[] ", single)},
		{"header", single, "BODY[HEADER]", literal("BODY[HEADER] ", single[:70])},
		{"text", single, "BODY[TEXT]", literal("BODY[TEXT] ", "body\r\n")},
		{"RFC822", single, "RFC822.TEXT", literal("RFC822.TEXT ", "body\r\n")},
		{"RFC822.HEADER", single, "RFC822.HEADER", literal("RFC822.HEADER ", single[:70])},
		{"the one part of a simple message", single, "BODY[1]", literal("BODY[1] ", "body\r\n")},
		{"its MIME header is the message's", single, "BODY[1.MIME]", literal("BODY[1.MIME] ", single[:70])},
		{"it is no message", single, "BODY[1.TEXT]", "BODY[1.TEXT] NIL"},
		{"no second part", single, "BODY[2]", "BODY[2] NIL"},
		{"nothing in it", single, "BODY[1.1]", "BODY[1.1] NIL"},

		{"all fields of the name", single, "BODY[HEADER.FIELDS (from)]",
			literal("BODY[HEADER.FIELDS (from)] ", "From: a@example.net\r\nFrom: second@example.net\r\n\r\n")},
		{"folded", single, "BODY[HEADER.FIELDS (SUBJECT X)]", literal("BODY[HEADER.FIELDS (SUBJECT X)] ", "Subject: s\r\n folded\r\n\r\n")},
		{"not some", single, "BODY[HEADER.FIELDS.NOT (From)]", literal("BODY[HEADER.FIELDS.NOT (From)] ", "Subject: s\r\n folded\r\n\r\n")},
		{"no such field", single, "BODY[HEADER.FIELDS (X)]", literal("BODY[HEADER.FIELDS (X)] ", "\r\n")},
		{"a part of some fields", single, "BODY[HEADER.FIELDS (Subject)]<9.3>", literal("BODY[HEADER.FIELDS (Subject)]<9> ", "s\r\n")},
		{"a header without its end", "Subject: x", "BODY[HEADER.FIELDS (Subject)]", literal("BODY[HEADER.FIELDS (Subject)] ", "Subject: x\r\n\r\n")},

		{"partial", single, "BODY[]<6.4>", literal("BODY[]<6> ", "a@ex")},
		{"partial, longer than the rest", single, "BODY[TEXT]<4.9>", literal("BODY[TEXT]<4> ", "\r\n")},
		{"partial behind the end", single, "BODY[]<76.1>", literal("BODY[]<76> ", "")},
		{"partial of 63 bits", single, "BODY[]<1.9223372036854775807>", literal("BODY[]<1> ", single[1:])},
		{"partial far behind the end", single, "BODY[]<9223372036854775807.9223372036854775807>", literal("BODY[]<9223372036854775807> ", "")},

		{"part", nested, "BODY[1]", literal("BODY[1] ", "one\r\n")},
		{"its MIME header", nested, "BODY[1.MIME]", literal("BODY[1.MIME] ", "Content-Type: text/plain\r\nX-One: 1\r\n\r\n")},
		{"embedded message's header", nested, "BODY[2.HEADER]", literal("BODY[2.HEADER] ", "From: inner@example.net\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n")},
		{"its fields", nested, "BODY[2.HEADER.FIELDS (Subject)]", literal("BODY[2.HEADER.FIELDS (Subject)] ", "Subject: inner\r\n\r\n")},
		{"its text", nested, "BODY[2.TEXT]", literal("BODY[2.TEXT] ", "--c\r\nContent-Type: text/html\r\n\r\n<p>\r\n--c\r\n\r\nplain\r\n--c--")},
		{"a part of it", nested, "BODY[2.1]", literal("BODY[2.1] ", "<p>")},
		{"a part's empty MIME header", nested, "BODY[2.2.MIME]", literal("BODY[2.2.MIME] ", "\r\n")},
		{"a simple embedded message's only part", nested, "BODY[3.1]", literal("BODY[3.1] ", "simple body")},
		{"that part's MIME header is the message's", nested, "BODY[3.1.MIME]", literal("BODY[3.1.MIME] ", "Subject: simple\r\n\r\n")},
		{"fields of what is no message", nested, "BODY[1.HEADER.FIELDS (X)]", "BODY[1.HEADER.FIELDS (X)] NIL"},
		{"text of what is no message", nested, "BODY[1.TEXT]", "BODY[1.TEXT] NIL"},
		{"no such part", nested, "BODY[4]", "BODY[4] NIL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := respond(t, open(t, test.message), test.section)
			if want := "* 1 FETCH (" + test.want + ")\r\n"; err != nil || got != want {
				t.Errorf("%s:\n got %q, %v\nwant %q", test.section, got, err, want)
			}
		})
	}
}

func TestBinarySections(t *testing.T) {
	t.Parallel()
	encoded := func(encoding, body string) string {
		return "Content-Transfer-Encoding: " + encoding + "\r\n\r\n" + body
	}
	for _, test := range []struct{ name, message, section, want string }{
		{"base64", encoded("base64", "aGVs\r\nbG8="), "BINARY[1]", literal("BINARY[1] ", "hello")},
		{"size", encoded("base64", "aGVs\r\nbG8="), "BINARY.SIZE[1]", "BINARY.SIZE[1] 5"},
		{"part of it", encoded("base64", "aGVs\r\nbG8="), "BINARY[1]<1.3>", literal("BINARY[1]<1> ", "ell")},
		{"behind the end", encoded("base64", "aGVs\r\nbG8="), "BINARY[1]<9.3>", literal("BINARY[1]<9> ", "")},
		{"NUL needs a literal8", encoded("base64", "AGE="), "BINARY[1]", literal("BINARY[1] ~", "\x00a")},
		{"quoted-printable", encoded("quoted-printable", "a=3Db \r\n"), "BINARY[1]", literal("BINARY[1] ", "a=b\r\n")},
		{"as it is", encoded("8bit", "\xc3\xa4"), "BINARY[1]", literal("BINARY[1] ", "\xc3\xa4")},
		{"no such part", encoded("base64", "aGVsbG8="), "BINARY.PEEK[2]", "BINARY[2] NIL"},
		{"size of no such part", encoded("base64", "aGVsbG8="), "BINARY.SIZE[2]", "BINARY.SIZE[2] 0"},
		{"size as it is", encoded("8bit", "\xc3\xa4"), "BINARY.SIZE[1]", "BINARY.SIZE[1] 2"},
		{"the message is not encoded", encoded("base64", "aGVs"), "BINARY.SIZE[]", "BINARY.SIZE[] 41"},
		{"embedded message", nested, "BINARY[3]", literal("BINARY[3] ", "Subject: simple\r\n\r\nsimple body")},
		{"no such part", nested, "BINARY[9]", "BINARY[9] NIL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := respond(t, open(t, test.message), test.section)
			if want := "* 1 FETCH (" + test.want + ")\r\n"; err != nil || got != want {
				t.Errorf("%s:\n got %q, %v\nwant %q", test.section, got, err, want)
			}
		})
	}
	if got, err := respond(t, open(t, encoded("x-secret", "a")), "BINARY[1]"); err != errUnknownCTE {
		t.Errorf("BINARY of an unknown encoding: %q, %v, want %v", got, err, errUnknownCTE)
	}
}

// TestKeptFieldsNeedNoBody: what Delta Chat fetches of each new message is told
// from the envelope data.
func TestKeptFieldsNeedNoBody(t *testing.T) {
	t.Parallel()
	m := open(t, single)
	m.text = nil // to open it would panic, for there is no item
	got, err := respond(t, m, "BODY.PEEK[HEADER.FIELDS (CHAT-VERSION FROM)]")
	want := "* 1 FETCH (" + literal("BODY[HEADER.FIELDS (CHAT-VERSION FROM)] ", "From: a@example.net\r\nFrom: second@example.net\r\n\r\n") + ")\r\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	m = open(t, single)
	m.head.KeptAll = false
	m.head.Kept = nil
	if got, err = respond(t, m, "BODY.PEEK[HEADER.FIELDS (CHAT-VERSION FROM)]"); err != nil || got != want {
		t.Errorf("with no room for all: got %q, %v\nwant %q", got, err, want)
	}
}

// FuzzSections asks any message for any section: the answer is one response,
// which names the section and has as many octets as it says.
func FuzzSections(f *testing.F) {
	for _, section := range []string{"[]", "[TEXT]", "[1.2.HEADER]", "[2.1.MIME]<3.4>", "[HEADER.FIELDS (From)]", "[3.TEXT]<1.9223372036854775807>"} {
		f.Add(nested, "BODY"+section)
	}
	f.Add(single, "BINARY[1]")
	f.Add("Content-Type: multipart/mixed; boundary=b\r\n\r\n", "BODY[1]")
	f.Add("Content-Transfer-Encoding: quoted-printable\n\n=\n= \r", "BINARY[1]<1.1>")
	f.Fuzz(func(t *testing.T, message, section string) {
		if strings.ContainsAny(section, "\r\n") {
			t.Skip("one section")
		}
		want, err := parseFetch(t, section)
		if err != nil || want.Items != 0 || len(want.Sections) != 1 {
			t.Skip("no section")
		}
		got, err := respond(t, open(t, message), section)
		if err == errUnknownCTE {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkSection(t, got, &want.Sections[0])
	})
}

// checkSection checks that a response holds the section and nothing else.
func checkSection(t *testing.T, response string, s *wire.Section) {
	t.Helper()
	var label strings.Builder
	e := wire.NewEncoder(&label, wire.EncoderOptions{})
	e.SectionLabel(s)
	if err := errors.Join(e.CRLF(), e.Flush()); err != nil {
		t.Fatal(err)
	}
	value, ok := strings.CutPrefix(response, "* 1 FETCH ("+strings.TrimSuffix(label.String(), "\r\n")+" ")
	value, ends := strings.CutSuffix(value, ")\r\n")
	if !ok || !ends {
		t.Fatalf("%q is no response with %q", response, label.String())
	}
	if value == "NIL" || s.Kind == wire.SectionBinarySize {
		return
	}
	announced, octets, _ := strings.Cut(value, "}\r\n")
	if n := strings.TrimLeft(announced, "~{"); n != strconv.Itoa(len(octets)) {
		t.Errorf("%s octets announced, %d told", n, len(octets))
	}
}
