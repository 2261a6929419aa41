//go:build faults && linux

package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/restante/restante/mailbox"
)

// fill delivers until the disk is full, then some more, and returns the ids of
// what was taken. A hasty sender takes the answer for granted.
func fill(t *testing.T, w *world, name string, hasty bool) *diary {
	t.Helper()
	told := newDiary()
	refused := 0
	for n := 0; refused < 20; n++ {
		id := fmt.Sprintf("%s.%d@faults.invalid", name, n)
		err := w.deliverSurely(t.Context(), id)
		if err != nil && !errors.Is(err, mailbox.ErrFull) {
			t.Fatalf("message %d: %v", n, err)
		}
		if err != nil {
			refused++
		}
		if err == nil || hasty {
			told.acked = append(told.acked, id)
		}
	}
	return told
}

// fillDisk fills a file system in memory and looks at what is there: first while
// it is full, then after there was room again and mail came again.
func fillDisk(t *testing.T, hasty bool) findings {
	t.Helper()
	ctx := t.Context()
	dir := newMemoryDisk(t, "24m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := openWorld(ctx, storeOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.login(ctx)
	if err != nil {
		t.Fatal(err)
	}
	told := fill(t, w, "first", hasty)
	f := findings{acked: len(told.acked)}
	if _, err := f.look(ctx, x, told); err != nil {
		t.Fatalf("read while the disk is full: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again := fill(t, w, "second", hasty)
	if len(again.acked) < 100 {
		t.Errorf("with 6 MiB of room again, %d messages fitted in", len(again.acked))
	}
	told.acked = append(told.acked, again.acked...)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	g := findings{acked: len(told.acked)}
	g.reopened(t, dir, told)
	g.lost += f.lost
	g.broken += f.broken
	return g
}

// reopened looks at the store as the next start finds it.
func (f *findings) reopened(t *testing.T, dir string, told *diary) {
	t.Helper()
	o := storeOptions(dir)
	o.CheckOnClose = true
	w, err := openWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.look(t.Context(), x, told); err != nil {
		t.Error(err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// TestFullDisk: a full disk refuses mail, loses none, lets its owner read, and
// takes mail again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	f := fillDisk(t, false)
	t.Log(f)
	if !f.nothing() {
		t.Error(f)
	}
}

// TestFullDiskControl: a relay that acknowledges what it can't store is found out.
func TestFullDiskControl(t *testing.T) {
	t.Parallel()
	f := fillDisk(t, true)
	t.Log(f)
	if f.lost == 0 {
		t.Errorf("nothing is missing although refused mail was acknowledged: this test can't find a loss (%v)", f)
	}
}

// TestFullDiskDelete: on a disk that is full to the last byte an owner can delete all
// his mail, with what was held in reserve, and mail comes in again by itself.
func TestFullDiskDelete(t *testing.T) {
	t.Parallel()
	w, x := fullWithReserve(t, 2<<20)
	if err := x.deleteAll(t); err != nil {
		t.Fatalf("delete on a full disk: %v", err)
	}
	if err := w.deliverSurely(t.Context(), "again@faults.invalid"); err != nil {
		t.Errorf("after all was deleted: %v", err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// TestFullDiskDeleteControl: without a reserve nothing can be deleted there.
func TestFullDiskDeleteControl(t *testing.T) {
	t.Parallel()
	w, x := fullWithReserve(t, 0)
	if err := x.deleteAll(t); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("delete on a full disk: got error %v, want ErrFull: this test does not need the reserve", err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// fullOwner is an owner whose disk is full.
type fullOwner struct{ *mailbox.Session }

func (x fullOwner) deleteAll(t *testing.T) error {
	_, err := x.Expunge(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), true)
	return err
}

// fullWithReserve fills a disk with mail, and what mail leaves over with a file.
func fullWithReserve(t *testing.T, reserve int64) (*world, fullOwner) {
	t.Helper()
	dir := newMemoryDisk(t, "16m")
	o := storeOptions(dir)
	o.Reserve = reserve
	w, err := openWorld(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Sweep(t.Context()); err != nil { // which makes the reserve
		t.Fatal(err)
	}
	x, err := w.login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, "first", false)
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	return w, fullOwner{x}
}
