package sqlstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// backupOf makes a backup and returns its folder.
func backupOf(t *testing.T, s *Store, o BackupOptions) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), s, dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// validities returns the UIDVALIDITY of each of an account's mailboxes.
func validities(t *testing.T, s *Store, id mailbox.AccountID) (list []uint32) {
	t.Helper()
	boxes, err := s.Mailboxes(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		list = append(list, b.UIDValidity)
	}
	return list
}

// TestRestore: what comes back is what was there at the backup, under higher
// UIDVALIDITYs, while what the backup was made of went on.
func TestRestore(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	testRestore(t, s, options(t))
}

func testRestore(t *testing.T, s *Store, o Options) {
	t.Helper()
	before := validities(t, s, alice)
	dir := backupOf(t, s, BackupOptions{Full: true})
	want := count(t, s)
	deliver(t, s, 100<<10)
	if _, err := Restore(t.Context(), dir, o, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	back := open(t, o)
	if got := count(t, back); got != want {
		t.Errorf("%d messages came back of %d", got, want)
	}
	for i, v := range validities(t, back, alice) {
		if v <= before[i] || int64(v) < o.nowUnix() {
			t.Errorf("UIDVALIDITY %d became %d, want it above that and above any of former days", before[i], v)
		}
	}
	if _, err := Restore(t.Context(), dir, o, RestoreOptions{}); err == nil {
		t.Error("a store that is served was restored over")
	}
}

// nowUnix is the time by which UIDVALIDITYs are raised.
func (o Options) nowUnix() int64 { return time.Now().Unix() }

// TestBackupGoesOn: a backup of a restored store, whose changes are counted anew,
// misses nothing.
func TestBackupGoesOn(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	dir := backupOf(t, s, BackupOptions{})
	deliver(t, s, 500)
	if _, err := Backup(t.Context(), s, dir, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	if _, err := Restore(t.Context(), dir, o, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	back := open(t, o)
	deliver(t, back, 500)
	if _, err := Backup(t.Context(), back, dir, BackupOptions{Full: true}); err != nil {
		t.Error(err)
	}
}

// TestBackupDays: each day keeps its last state, in as many days as are wanted, and
// shares large bodies with the others.
func TestBackupDays(t *testing.T) {
	t.Parallel()
	o := options(t)
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	s := withAlice(t, o)
	dir := filepath.Join(t.TempDir(), "backup")
	want := map[string]int{}
	for day := range 4 {
		for range 2 {
			deliver(t, s, 100<<10)
			if _, err := Backup(t.Context(), s, dir, BackupOptions{Keep: 2}); err != nil {
				t.Fatal(err)
			}
		}
		if day >= 2 {
			want[now.Format(time.DateOnly)] = count(t, s)
		}
		now = now.AddDate(0, 0, 1)
	}
	got := map[string]int{}
	days, err := os.ReadDir(filepath.Join(dir, backupDaily))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		back := options(t)
		if _, err := Restore(t.Context(), filepath.Join(dir, backupDaily, d.Name()), back, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		got[d.Name()] = count(t, open(t, back))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("messages by day (-want +got):\n%s", d)
	}
}

// TestRestoreRefuses: no backup, half a backup, and another relay's key.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := fillCopied(t, withAlice(t, options(t)))
	if _, err := Restore(t.Context(), t.TempDir(), options(t), RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "there is no backup") {
		t.Errorf("of an empty folder: got error %v", err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Backup(ctx, s, dir, BackupOptions{Progress: func(Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), dir, options(t), RestoreOptions{}); !errors.Is(err, ErrPlace) {
		t.Errorf("of half a backup: got error %v, want ErrPlace", err)
	}
	if _, err := Backup(t.Context(), s, dir, BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.KeyCheck = keyTwo
	if _, err := Restore(t.Context(), dir, o, RestoreOptions{}); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with another key: got error %v, want ErrWrongKey", err)
	}
}

// TestDamagedBackup: a backup that lost a body is found out before it is served.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	d := deliver(t, s, 100<<10)
	dir := backupOf(t, s, BackupOptions{})
	blob := d.Blob.String()
	if err := os.Remove(filepath.Join(dir, backupFile+".bodies", blob[:2], blob)); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	if _, err := Restore(t.Context(), dir, o, RestoreOptions{}); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got error %v, want ErrCorrupt", err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrPlace) {
		t.Errorf("half a restored store was served: %v", err)
	}
}

// forMove is how a store is opened that is about to move.
func forMove(o Options) Options {
	o.Places = []Place{Served, Moved}
	return o
}

// TestMove: a store goes elsewhere and back, and only one of the two is ever served.
func TestMove(t *testing.T) {
	t.Parallel()
	testMove(t, options(t), options(t))
}

func testMove(t *testing.T, here, there Options) {
	t.Helper()
	s := fillCopied(t, withAlice(t, here))
	uids := validities(t, s, alice)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		from := open(t, forMove(here))
		if _, err := Move(t.Context(), from, there, nil); err != nil {
			t.Fatal(err)
		}
		if err := from.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), here); !errors.Is(err, ErrPlace) {
			t.Errorf("the store that was moved can be served: %v", err)
		}
		to := open(t, there)
		if got := validities(t, to, alice); !slices.Equal(got, uids) {
			t.Errorf("UIDVALIDITYs became %v, want %v", got, uids)
		}
		deliver(t, to, 100<<10)
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		here, there = there, here
	}
}

// TestMoveInterrupted: a move that stops before its last step leaves the old store
// served; one that stops in it is finished by doing it again.
func TestMoveInterrupted(t *testing.T) {
	t.Parallel()
	here, there := options(t), options(t)
	s := fillCopied(t, withAlice(t, here))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	from := open(t, forMove(here))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Move(ctx, from, there, func(Progress) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want context.Canceled", err)
	}
	if p, err := from.placeNow(t.Context()); p != Served || err != nil {
		t.Errorf("after an interrupted move the store is %v (%v), want it served", p, err)
	}
	if err := from.SetPlace(t.Context(), Moved); err != nil { // as if it had stopped in the last step
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), from, there, nil); err != nil {
		t.Errorf("the move could not be finished: %v", err)
	}
	if _, err := Move(t.Context(), from, options(t), nil); !errors.Is(err, ErrPlace) {
		t.Errorf("a store that was moved was moved elsewhere: %v", err)
	}
}
