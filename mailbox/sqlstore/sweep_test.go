package sqlstore

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// clock is a time that tests set.
type clock struct{ unix atomic.Int64 }

func (c *clock) now() time.Time            { return time.Unix(c.unix.Load(), 0) }
func (c *clock) set(t time.Time)           { c.unix.Store(t.Unix()) }
func (c *clock) advance(d time.Duration)   { c.unix.Add(int64(d / time.Second)) }
func newClock() *clock                     { c := new(clock); c.set(time.Now()); return c }
func (c *clock) options(o Options) Options { o.Now = c.now; return o }

// leftOver puts a file where a body's would be, without a row.
func leftOver(t *testing.T, s *Store, suffix string, age time.Duration) string {
	t.Helper()
	blob := seal.NewBlobID()
	if err := s.files.makeFolder(blob); err != nil {
		t.Fatal(err)
	}
	path := s.files.path(blob) + suffix
	if err := os.WriteFile(path, []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := s.opts.Now().Add(-age)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestSweepFiles(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := withAlice(t, c.options(options(t)))
	kept := deliver(t, s, 100<<10)
	c.advance(2 * time.Hour)
	waiting := newDelivery(t, s, alice, 100<<10) // its file is younger than the clock says
	now := c.now()
	if err := os.Chtimes(s.files.path(waiting.Blob), now, now); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(s.files.folder(kept.Blob), "README")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(foreign, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	old, oldNew := leftOver(t, s, "", 26*time.Minute), leftOver(t, s, unfinished, 26*time.Minute)
	young, youngNew := leftOver(t, s, "", 24*time.Minute), leftOver(t, s, unfinished, 24*time.Minute)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		what, path string
		want       bool
	}{
		{"a body", s.files.path(kept.Blob), true},
		{"a body that waits", s.files.path(waiting.Blob), true},
		{"another's file", foreign, true},
		{"an old body without a row", old, false},
		{"an old unfinished body", oldNew, false},
		{"a young body without a row", young, true},
		{"a young unfinished body", youngNew, true},
	} {
		if exists(f.path) != f.want {
			t.Errorf("%s: there %v, want %v", f.what, !f.want, f.want)
		}
	}
	if _, err := s.Accept(t.Context(), []mailbox.Delivery{waiting}); err != nil {
		t.Error(err)
	}
}

// TestSweepSchedule: with what a body is spared (TestSweepFiles, TestLooseBodies), one
// without a row is there for an hour at most.
func TestSweepSchedule(t *testing.T) {
	t.Parallel()
	o := options(t)
	if err := o.setDefaults(); err != nil {
		t.Fatal(err)
	}
	for what, spared := range map[string]time.Duration{"a file": 25 * time.Minute, "chunks of a deleted body, and an object": 45 * time.Minute} {
		if left := spared + o.bodiesEvery(); left > time.Hour {
			t.Errorf("%s without a row may be left for %v", what, left)
		}
	}
}

// TestSweepAtOpen: what a crash left is removed by the next start, without
// anybody asking.
func TestSweepAtOpen(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	path := leftOver(t, s, "", 2*time.Hour)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	for exists(path) {
		if t.Context().Err() != nil {
			t.Fatal("the file is still there")
		}
		time.Sleep(time.Millisecond)
	}
	deliver(t, s, 100)
}

// TestForgetDeliveries: delivery ids go when nobody may ask for them any more.
func TestForgetDeliveries(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := withAlice(t, c.options(options(t)))
	const n = 1200
	var ds []mailbox.Delivery
	for range n {
		d := newDelivery(t, s, alice, 10)
		d.DeliveryID = d.Blob[:]
		ds = append(ds, d)
	}
	if _, err := s.Accept(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	remembered := func() (k int) {
		t.Helper()
		err := s.readOne(t.Context(), "count", func(q querier) error {
			_, err := q.one(`SELECT count(*) FROM delivered`, []any{&k})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, step := range []struct {
		days, want int
	}{{mailbox.DedupDays - 1, n}, {1, 0}} {
		c.advance(time.Duration(step.days) * 24 * time.Hour)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if k := remembered(); k != step.want {
			t.Errorf("%d more days on, %d deliveries are remembered, want %d", step.days, k, step.want)
		}
	}
}

// TestForgetSpent: a ticket is remembered for as long as anybody could use it again, and
// a token for good.
func TestForgetSpent(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, c.options(options(t)))
	ticket, token := mailbox.SpentToken{1}, mailbox.SpentToken{2}
	for what, last := range map[mailbox.SpentToken]mailbox.Day{ticket: s.today(), token: 0} {
		if err := s.Spend(t.Context(), what, last); err != nil {
			t.Fatal(err)
		}
	}
	for day, want := range []error{mailbox.ErrExists, nil} {
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Spend(t.Context(), ticket, s.today()); !errors.Is(err, want) {
			t.Errorf("the ticket %d days later: got %v, want %v", day, err, want)
		}
		if err := s.Spend(t.Context(), token, 0); !errors.Is(err, mailbox.ErrExists) {
			t.Errorf("the token %d days later: got %v, want ErrExists", day, err)
		}
		c.advance(24 * time.Hour)
	}
}

// TestSweepClockLeaps: a clock that leaps ahead makes every file look old. A body
// that is on its way in stays all the same, and one that was given up goes.
func TestSweepClockLeaps(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := withAlice(t, c.options(options(t)))
	writing, err := s.CreateBody(t.Context(), alice, seal.BlobID{1}, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	waiting := newDelivery(t, s, alice, 100<<10)
	given := newDelivery(t, s, alice, 100<<10)
	given.Body.Discard()
	c.advance(10 * 365 * 24 * time.Hour)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !exists(s.files.path(seal.BlobID{1})+unfinished) || !exists(s.files.path(waiting.Blob)) {
		t.Error("a body on its way in was swept away")
	}
	writing.Discard()
	if _, err := s.Accept(t.Context(), []mailbox.Delivery{waiting}); err != nil {
		t.Fatal(err)
	}
	if !whole(t, s, waiting.Blob) {
		t.Error("the body of an accepted message is not whole")
	}
	if n := len(s.files.expected()); n != 0 {
		t.Errorf("%d bodies are still expected after all were stored or given up", n)
	}
}
