package seal

import (
	"math"
	"testing"
)

// padme computes a size class as the paper writes it, in floating point.
func padme(n int64) int64 {
	e := math.Floor(math.Log2(float64(n)))
	s := math.Floor(math.Log2(e)) + 1
	step := int64(math.Exp2(e - s))
	return (n + step - 1) / step * step
}

func TestPaddedSize(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 100, 511, 512} {
		if got := PaddedSize(n); got != 512 {
			t.Errorf("%d bytes: got %d, want the smallest class, 512", n, got)
		}
	}
	tests := map[int64]int64{513: 544, 1000: 1024, 1024: 1024, 1025: 1088, 65536: 65536, 65537: 67584, 10_000_000: 10_223_616}
	for n, want := range tests {
		if got := PaddedSize(n); got != want {
			t.Errorf("%d bytes: got %d, want %d", n, got, want)
		}
	}
	last := int64(0)
	for n := int64(513); n < 1<<30; n += 1 + n/97 {
		got := PaddedSize(n)
		if want := padme(n); got != want {
			t.Errorf("%d bytes: got %d, want %d", n, got, want)
		}
		if got < n || float64(got) > 1.12*float64(n) {
			t.Errorf("%d bytes: a class of %d is out of bounds", n, got)
		}
		if PaddedSize(got) != got {
			t.Errorf("class %d is no class of its own", got)
		}
		if got < last {
			t.Errorf("%d bytes: class %d is smaller than one before", n, got)
		}
		last = got
	}
}

// TestSealedSizesShowClasses: parts of one class can't be told apart by size.
func TestSealedSizesShowClasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	relay := NewRelayKey([32]byte{}, StoreID{})
	tests := map[string]struct {
		step int
		size func(n int) int
	}{
		"envelope": {256, func(n int) int { return len(w.message.SealEnvelope(w.place, content(n))) }},
		"name":     {64, func(n int) int { return len(w.keys.SealName(string(content(n)))) }},
		"note":     {64, func(n int) int { return len(w.keys.SealNote("a", content(n))) }},
		"relay":    {64, func(n int) int { return len(relay.Seal(Queue, nil, content(n))) }},
	}
	for name, tt := range tests {
		for n := range 3 * tt.step {
			class := (n + lengthSize + tt.step - 1) / tt.step
			if got, want := tt.size(n), boxOverhead+class*tt.step; got != want {
				t.Errorf("%s of %d bytes: got %d sealed bytes, want %d", name, n, got, want)
			}
		}
	}
	small, large := sealBody(t, &w.message, content(1025)), sealBody(t, &w.message, content(1088))
	if len(small) != len(large) {
		t.Errorf("bodies of one class: got %d and %d sealed bytes", len(small), len(large))
	}
}

func TestUnpadRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string][]byte{
		"nothing":             {},
		"no length":           {0, 0, 0},
		"length beyond":       {0, 0, 0, 5, 'x', 0, 0, 0},
		"huge length":         {255, 255, 255, 255, 0, 0, 0, 0},
		"no multiple of step": {0, 0, 0, 1, 'x'},
		"a step too much":     {0, 0, 0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"padding not zero":    {0, 0, 0, 1, 'x', 0, 0, 1},
	}
	for name, b := range tests {
		if got, ok := unpad(b, 8); ok {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got, ok := unpad([]byte{0, 0, 0, 1, 'x', 0, 0, 0}, 8); !ok || string(got) != "x" {
		t.Errorf("good padding: got %q, %v", got, ok)
	}
}
