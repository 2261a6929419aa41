package mime

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzWalk walks anything, whole and in random pieces, under tight limits and under the default ones.
func FuzzWalk(f *testing.F) {
	for seed := range uint64(40) {
		g := generator{Rand: rand.New(rand.NewPCG(seed, 2))}
		g.entity(0)
		f.Add(g.b.String(), seed)
	}
	f.Add(sample, uint64(1))
	f.Add(nested(7), uint64(2))
	f.Add(mixed+strings.Repeat("--b\r\n\r\n", 12), uint64(3))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		tight := Options{MaxDepth: 4, MaxParts: 8, MaxHeader: 300, Keep: []string{"subject", "to"}}
		for _, o := range []Options{tight, {Keep: tight.Keep}} {
			m, rec := walkAll(t, text, o)
			checkWalk(t, text, m, rec, o)
			pieces, piecesRec := walkPieces(t, text, rand.New(rand.NewPCG(seed, 3)), o)
			if d := cmp.Diff(dump(pieces), dump(m)); d != "" {
				t.Fatalf("in pieces (-got +want):\n%s", d)
			}
			if d := cmp.Diff(piecesRec.log, rec.log); d != "" {
				t.Fatalf("in pieces the visitor saw (-got +want):\n%s", d)
			}
		}
	})
}

func walkPieces(t *testing.T, text string, r *rand.Rand, o Options) (*Message, *recorder) {
	t.Helper()
	rec := &recorder{}
	o.Visitor = rec
	w := NewWalker(o)
	for len(text) > 0 {
		n := min(len(text), r.IntN(1<<r.IntN(8))+1)
		if _, err := w.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return m, rec
}

// checkWalk checks what must hold for every message.
func checkWalk(t *testing.T, text string, m *Message, rec *recorder, o Options) {
	t.Helper()
	if m.Size != int64(len(text)) {
		t.Fatalf("size %d of %d octets", m.Size, len(text))
	}
	checkRules(t, m)
	checkSeen(t, text, m, rec)
	parts := 0
	eachPart(m.Root, func(p *Part) {
		parts++
		for _, s := range p.strings() {
			if strings.ContainsAny(*s, "\r\n\x00") {
				t.Fatalf("string %q", *s)
			}
		}
	})
	if o.MaxParts > 0 && parts > 2*o.MaxParts {
		t.Fatalf("%d parts", parts)
	}
	if o.MaxHeader > 0 && len(m.Root.Header) > o.MaxHeader {
		t.Fatalf("header of %d octets", len(m.Root.Header))
	}
	if !strings.HasPrefix(text, string(m.Root.Header)) {
		t.Fatalf("header %q", m.Root.Header)
	}
	b := m.AppendBinary(nil)
	checkBinary(t, b)
	stored, err := ParseBinary(b)
	if err != nil {
		t.Fatal(err)
	}
	want := *m
	root := *m.Root
	root.Header, want.Root, want.Defects = nil, &root, nil
	if d := cmp.Diff(dump(stored), dump(&want)); d != "" {
		t.Fatalf("stored and read (-got +want):\n%s", d)
	}
}
