package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// copyOptions has a path of its own for a copy.
func copyOptions(t testing.TB, of *Store) Options {
	return Options{Path: filepath.Join(t.TempDir(), "copy", "mail.db"), CopyOf: of, Places: []Place{Arriving, Copy}, CheckOnClose: true}
}

// mirrorTo makes or renews a copy and compares it with its source.
func mirrorTo(t *testing.T, from *Store, o Options) Progress {
	t.Helper()
	to, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Mirror(t.Context(), from, to, MirrorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := to.SetPlace(t.Context(), Copy); err != nil {
		t.Fatal(err)
	}
	sameStores(t, from, to)
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// sameStores holds two stores to the same rows and bytes.
func sameStores(t *testing.T, a, b *Store) {
	t.Helper()
	want, err := a.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the copy differs (-source +copy):\n%s", d)
	}
}

// fillCopied makes a store with all that a copy has to carry.
func fillCopied(t *testing.T, s *Store) *Store {
	t.Helper()
	fillVaried(t, s)
	for id := range mailbox.AccountID(5) {
		if err := s.CreateAccount(t.Context(), testAccount(id+20)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), []mailbox.Delivery{newDelivery(t, s, id+20, 100)}, outbound(t, s, int(id)*30_000)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// outbound makes mail to another relay.
func outbound(t *testing.T, s *Store, size int) mailbox.Outbound {
	t.Helper()
	d := newDelivery(t, s, mailbox.QueueAccount, size+1)
	return mailbox.Outbound{
		Job: mailbox.JobID(size + 1), Destination: mailbox.DestinationID{byte(size / 30_000)}, Due: s.opts.Now(),
		Blob: d.Blob, Envelope: make([]byte, 200), Body: d.Body,
	}
}

// TestMirror: a copy is the same as the store at every time, whatever has happened
// since the last one, and a renewed copy writes only what differs.
func TestMirror(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	testMirror(t, s, copyOptions(t, s))
}

func testMirror(t *testing.T, s *Store, o Options) {
	t.Helper()
	mirrorTo(t, s, o)
	if p := mirrorTo(t, s, o); p.Rows != 0 {
		t.Errorf("a copy of what has not changed wrote %d rows", p.Rows)
	}
	for _, c := range mirrorChanges {
		if err := c.change(t, s); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if p := mirrorTo(t, s, o); p.Rows == 0 || p.Rows > 40 {
			t.Errorf("after %s, the copy wrote %d rows", c.what, p.Rows)
		}
	}
}

// mirrorChanges are what can happen between two copies.
var mirrorChanges = []struct {
	what   string
	change func(t *testing.T, s *Store) error
}{
	{"a delivery", func(t *testing.T, s *Store) error {
		deliver(t, s, 300)
		return nil
	}},
	{"a large delivery", func(t *testing.T, s *Store) error {
		deliver(t, s, 200<<10)
		return nil
	}},
	{"a flag", func(t *testing.T, s *Store) error {
		two := []mailbox.UIDRange{{Low: 2, High: 2}}
		_, err := s.StoreFlags(t.Context(), alice, 1, mailbox.FlagChange{Set: two, Mode: mailbox.AddFlags, Flags: mailbox.Flagged})
		return err
	}},
	{"an expunge", func(t *testing.T, s *Store) error {
		_, err := s.Expunge(t.Context(), alice, 1, mailbox.ExpungeRequest{Set: mailbox.AllUIDs(), Limit: 2})
		return err
	}},
	{"two names that were swapped", func(t *testing.T, s *Store) error {
		boxes, err := s.Mailboxes(t.Context(), 20)
		if err != nil {
			return err
		}
		a, b, aside := boxes[0], boxes[1], mailbox.SealedName{MAC: []byte("x"), Sealed: []byte("x")}
		return errors.Join(s.RenameMailboxes(t.Context(), 20, []mailbox.Rename{{ID: a.ID, Name: aside}}),
			s.RenameMailboxes(t.Context(), 20, []mailbox.Rename{{ID: b.ID, Name: a.Name}}),
			s.RenameMailboxes(t.Context(), 20, []mailbox.Rename{{ID: a.ID, Name: b.Name}}))
	}},
	{"an address that changed hands", func(t *testing.T, s *Store) error {
		next := testAccount(5)
		next.Address.MAC = testAccount(21).Address.MAC
		return errors.Join(s.RemoveAccount(t.Context(), 21), s.CreateAccount(t.Context(), next))
	}},
}

// TestMirrorInterrupted: a copy that stops anywhere is not taken for whole, and goes
// on when it is begun again.
func TestMirrorInterrupted(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	o := copyOptions(t, s)
	o.CheckOnClose = false
	for at := 1; ; at++ {
		to := open(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Mirror(ctx, s, to, MirrorOptions{Progress: func(p Progress) {
			if p.Accounts == at {
				cancel()
			}
		}})
		cancel()
		if closed := to.Close(); closed != nil {
			t.Fatal(closed)
		}
		if at > 6 && err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after account %d: got error %v, want context.Canceled", at, err)
		}
		whole := o
		whole.Places = []Place{Copy}
		if _, err := Open(t.Context(), whole); !errors.Is(err, ErrPlace) {
			t.Fatalf("half a copy was opened as a whole one: %v", err)
		}
	}
	o.CheckOnClose = true
	mirrorTo(t, s, o)
}

// TestMirrorWhileBusy: a copy of a store in use is what the store was at one moment:
// it is consistent, and has each mailbox's UIDs up to one without a gap.
func TestMirrorWhileBusy(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			if ctx.Err() != nil {
				ended <- nil
				return
			}
			d, err := loudDelivery(s, n)
			if err == nil {
				_, err = s.Accept(t.Context(), []mailbox.Delivery{d})
			}
			if err == nil && n%3 == 2 {
				_, err = s.Expunge(t.Context(), alice, 1, mailbox.ExpungeRequest{Set: mailbox.AllUIDs(), Limit: 2})
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	o := copyOptions(t, s)
	for range 5 {
		to := open(t, o)
		if _, err := Mirror(t.Context(), s, to, MirrorOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := to.Close(); err != nil { // which checks
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	mirrorTo(t, s, o)
}

func loudDelivery(s *Store, n int) (mailbox.Delivery, error) {
	size := []int{200, 100 << 10}[n%2]
	blob := seal.NewBlobID()
	w, err := s.CreateBody(context.Background(), alice, blob, int64(size))
	if err != nil {
		return mailbox.Delivery{}, err
	}
	_, err = w.Write(contents(blob, size))
	return mailbox.Delivery{Account: alice, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob, Key: make([]byte, 1168),
		Envelope: make([]byte, 600), Body: w, Size: int64(size), Day: s.today()}, errors.Join(err, w.Commit())
}

// TestMirrorElsewhere: a copy is made into an empty store or a copy of the same one.
func TestMirrorElsewhere(t *testing.T) {
	t.Parallel()
	s, other := withAlice(t, options(t)), withAlice(t, options(t))
	to := open(t, copyOptions(t, other))
	if _, err := Mirror(t.Context(), s, to, MirrorOptions{}); !errors.Is(err, ErrPlace) {
		t.Errorf("onto a copy of another store: got error %v, want ErrPlace", err)
	}
	o := copyOptions(t, s)
	o.Path = other.opts.Path
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrPlace) {
		t.Errorf("onto a store that is served: got error %v, want ErrPlace", err)
	}
}

// TestPlaces: a store is opened only for what it is.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for p := Served; p <= Moved; p++ {
		t.Run(fmt.Sprint(int(p)), func(t *testing.T) {
			t.Parallel()
			o := options(t)
			s := withAlice(t, o)
			if err := s.SetPlace(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for _, places := range [][]Place{nil, {Arriving, Copy}, {Moved}} {
				o.Places = places
				want := slices.Contains(places, p) || places == nil && p == Served
				s, err := Open(t.Context(), o)
				if (err == nil) != want || err != nil && !errors.Is(err, ErrPlace) {
					t.Errorf("open for %v: got error %v", places, err)
				}
				if err == nil {
					s.Close()
				}
			}
		})
	}
}

// TestTables: copying knows every table, and where its rows belong.
func TestTables(t *testing.T) {
	t.Parallel()
	tables, err := readTables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, t1 := range tables {
		owned := slices.Contains(t1.columns, "account_id")
		if owned != t1.perAccount() && t1.name != "address" {
			t.Errorf("table %s: its rows belong to accounts, but its key does not begin with one", t1.name)
		}
	}
	if len(tables) < 15 {
		t.Errorf("found only %d tables", len(tables))
	}
}
