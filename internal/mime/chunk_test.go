package mime

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cut walks text cut into two writes at i, and then into single octets if i is negative.
func cut(t *testing.T, text string, i int, o Options) (*Message, *recorder) {
	t.Helper()
	rec := &recorder{}
	o.Visitor = rec
	w := NewWalker(o)
	pieces := []string{text[:max(i, 0)], text[max(i, 0):]}
	if i < 0 {
		pieces = pieces[:0]
		for j := range len(text) {
			pieces = append(pieces, text[j:j+1])
		}
	}
	for _, p := range pieces {
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return m, rec
}

// checkCuts walks text whole and cut at every octet, and compares.
func checkCuts(t *testing.T, text string, o Options) {
	t.Helper()
	want, wantRec := cut(t, text, 0, o)
	for i := -1; i < len(text); i++ {
		got, gotRec := cut(t, text, i, o)
		if d := cmp.Diff(dump(got), dump(want)); d != "" {
			t.Fatalf("cut at %d of %q (-got +want):\n%s", i, text, d)
		}
		if d := cmp.Diff(gotRec.log, wantRec.log); d != "" {
			t.Fatalf("cut at %d of %q, the visitor saw (-got +want):\n%s", i, text, d)
		}
	}
}

func TestCutsDoNotMatter(t *testing.T) {
	t.Parallel()
	checkCuts(t, sample, Options{Keep: []string{"subject"}})
}

// checkSeen compares what the visitor was given with what the offsets say.
func checkSeen(t *testing.T, text string, m *Message, rec *recorder) {
	t.Helper()
	bodies := map[string]string{}
	for _, entry := range rec.log {
		var start int64
		if n, _ := fmt.Sscanf(entry, "body %d ", &start); n == 1 {
			key := fmt.Sprintf("body %d ", start)
			if _, twice := bodies[key]; twice {
				t.Errorf("body of the part at %d came in two runs", start)
			}
			bodies[key] = strings.TrimPrefix(entry, key)
		}
	}
	leaves := 0
	eachPart(m.Root, func(p *Part) {
		if len(p.Parts) > 0 || p.Size() == 0 {
			return
		}
		got, seen := bodies[fmt.Sprintf("body %d ", p.HeaderStart)]
		if want := text[p.BodyStart:p.End]; seen && got != want {
			t.Errorf("body at %d: visitor saw %q, want %q", p.BodyStart, got, want)
		}
		if seen {
			leaves++
		} else if !m.Has(EmptyMultipart) {
			t.Errorf("the visitor saw no body of the part at %d", p.HeaderStart)
		}
	})
	if leaves != len(bodies) {
		t.Errorf("the visitor saw %d bodies, the tree has %d", len(bodies), leaves)
	}
}

func eachPart(p *Part, visit func(*Part)) {
	visit(p)
	for _, q := range p.Parts {
		eachPart(q, visit)
	}
}

// dump writes all of a message out, a line for each part. (go-cmp takes time exponential in the depth of a tree.)
func dump(m *Message) []string {
	lines := []string{fmt.Sprintf("%q %+v", m.Kept, m.Head), fmt.Sprintf("%+v", m.Defects)}
	eachPart(m.Root, func(p *Part) {
		q, e := *p, Envelope{}
		if q.Envelope != nil {
			e = *q.Envelope
		}
		q.Parts, q.Envelope = nil, nil
		lines = append(lines, fmt.Sprintf("%d parts, %+v, envelope %v: %+v", len(p.Parts), q, p.Envelope != nil, e))
	})
	return lines
}
