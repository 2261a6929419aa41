package mime

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forms returns messages whose binary forms have every kind of thing in them.
func forms(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for _, text := range []string{
		"", sample, nested(60), mixed, "Sender: a@b\r\nReply-To: c@d (x)\r\nDate: 1 Jan 1950 00:00 -0330\r\nContent-Language: en, de\r\nContent-Disposition: inline; a=b\r\n\r\n",
		"Date: 23 Nov 2026 14:08 +0000\r\nTo: g: <@r:a@b>, c;\r\nContent-ID: <1>\r\nContent-MD5: x\r\nContent-Location: y\r\nContent-Description: z\r\n\r\n",
	} {
		m, err := Walk(strings.NewReader(text), Options{Keep: []string{"Date", "To", "Subject"}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m.AppendBinary(nil))
	}
	return list
}

func TestBinaryRoundTrip(t *testing.T) {
	t.Parallel()
	for _, b := range forms(t) {
		checkBinary(t, b)
	}
}

// checkBinary parses b, which must have come from AppendBinary, and compares what it means with what it was.
func checkBinary(t *testing.T, b []byte) {
	t.Helper()
	m, err := ParseBinary(b)
	if err != nil {
		t.Fatalf("ParseBinary: %v", err)
	}
	if again := m.AppendBinary(nil); !bytes.Equal(again, b) {
		t.Fatalf("%q is written as %q", b, again)
	}
	h, err := ParseHead(b)
	if err != nil {
		t.Fatalf("ParseHead: %v", err)
	}
	if d := cmp.Diff(h, m.Head); d != "" {
		t.Fatalf("ParseHead and ParseBinary differ:\n%s", d)
	}
}

func TestBinaryDoesNotAlias(t *testing.T) {
	t.Parallel()
	b := forms(t)[1]
	want, err := ParseBinary(b)
	if err != nil {
		t.Fatal(err)
	}
	copied := bytes.Clone(b)
	got, err := ParseBinary(copied)
	if err != nil {
		t.Fatal(err)
	}
	clear(copied)
	if d := cmp.Diff(dump(got), dump(want)); d != "" {
		t.Errorf("changed with its source:\n%s", d)
	}
}

// TestBinaryDamaged cuts and changes binary forms: the parsers refuse, or give a message that obeys the rules.
func TestBinaryDamaged(t *testing.T) {
	t.Parallel()
	for _, b := range forms(t)[:3] {
		for i := range b {
			if _, err := ParseBinary(b[:i]); !errors.Is(err, ErrBinary) {
				t.Fatalf("cut at %d of %d: %v", i, len(b), err)
			}
			for _, flip := range []byte{1, 0x80, 0xff} {
				damaged := bytes.Clone(b)
				damaged[i] ^= flip
				if m, err := ParseBinary(damaged); err == nil {
					checkRules(t, m)
				} else if !errors.Is(err, ErrBinary) {
					t.Fatalf("octet %d: error %v", i, err)
				}
			}
		}
		if _, err := ParseBinary(append(bytes.Clone(b), 0)); !errors.Is(err, ErrBinary) {
			t.Errorf("octet at the end: %v", err)
		}
	}
}

func TestBinaryRefuses(t *testing.T) {
	t.Parallel()
	form := func(change func(*Message)) []byte {
		m, err := Walk(strings.NewReader(sample), Options{Keep: []string{"date"}})
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		return m.AppendBinary(nil)
	}
	deep := &Part{Type: "text", Subtype: "plain"}
	for range 101 {
		deep = &Part{Type: "multipart", Subtype: "mixed", Parts: []*Part{deep}}
	}
	for name, b := range map[string][]byte{
		"other version":         append([]byte{2}, form(func(*Message) {})[1:]...),
		"size not that of root": form(func(m *Message) { m.Size++ }),
		"header not that of it": form(func(m *Message) { m.HeaderLen-- }),
		"header over size":      form(func(m *Message) { m.HeaderLen = m.Size + 1 }),
		"negative size":         form(func(m *Message) { m.Size = -1 }),
		"multipart of nothing":  form(func(m *Message) { m.Root.Parts = nil }),
		"part over the end":     form(func(m *Message) { m.Root.Parts[2].End = m.Size + 1 }),
		"part before the body":  form(func(m *Message) { m.Root.Parts[0].HeaderStart = m.HeaderLen - 1 }),
		"parts overlap":         form(func(m *Message) { m.Root.Parts[1].HeaderStart = m.Root.Parts[0].End - 1 }),
		"more lines than text":  form(func(m *Message) { m.Root.Parts[0].Lines = 100 }),
		"too deep":              form(func(m *Message) { m.Head, m.Root = Head{}, deep }),
		"kept is no field":      form(func(m *Message) { m.Kept[0].Raw = []byte("none\r\n") }),
		"kept is two":           form(func(m *Message) { m.Kept[0].Raw = []byte("A: b\r\nC: d\r\n") }),
		"kept is empty":         form(func(m *Message) { m.Kept[0].Raw = nil }),
	} {
		if m, err := ParseBinary(b); !errors.Is(err, ErrBinary) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := ParseSize(nil); !errors.Is(err, ErrBinary) {
		t.Errorf("ParseSize of nothing: %v", err)
	}
	if _, err := ParseHead(nil); !errors.Is(err, ErrBinary) {
		t.Errorf("empty: %v", err)
	}
}

// checkRules checks the rules of the package comment.
func checkRules(t *testing.T, m *Message) {
	t.Helper()
	if m.Root.HeaderStart != 0 || m.Root.BodyStart != m.HeaderLen || m.Root.End != m.Size {
		t.Fatalf("root [%d %d %d) of %d octets", m.Root.HeaderStart, m.Root.BodyStart, m.Root.End, m.Size)
	}
	eachPart(m.Root, func(p *Part) {
		if p.HeaderStart < 0 || p.BodyStart < p.HeaderStart || p.End < p.BodyStart || p.Lines < 0 || p.Lines > p.Size() {
			t.Fatalf("offsets of %+v", p)
		}
		at := p.BodyStart
		for _, q := range p.Parts {
			if q.HeaderStart < at || q.End > p.End {
				t.Fatalf("part %+v not in order in %+v", q, p)
			}
			at = q.End
		}
		n := len(p.Parts)
		switch {
		case p.IsMultipart() && n == 0, p.IsMessage() && (n != 1 || p.Envelope == nil), !p.IsMultipart() && !p.IsMessage() && (n > 0 || p.Envelope != nil):
			t.Fatalf("%d parts in %+v", n, p)
		}
	})
}

func FuzzBinary(f *testing.F) {
	for _, b := range forms(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, headErr := ParseHead(b)
		m, err := ParseBinary(b)
		if err != nil {
			return
		}
		if headErr != nil {
			t.Fatalf("ParseBinary reads what ParseHead does not: %v", headErr)
		}
		if d := cmp.Diff(h, m.Head); d != "" {
			t.Fatalf("ParseHead and ParseBinary differ:\n%s", d)
		}
		if size, err := ParseSize(b); err != nil || size != m.Size {
			t.Fatalf("ParseSize: %d, %v, want %d", size, err, m.Size)
		}
		checkRules(t, m)
		again, err := ParseBinary(m.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(dump(again), dump(m)); d != "" {
			t.Fatalf("written and read again:\n%s", d)
		}
	})
}
