package sqlstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

const (
	crashSenders = 16
	crashAfter   = 400 // receipts
)

// untrueReceipts counts what an untrue child has printed.
var untrueReceipts atomic.Int64

// childDeliver delivers messages until it is killed, every eighth with a body
// file, and prints the blob of each when it has its receipt. An untrue child
// prints it before, and the kill finds it with the later half of its messages not
// stored yet.
func childDeliver(path string, untrue bool) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: path, KeyCheck: keyOne})
	if err != nil {
		return err
	}
	if err := s.CreateAccount(ctx, testAccount(alice)); err != nil {
		return err
	}
	failed := make(chan error)
	for i := range crashSenders {
		go func() {
			for n := i; ; n++ {
				size := 2000
				if n%8 == 0 {
					size = 100 << 10
				}
				if err := deliverOne(ctx, s, size, untrue); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func deliverOne(ctx context.Context, s *Store, size int, untrue bool) error {
	blob := seal.NewBlobID()
	w, err := s.CreateBody(ctx, alice, blob, int64(size))
	if err != nil {
		return err
	}
	if _, err := w.Write(contents(blob, size)); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if untrue {
		fmt.Println(blob)
		if untrueReceipts.Add(1) > crashAfter/2 {
			return nil
		}
	}
	_, err = s.Accept(ctx, []mailbox.Delivery{{Account: alice, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob,
		Key: blob[:], Envelope: blob[:], Body: w, Size: int64(size), Day: s.today()}})
	if err == nil && !untrue {
		fmt.Println(blob)
	}
	return err
}

// crash lets a child deliver, kills it, and returns the blobs it printed.
func crash(t *testing.T, what, path string) []seal.BlobID {
	t.Helper()
	cmd := child(t.Context(), what, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var blobs []seal.BlobID
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		b, err := hex.DecodeString(lines.Text())
		if err != nil || len(b) != 16 {
			break // cut off by the kill
		}
		blobs = append(blobs, seal.BlobID(b))
		if len(blobs) == crashAfter {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(blobs) < crashAfter {
		t.Fatalf("the child ended by itself after %d receipts: %v", len(blobs), err)
	}
	return blobs
}

// lost counts the blobs that have no whole message in the store.
func lost(t *testing.T, s *Store, blobs []seal.BlobID) int {
	t.Helper()
	ms, err := s.Messages(t.Context(), alice, mailbox.Inbox, mailbox.AllUIDs(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[seal.BlobID]bool)
	for _, m := range ms {
		there[m.Blob] = bytes.Equal(m.Key, m.Blob[:]) && whole(t, s, m.Blob)
	}
	n := 0
	for _, b := range blobs {
		if !there[b] {
			n++
		}
	}
	return n
}

func whole(t *testing.T, s *Store, blob seal.BlobID) bool {
	t.Helper()
	r, err := s.OpenBody(t.Context(), alice, blob)
	if err != nil {
		return false
	}
	defer r.Close()
	got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	return err == nil && bytes.Equal(got, contents(blob, len(got))) && len(got) >= 2000
}

// TestKill: what had its receipt is there after the process was killed.
func TestKill(t *testing.T) {
	t.Parallel()
	for round := range 2 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			o := options(t)
			blobs := crash(t, "deliver", o.Path)
			s := open(t, o) // which checks itself at Close
			if n := lost(t, s, blobs); n != 0 {
				t.Errorf("lost %d of %d messages that had their receipts", n, len(blobs))
			}
		})
	}
}

// TestKillControl: the test above finds messages that were acknowledged too
// early. Otherwise it would prove nothing.
func TestKillControl(t *testing.T) {
	t.Parallel()
	o := options(t)
	blobs := crash(t, "deliver-untrue", o.Path)
	if lost(t, open(t, o), blobs) == 0 {
		t.Error("no message is missing although all were acknowledged before they were stored")
	}
}

// fillUp delivers until the store is full and returns the last error.
func fillUp(ctx context.Context, s *Store, size int) (stored []seal.BlobID, err error) {
	for {
		blob := seal.NewBlobID()
		w, err := s.CreateBody(ctx, alice, blob, int64(size))
		if err != nil {
			return stored, err
		}
		_, err = w.Write(contents(blob, size))
		if err == nil {
			err = w.Commit()
		}
		if err != nil {
			w.Discard()
			return stored, err
		}
		_, err = s.Accept(ctx, []mailbox.Delivery{{Account: alice, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob,
			Key: blob[:], Envelope: make([]byte, 600), Body: w, Size: int64(size), Day: s.today()}})
		if err != nil {
			return stored, err
		}
		stored = append(stored, blob)
	}
}

// limitPages limits the size of the database. The pragma answers with a row, which
// must be read: until then the writer's connection would hold on to what it sees.
func limitPages(ctx context.Context, s *Store, pages int) error {
	return s.write(ctx, "limit", func(x *tx) error {
		var n int
		_, err := x.one(fmt.Sprintf("PRAGMA max_page_count = %d", pages), []any{num(&n)})
		return err
	})
}

// TestFull: a full database refuses what comes, keeps what it has, and goes on
// when there is room.
func TestFull(t *testing.T) {
	t.Parallel()
	s := withAlice(t, options(t))
	if err := limitPages(t.Context(), s, 600); err != nil {
		t.Fatal(err)
	}
	stored, err := fillUp(t.Context(), s, 8000)
	if !errors.Is(err, mailbox.ErrFull) {
		t.Fatalf("got error %v after %d messages, want ErrFull", err, len(stored))
	}
	if n := count(t, s); n != len(stored) || n < 50 {
		t.Errorf("%d messages are there of %d stored", n, len(stored))
	}
	errs := inBatch(t, s, addSubscription("a"), func(x *tx) error {
		_, err := x.exec(queryAddBody, int64(alice), []byte("blob"), make([]byte, 1<<20))
		return err
	}, addSubscription("b"))
	if errs[0] != nil || !errors.Is(errs[1], mailbox.ErrFull) || errs[2] != nil {
		t.Errorf("got errors %v in a batch of which one was too large", errs)
	}
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 1, High: 20}}}); err != nil {
		t.Fatal(err)
	}
	again, err := fillUp(t.Context(), s, 8000)
	if len(again) < 15 || !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("after an expunge of 20, %d messages were stored, then error %v", len(again), err)
	}
}
