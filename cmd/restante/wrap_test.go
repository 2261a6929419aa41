package main

import (
	"strings"
	"testing"

	"github.com/restante/restante/internal/doctor"
)

func TestWrapText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text    string
		indent, width int
		want          string
	}{
		{"short", "one two", 0, 10, "one two"},
		{"no terminal", strings.Repeat("long ", 50), 0, 0, strings.Repeat("long ", 50)},
		{"broken", "one two three", 0, 8, "one two\nthree"},
		{"just fits", "one two three", 0, 13, "one two three"},
		{"below its beginning", "one two three", 4, 11, "one two\n    three"},
		{"characters, not bytes", "äöü äöü", 0, 7, "äöü äöü"},
		{"a word too long", "a https://example.org/long b", 0, 10, "a\nhttps://example.org/long\nb"},
		{"a command stays whole", "start it: `restante serve --config x` now", 0, 16, "start it:\n`restante serve --config x`\nnow"},
		{"a quote that never ends", "say `a b c d e f", 0, 8, "say\n`a b c d e f"},
	}
	for _, test := range tests {
		if got := wrapText(test.text, test.indent, test.width); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestWrapRows(t *testing.T) {
	t.Parallel()
	got := wrapRows("relay     here.test, running\nout       works\nwithout columns at all\n", 20)
	want := "relay     here.test,\n          running\nout       works\nwithout columns at all\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJoinLines(t *testing.T) {
	t.Parallel()
	if got, want := joinLines("a\nb\n\n  list\n  of\nc"), "a b\n\n  list\n  of\nc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFixIsCopyable: what is to be copied has a line of its own.
func TestFixIsCopyable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	printFinding(&b, doctor.Finding{Check: "MX", State: doctor.Wrong, Text: "none", Fix: "publish\nhere.test. MX 10 mx.here.test."})
	if !strings.HasSuffix(b.String(), "→ publish\n    here.test. MX 10 mx.here.test.\n") {
		t.Errorf("got\n%s", b.String())
	}
}
