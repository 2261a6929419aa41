package mime

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	t.Parallel()
	block := "From: a@b\r\nSubject: x\r\n\ty\r\n z \r\njunk\r\n more\r\nX-Empty:\r\nX-LF: a\n b\nOld : v\r\nLast: l\r\n\r\nBody: no\r\n"
	want := []Field{
		{"From", []byte("From: a@b\r\n")},
		{"Subject", []byte("Subject: x\r\n\ty\r\n z \r\n")},
		{"", []byte("junk\r\n more\r\n")},
		{"X-Empty", []byte("X-Empty:\r\n")},
		{"X-LF", []byte("X-LF: a\n b\n")},
		{"Old", []byte("Old : v\r\n")},
		{"Last", []byte("Last: l\r\n")},
	}
	got := slices.Collect(Fields([]byte(block)))
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	for i, value := range []string{"a@b", "x\ty z", "", "", "a b", "v", "l"} {
		if g := got[i].Value(); g != value {
			t.Errorf("value of %q = %q, want %q", got[i].Raw, g, value)
		}
	}
	if !got[0].Is("FROM") || got[0].Is("Fro") {
		t.Error("Is does not compare names without case")
	}
	for f := range Fields([]byte(block)) {
		if f.Name == "Subject" {
			break
		}
	}
	for _, s := range []string{"", "\r\n", "\nA: b\r\n"} {
		if list := slices.Collect(Fields([]byte(s))); list != nil {
			t.Errorf("Fields(%q) = %v", s, list)
		}
	}
}

func TestFieldValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ raw, want string }{
		{"A: b", "b"},
		{"A:b\r\n", "b"},
		{"A: \t b \t\r\n", "b"},
		{"A: b\r\n\r\n", "b"},
		{"A:\r\n b\r\n", "b"},
		{"A: b: c\r\n", "b: c"},
		{"A: b\rc\x00d\r\n", "b c d"},
		{"A: b\r\r\n c\r\n", "b  c"},
		{"A: b\x00\r\n", "b"},
		{"A: b\r\n\r\n c", "b  c"},
		{"A: b\nc", "b c"},
		{"A: b\r\nc", "b c"},
		{"junk", ""},
	} {
		if got := (Field{Raw: []byte(tt.raw)}).Value(); got != tt.want {
			t.Errorf("value of %q = %q, want %q", tt.raw, got, tt.want)
		}
	}
}

func TestCommonFieldsAllocateNothing(t *testing.T) { // not parallel: it counts allocations
	block := []byte("From: a@b\r\nTo: c@d\r\nSubject: x\r\nDate: y\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		for f := range Fields(block) {
			if f.Name == "" {
				t.Error("no name")
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte("From: a\r\n b\r\nx\r\n\r\nbody"))
	f.Add([]byte(" a\n\tb\r\r\n:\n\n"))
	f.Fuzz(func(t *testing.T, block []byte) {
		var all []byte
		for field := range Fields(block) {
			if len(field.Raw) == 0 || field.Name != "" && !bytes.HasPrefix(field.Raw, []byte(field.Name)) {
				t.Fatalf("field %q of %q", field, block)
			}
			if bytes.ContainsAny([]byte(field.Name+field.Value()), "\r\n\x00") {
				t.Fatalf("field %q of %q reads as %q", field.Raw, block, field.Value())
			}
			all = append(all, field.Raw...)
		}
		rest, ok := bytes.CutPrefix(block, all)
		if !ok || len(rest) > 0 && !isBlankLine(rest) {
			t.Fatalf("fields of %q end before %q", block, rest)
		}
	})
}
