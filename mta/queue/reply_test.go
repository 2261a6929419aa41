package queue

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestReplyText: what is kept of a reply is one printable line in which nobody is
// named.
func TestReplyText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, wire, want string }{
		{"plain", "250 Ok\r\n", "250 Ok"},
		{"bare line feed", "250 Ok\n", "250 Ok"},
		{"code alone", "250\r\n", "250 "},
		{"enhanced", "550-5.1.1 No such\r\n550 5.1.1 mailbox\r\n", "550 5.1.1 No such mailbox"},
		{"enhanced of another class", "550 2.1.1 no\r\n", "550 2.1.1 no"},
		{"no enhanced code", "550 5.1.1.1 no\r\n", "550 [redacted] no"},
		{"address", "550 <joe@secret.example>: blocked by 2001:db8::7\r\n", "550 <[redacted]>: blocked by [redacted]"},
		{"controls", "550 a\tb\x1b[31mc\xff\r\n", "550 a b [31mc"},
		{"long", "550 " + strings.Repeat("word ", 100) + "\r\n", "550 " + strings.Repeat("word ", 48) + "..."},
	} {
		r, _, err := readReply(bufio.NewReaderSize(strings.NewReader(c.wire), maxReplyLine))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := r.String() + " " + r.text; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzReadReply: whatever a server says, a reply is bounded, printable, and of a
// code that SMTP has.
func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"250 Ok\r\n", "220-a\r\n220 b\r\n", "550 5.1.1 no\r\n", "250", "25\r\n", "999 x\r\n", "250-a\r\n251 b\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, lines, err := readReply(bufio.NewReaderSize(bytes.NewReader(data), maxReplyLine))
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || len(lines) > maxReplyLines || len(r.text) > maxReplyText+3 {
			t.Errorf("out of bounds: %+v", r)
		}
		if strings.ContainsFunc(r.text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("the text is not clean: %q", r.text)
		}
		if r.enhanced != (enhanced{}) && r.enhanced[0] != r.code/100 {
			t.Errorf("an enhanced code of another class: %+v", r)
		}
	})
}

// FuzzDotWriter: what a server makes of DATA is what was sent, in whatever pieces
// it was written.
func FuzzDotWriter(f *testing.F) {
	f.Add("a\r\n.b\r\n..c\r\n", 3)
	f.Add(".", 1)
	f.Add("a\r\n.\r\nMAIL FROM:<x@y.example>\r\n", 4)
	f.Fuzz(func(t *testing.T, text string, step int) {
		text = strings.NewReplacer("\r", "", "\n", "\r\n").Replace(text) // lines end in CRLF
		var wire bytes.Buffer
		w := newDotWriter(&wire)
		for rest := text; len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			if k, err := w.Write([]byte(rest[:n])); k != n || err != nil {
				t.Fatal(k, err)
			}
			rest = rest[n:]
		}
		if err := w.finish(); err != nil {
			t.Fatal(err)
		}
		got, rest := readDots(wire.String())
		if want := text; got != want && got != want+"\r\n" || rest != "" {
			t.Errorf("got %q and then %q, want %q", got, rest, want)
		}
	})
}

// readDots reads the body of DATA line by line, as RFC 5321, 4.5.2 says.
func readDots(wire string) (body, rest string) {
	var b strings.Builder
	for {
		line, after, found := strings.Cut(wire, "\r\n")
		if !found || line == "." {
			return b.String(), after
		}
		fmt.Fprintf(&b, "%s\r\n", strings.TrimPrefix(line, "."))
		wire = after
	}
}
