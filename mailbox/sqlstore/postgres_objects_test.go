//go:build unix

package sqlstore

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/storetest"
	"github.com/restante/restante/test/bucket"
)

// largeSize is the size of a body that is an object.
const largeSize = 300 << 10

// withObjects has a store on PostgreSQL keep large bodies in a bucket.
func withObjects(o Options, b *bucket.Server) Options {
	o.Objects = &ObjectOptions{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Name, CredentialsFile: b.CredentialsFile}
	return o
}

func TestContractObjects(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	b := bucket.Start(t)
	storetest.RunBodies(t, func(t *testing.T) mailbox.Store { return open(t, withObjects(postgresOptions(t), b)) })
}

// TestObjects: a large body is one object of sealed bytes under a name without
// meaning, and nothing of it is in the database; a small one is no object.
func TestObjects(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	s := withAlice(t, withObjects(o, b))
	deliver(t, s, 4096)
	d := deliver(t, s, largeSize)
	objects := b.Objects(t)
	name := s.engine.(*postgres).objects.name(d.Blob)
	if len(objects) != 1 || !bytes.Equal(objects[name], contents(d.Blob, largeSize)) {
		t.Errorf("the bucket has %d objects, want the one body", len(objects))
	}
	if n := rowsOf(t, s, "chunk") + rowsOf(t, s, "loose"); n != 0 {
		t.Errorf("%d rows of the body are in the database", n)
	}
	if !whole(t, s, d.Blob) {
		t.Error("the body doesn't read whole")
	}
}

// TestObjectRange: a range in the middle is read without the rest.
func TestObjectRange(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	s := withAlice(t, withObjects(o, bucket.Start(t)))
	d := deliver(t, s, 10<<20)
	r, err := s.OpenBody(t.Context(), alice, d.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 100)
	if _, err := r.ReadAt(got, 5<<20+7); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, contents(d.Blob, 10<<20)[5<<20+7:][:100]) {
		t.Error("the range reads wrong")
	}
	if n := len(r.(*objectReader).data); n != chunkSize {
		t.Errorf("%d bytes were read for it, want one chunk", n)
	}
}

// TestObjectsDown: while the object store can't be reached, a large body is refused
// for now and a small one taken; what was there is there afterwards, and nothing of
// what was refused.
func TestObjectsDown(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	clock := newClock()
	s := withAlice(t, withObjects(clock.options(o), b))
	kept := deliver(t, s, largeSize)
	b.Down(true)
	if err := deliverOne(t.Context(), s, largeSize, false); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v, want ErrBusy", err)
	}
	if _, err := s.OpenBody(t.Context(), alice, kept.Blob); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v for a body that can't be read now, want ErrBusy", err)
	}
	deliver(t, s, 4096)
	b.Down(false)
	deliver(t, s, largeSize)
	if !whole(t, s, kept.Blob) || count(t, s) != 3 {
		t.Errorf("%d messages are there, or a body isn't whole", count(t, s))
	}
	clock.advance(30 * time.Minute)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rowsOf(t, s, "loose"); n != 0 || len(b.Objects(t)) != 2 {
		t.Errorf("after the sweep there are %d loose bodies and %d objects, want 0 and 2", n, len(b.Objects(t)))
	}
}

// TestLooseObjects: an object whose delivery never came is removed within the hour,
// and so is that of a deleted message; no delivery takes what is about to go.
func TestLooseObjects(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	clock := newClock()
	s := withAlice(t, withObjects(clock.options(o), b))
	kept, gone := deliver(t, s, largeSize), deliver(t, s, largeSize)
	orphan := newDelivery(t, s, alice, largeSize) // as if the process had died before Accept
	two := []mailbox.UIDRange{{Low: 2, High: 2}}
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: two}); err != nil {
		t.Fatal(err)
	}
	name := s.engine.(*postgres).objects.name
	for _, step := range []struct {
		later time.Duration
		want  []string
	}{
		{0, []string{name(kept.Blob), name(gone.Blob), name(orphan.Blob)}},
		{30 * time.Minute, []string{name(kept.Blob), name(gone.Blob)}},
		{15 * time.Minute, []string{name(kept.Blob)}},
	} {
		clock.advance(step.later)
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(step.want)
		if got := slices.Sorted(maps.Keys(b.Objects(t))); !slices.Equal(got, step.want) {
			t.Errorf("%v later there are %d objects, want %d", step.later, len(got), len(step.want))
		}
	}
	if _, err := s.Accept(t.Context(), []mailbox.Delivery{orphan}); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v for a body that was swept, want ErrBusy", err)
	}
}

// TestSweepOfObjectsStops: a sweep that can't reach the object store goes on later,
// and meanwhile nobody takes what it had begun to remove.
func TestSweepOfObjectsStops(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	clock := newClock()
	s := withAlice(t, withObjects(clock.options(o), b))
	orphan := newDelivery(t, s, alice, largeSize)
	clock.advance(time.Hour)
	b.Down(true)
	if err := s.Sweep(t.Context()); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v, want ErrBusy", err)
	}
	if _, err := s.Accept(t.Context(), []mailbox.Delivery{orphan}); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v for a body that is being swept, want ErrBusy", err)
	}
	b.Down(false)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rowsOf(t, s, "loose"); n != 0 || len(b.Objects(t)) != 0 {
		t.Errorf("there are %d loose bodies and %d objects, want none", n, len(b.Objects(t)))
	}
}

// TestObjectsHeld: while a copy is being made, nothing that it may name is removed.
func TestObjectsHeld(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	clock := newClock()
	s := withAlice(t, withObjects(clock.options(o), b))
	d := deliver(t, s, largeSize)
	copied := new(bytes.Buffer)
	err := s.read(t.Context(), "copy", func(q querier) error {
		if err := s.large.hold(q); err != nil {
			return err
		}
		if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()}); err != nil {
			return err
		}
		clock.advance(2 * time.Hour)
		if err := s.Sweep(t.Context()); err != nil {
			return err
		}
		return s.large.copy(q, alice, d.Blob, largeSize, copied)
	})
	if err != nil || !bytes.Equal(copied.Bytes(), contents(d.Blob, largeSize)) {
		t.Errorf("got %d bytes and error %v, want the body", copied.Len(), err)
	}
	if err := s.Sweep(t.Context()); err != nil || len(b.Objects(t)) != 0 {
		t.Errorf("after the copy there are %d objects, error %v", len(b.Objects(t)), err)
	}
}

// TestObjectsCheck: what is missing from the bucket, or short, is found and never read
// as whole; a repair drops such messages if it is asked to.
func TestObjectsCheck(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	o.CheckOnClose = false
	b := bucket.Start(t)
	s := withAlice(t, withObjects(o, b))
	lost, kept := deliver(t, s, largeSize), deliver(t, s, largeSize)
	if err := s.CheckConsistency(t.Context()); err != nil {
		t.Fatalf("before the damage: %v", err)
	}
	b.Remove(t, s.engine.(*postgres).objects.name(lost.Blob))
	if err := s.CheckConsistency(t.Context()); !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), lost.Blob.String()) {
		t.Errorf("got error %v, want ErrCorrupt that names the body", err)
	}
	if _, err := s.OpenBody(t.Context(), alice, lost.Blob); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got error %v, want ErrCorrupt", err)
	}
	if _, err := s.Repair(t.Context(), RepairOptions{Drop: true}); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	if count(t, s) != 1 || !whole(t, s, kept.Blob) {
		t.Errorf("%d messages are there, want the whole one", count(t, s))
	}
}

// TestObjectsLater: a store that had its large bodies in the database reads them there
// when new ones go to a bucket, and then does not open without it.
func TestObjectsLater(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	s := withAlice(t, o)
	before := deliver(t, s, largeSize)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, withObjects(o, bucket.Start(t)))
	after := deliver(t, s, largeSize)
	if !whole(t, s, before.Blob) || !whole(t, s, after.Blob) {
		t.Error("a body doesn't read whole")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "[s3]") {
		t.Errorf("got error %v, want one that says to configure the object store", err)
	}
}

// TestObjectsMirror: a copy of a store has the bodies, wherever either keeps them.
func TestObjectsMirror(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	b := bucket.Start(t)
	from := withAlice(t, withObjects(o, b))
	d := deliver(t, from, largeSize)
	for name, target := range map[string]Options{"to a file": options(t), "to the same bucket": withObjects(postgresOptions(t), b)} {
		target.CopyOf, target.Places = from, []Place{Arriving}
		to := open(t, target)
		if _, err := Mirror(t.Context(), from, to, MirrorOptions{Full: true}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !whole(t, to, d.Blob) {
			t.Errorf("%s: the body doesn't read whole", name)
		}
	}
	if n := len(b.Objects(t)); n != 2 {
		t.Errorf("the bucket has %d objects, want one of each store", n)
	}
}

// TestTryObjects: what a relay needs of a bucket is tried, and nothing is left of that.
func TestTryObjects(t *testing.T) {
	t.Parallel()
	b := bucket.Start(t)
	o := *withObjects(Options{}, b).Objects
	if err := TryObjects(t.Context(), o); err != nil || len(b.Objects(t)) != 0 {
		t.Errorf("got error %v and %d objects, want none", err, len(b.Objects(t)))
	}
	other := o
	other.Bucket = "nobody-made-it"
	if err := TryObjects(t.Context(), other); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("got error %v, want one that says there is no such bucket", err)
	}
	b.Down(true)
	if err := TryObjects(t.Context(), o); !errors.Is(err, mailbox.ErrBusy) {
		t.Errorf("got error %v, want ErrBusy", err)
	}
}
