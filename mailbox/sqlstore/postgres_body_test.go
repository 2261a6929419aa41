//go:build unix

package sqlstore

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// rowsOf counts the rows of a table.
func rowsOf(t testing.TB, s *Store, table string) (n int) {
	t.Helper()
	err := s.readOne(t.Context(), "count", func(q querier) error {
		_, err := q.one("SELECT count(*) FROM "+table, []any{&n})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLooseBodies: a body that nobody took is swept up when a quarter of an hour is
// over and not sooner, one that was deleted a quarter later: until then it can be read
// by who has it open.
func TestLooseBodies(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := withAlice(t, clock.options(postgresOptions(t)))
	kept := deliver(t, s, 200<<10)
	gone := deliver(t, s, 200<<10)
	r, err := s.OpenBody(t.Context(), alice, gone.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	newDelivery(t, s, alice, 200<<10) // as if the process had died before Accept
	two := []mailbox.UIDRange{{Low: 2, High: 2}}
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: two}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		later  time.Duration
		chunks int
	}{{0, 12}, {15 * time.Minute, 12}, {15 * time.Minute, 8}, {15 * time.Minute, 4}} {
		clock.advance(step.later)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := rowsOf(t, s, "chunk"); n != step.chunks {
			t.Errorf("%v later there are %d chunks, want %d", step.later, n, step.chunks)
		}
		got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if whole := string(got) == string(contents(gone.Blob, 200<<10)); whole != (step.chunks > 4) {
			t.Errorf("%v later the deleted body reads whole: %v, error %v", step.later, whole, err)
		}
	}
	if !whole(t, s, kept.Blob) || rowsOf(t, s, "loose") != 0 {
		t.Error("the sweep took a body that has its message, or left a row")
	}
}

// TestSweptOnItsWay: a body that was swept away before its delivery is not
// accepted; nor is one of which the server has lost a part.
func TestSweptOnItsWay(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"swept":            `DELETE FROM loose`,
		"a chunk is lost":  `DELETE FROM chunk WHERE n = 1`,
		"a chunk is short": `UPDATE chunk SET data = '\x00' WHERE n = 3`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := withAlice(t, postgresOptions(t))
			d := newDelivery(t, s, alice, 200<<10)
			s.sql(t, damage)
			if _, err := s.Accept(t.Context(), []mailbox.Delivery{d}); !errors.Is(err, mailbox.ErrBusy) {
				t.Errorf("got error %v, want ErrBusy", err)
			}
			if n := count(t, s); n != 0 {
				t.Errorf("%d messages are there", n)
			}
		})
	}
}

// TestPostgresCheckFinds: each invariant finds the damage it is there for, and no
// damaged body is read as another.
func TestPostgresCheckFinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ damage, want string }{
		{`UPDATE mailbox SET messages = messages + 1`, "counters of a mailbox"},
		{`UPDATE mailbox SET uidnext = 3 WHERE mailbox_id = 1`, "UIDs and mod-sequences"},
		{`UPDATE account SET used_bytes = used_bytes + 1`, "what an account keeps"},
		{`DELETE FROM address`, "INBOX, a key and an address"},
		{`DELETE FROM sealed WHERE uid = 2`, "has its sealed half"},
		{`DELETE FROM body_file`, "every message has one body"},
		{`DELETE FROM shared`, "as many messages as their count says"},
		{`UPDATE expunged SET uid_high = 999`, "expunged UIDs are gone"},
		{`DELETE FROM chunk WHERE n = 1`, "has all its chunks"},
		{`DELETE FROM chunk`, "has all its chunks"},
		{`UPDATE chunk SET data = '\x00' WHERE n = 0`, "has all its chunks"},
		{`UPDATE chunk SET n = 7 WHERE n = 1`, "has all its chunks"},
		{`INSERT INTO chunk SELECT 9, blob_id, n, data FROM chunk`, "belong to one body"},
		{`INSERT INTO loose SELECT account_id, blob_id, 0 FROM body_file`, "belong to one body"},
	} {
		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			o := postgresOptions(t)
			o.CheckOnClose = false
			s := fillVaried(t, withAlice(t, o))
			if err := s.CheckConsistency(t.Context()); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			s.sql(t, c.damage)
			err := s.CheckConsistency(t.Context())
			if !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one about %q", err, c.want)
			}
		})
	}
}

// TestDamagedChunk: a body that isn't whole is damage, and is never read as
// something else.
func TestDamagedChunk(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	o.CheckOnClose = false
	s := withAlice(t, o)
	d := deliver(t, s, 200<<10)
	s.sql(t, `DELETE FROM chunk WHERE n = 2`)
	r, err := s.OpenBody(t.Context(), alice, d.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), d.Blob.String()) {
		t.Errorf("got error %v, want ErrCorrupt naming the body", err)
	}
}

// TestChunksNeedLittleMemory: 30 MB go in and out through less than 2 MiB.
func TestChunksNeedLittleMemory(t *testing.T) {
	o := postgresOptions(t) // not parallel: it looks at the memory of the process
	s := withAlice(t, o)
	const size = 30 << 20
	blob := seal.NewBlobID()
	w, err := s.CreateBody(t.Context(), alice, blob, size)
	if err != nil {
		t.Fatal(err)
	}
	piece := contents(blob, 32<<10)
	most := heapOver(func(look func()) {
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				t.Fatal(err)
			}
			look()
		}
	})
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Accept(t.Context(), []mailbox.Delivery{{Account: alice, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob,
		Body: w, Size: size, Day: s.today()}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.OpenBody(t.Context(), alice, blob)
	if err != nil {
		t.Fatal(err)
	}
	most = max(most, heapOver(func(look func()) {
		for off := int64(0); off < size; off += int64(len(piece)) {
			if _, err := r.ReadAt(piece, off); err != nil {
				t.Fatal(err)
			}
			look()
		}
	}))
	t.Logf("%d KiB", most>>10)
	if most > 2<<20 {
		t.Errorf("a body of 30 MB took %d KiB", most>>10)
	}
}

// heapOver returns by how much the live heap grew, at most, while f ran.
func heapOver(f func(look func())) (most int64) {
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, n := live(), 0
	f(func() {
		if n++; n%64 == 0 {
			most = max(most, live()-before)
		}
	})
	return most
}
