package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// mark is something that can be found in a file.
func mark(what string, n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "<%s %d is here>", what, n), 8)
}

// found counts which marks are in the store's files.
func found(t *testing.T, o Options, marks map[string][]byte) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(o.Path + "*")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || info.IsDir() {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, m := range marks {
			if bytes.Contains(b, m[:len(m)/8]) {
				there[what] = true
			}
		}
	}
	return there
}

// missing names the marks that are not there, the first few of them.
func missing(there map[string]bool, marks map[string][]byte) (names []string) {
	for name := range marks {
		if !there[name] && len(names) < 5 {
			names = append(names, name)
		}
	}
	return names
}

// markedMessages stores messages whose parts can be found.
func markedMessages(t *testing.T, s *Store, n int, marks map[string][]byte) {
	t.Helper()
	var ds []mailbox.Delivery
	for i := range n {
		blob := seal.NewBlobID()
		body := mark("body", i)
		w, err := s.CreateBody(t.Context(), alice, blob, int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		d := mailbox.Delivery{Account: alice, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob, Key: append(mark("key", i), make([]byte, 1000)...),
			Envelope: append(make([]byte, 600), mark("envelope", i)...), Body: w, Size: 1000, Day: s.today()}
		for what, m := range map[string][]byte{"key": mark("key", i), "envelope": mark("envelope", i), "body": body} {
			marks[fmt.Sprint(what, " ", i)] = m
		}
		ds = append(ds, d)
	}
	if _, err := s.Accept(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
}

// TestErased: what was deleted or replaced is in no file of the store any more once
// the sweep was there, and was until it came, which shows that the test can find it.
func TestErased(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.bySweepOnly = true // the sweep of Open would take away what must be found first, on a slow machine
	s := withAlice(t, o)
	const n = 300
	marks := map[string][]byte{"credential": mark("credential", 1)}
	markedMessages(t, s, n, marks)
	err := s.ReplaceCredentials(t.Context(), alice, nil, []mailbox.Credential{{ID: 5, Kind: mailbox.MainSecret, Wrapped: mark("credential", 1)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if there := found(t, o, marks); len(there) != len(marks) {
		t.Fatalf("of %d marks only %d can be found while all are stored, and not, for one, %v", len(marks), len(there), missing(there, marks))
	}

	var rewrapped []mailbox.Rewrapped // the first third gets new keys, the second goes
	for uid := mailbox.UID(1); uid <= n/3; uid++ {
		rewrapped = append(rewrapped, mailbox.Rewrapped{UID: uid, Key: make([]byte, 60), Envelope: make([]byte, 900)})
	}
	if err := s.Rewrap(t.Context(), alice, mailbox.Inbox, rewrapped); err != nil {
		t.Fatal(err)
	}
	set := []mailbox.UIDRange{{Low: n/3 + 1, High: 2 * n / 3}}
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: set}); err != nil {
		t.Fatal(err)
	}
	if err := s.ReplaceCredentials(t.Context(), alice, []mailbox.CredentialID{5}, nil, nil); err != nil {
		t.Fatal(err)
	}
	gone := map[string][]byte{"credential": marks["credential"]}
	for i := range 2 * n / 3 {
		for _, what := range []string{"key", "envelope", "body"} {
			if name := fmt.Sprint(what, " ", i); i >= n/3 || what != "body" {
				gone[name] = marks[name]
			}
		}
	}
	if there := found(t, o, gone); len(there) == 0 {
		t.Error("nothing that was deleted can be found before the sweep: this test can't find anything")
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if there := found(t, o, gone); len(there) != 0 {
		t.Errorf("after the sweep %d of %d deleted parts are still in a file, such as %v", len(there), len(gone), first(there))
	}
	if there := found(t, o, marks); len(there) != len(marks)-len(gone) {
		t.Errorf("%d parts can be found, want the %d that were kept", len(there), len(marks)-len(gone))
	}

	if err := s.RemoveAccount(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if there := found(t, o, marks); len(there) != 0 {
		t.Errorf("%d parts of a removed account are still in a file, such as %v", len(there), first(there))
	}
}

func first(m map[string]bool) string {
	for k := range m {
		return k
	}
	return ""
}

// TestErasedUnasked: nobody need call the sweep, and it comes within the hour.
func TestErasedUnasked(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SweepEvery = 10 * time.Millisecond
	s := withAlice(t, o)
	marks := map[string][]byte{}
	markedMessages(t, s, 3, marks)
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); len(found(t, o, marks)) != 0; {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("deleted mail is still in a file after 12,000 times the time between two sweeps")
		}
	}
	var every Options
	every.Path, every.KeyCheck = o.Path, o.KeyCheck
	if err := every.setDefaults(); err != nil || every.SweepEvery > time.Hour {
		t.Errorf("by default the sweep comes every %v, %v", every.SweepEvery, err)
	}
}

// TestEraseWaitsForReaders: a reader in the middle of something is waited for, and
// deliveries go on meanwhile.
func TestEraseWaitsForReaders(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.bySweepOnly = true // so that the reader is in the way of this erasure and no other
	s := withAlice(t, o)
	marks := map[string][]byte{}
	markedMessages(t, s, 3, marks)
	erased := make(chan error, 1)
	err := s.read(t.Context(), "hold", func(q querier) error {
		var n int
		if _, err := q.one(`SELECT count(*) FROM message`, []any{num(&n)}); err != nil { // the snapshot begins here
			return err
		}
		if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()}); err != nil {
			return err
		}
		go func() { erased <- s.engine.erase(context.Background()) }()
		deliver(t, s, 10)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	if there := found(t, o, marks); len(there) != 0 {
		t.Errorf("%d deleted parts are still there", len(there))
	}
}
