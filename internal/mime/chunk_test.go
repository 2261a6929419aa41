package mime

import (
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
		if d := cmp.Diff(got, want); d != "" {
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
