package mailbox

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// TestShelf: what was read is kept for rowKept, unless there is a change meanwhile,
// also one while it was being read; a clock that goes back ends it too, and an error is
// not kept.
func TestShelf(t *testing.T) {
	t.Parallel()
	var changes atomic.Uint64
	now := time.Unix(1_800_000_000, 0)
	s := shelf[string, int]{changes: &changes, now: func() time.Time { return now }}
	reads := 0
	read := func() (int, error) { reads++; return reads, nil }
	for _, step := range []struct {
		what   string
		before func()
		want   int
	}{
		{"first", func() {}, 1},
		{"again", func() { now = now.Add(rowKept - 1) }, 1},
		{"too old", func() { now = now.Add(1) }, 2},
		{"changed", func() { changes.Add(1) }, 3},
		{"after the change", func() {}, 3},
		{"clock goes back", func() { now = now.Add(-time.Hour) }, 4},
	} {
		step.before()
		if got, err := s.get("k", read); got != step.want || err != nil {
			t.Errorf("%s: got %d, error %v, want %d", step.what, got, err, step.want)
		}
	}
	changing := func() (int, error) { changes.Add(1); return 100, nil }
	if got, _ := s.get("l", changing); got != 100 {
		t.Errorf("got %d, want what was read", got)
	}
	if got, _ := s.get("l", read); got != 5 {
		t.Errorf("got %d, which was read before a change was whole", got)
	}
	fault := errors.New("fault")
	if _, err := s.get("m", func() (int, error) { return 0, fault }); err != fault {
		t.Errorf("got error %v, want that of the reading", err)
	}
	if got, err := s.get("m", read); got != 6 || err != nil {
		t.Errorf("after an error got %d, error %v, want a new reading", got, err)
	}
	now = now.Add(rowKept)
	if s.forget(); len(s.kept) != 0 {
		t.Errorf("%d values are kept that are too old", len(s.kept))
	}
	for i := range 2 * recalled {
		s.keep(string(rune(i)), shelved[int]{})
	}
	if n := len(s.kept); n > recalled {
		t.Errorf("%d values are kept, want %d at most", n, recalled)
	}
}
