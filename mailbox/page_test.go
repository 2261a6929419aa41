package mailbox_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restante/restante/mailbox"
)

// pagedMessages make two whole pages and a part of a third.
const pagedMessages = 160

// withPages makes an account whose INBOX was listed, and waits for its pages.
func withPages(t *testing.T, w *world) *mailbox.Session {
	t.Helper()
	x, c := w.owner(t, "b@example.org")
	var ms []mailbox.Append
	for i := range pagedMessages {
		m, err := w.Receive(t.Context(), strings.NewReader(message(fmt.Sprint("m", i), i%7)), mailbox.ReceiveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		ms = append(ms, mailbox.Append{Message: m})
	}
	if _, err := x.Append(t.Context(), mailbox.Inbox, ms...); err != nil {
		t.Fatal(err)
	}
	open(t, x, mailbox.Inbox)
	awaitPages(t, w, x, c.Account)
	return x
}

// awaitPages lists INBOX until it has all its pages.
func awaitPages(t *testing.T, w *world, x *mailbox.Session, id mailbox.AccountID) {
	t.Helper()
	until(t, func() bool {
		texts(t, x, mailbox.Inbox)
		missing, err := w.store.Unpaged(t.Context(), id, mailbox.Inbox, 1)
		return err == nil && len(missing) == 0 && len(pages(t, w, id)) > 0
	})
}

func pages(t *testing.T, w *world, id mailbox.AccountID) []mailbox.Page {
	t.Helper()
	all, err := w.store.Pages(t.Context(), id, mailbox.Inbox, 0, 99, 99)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// told is all that an item tells.
type told struct {
	Info      *mailbox.Info
	ID, Text  string
	Size      int64
	Day       mailbox.Day
	Saved     mailbox.Day
	Structure string
}

// tell reads everything of a set.
func tell(t *testing.T, x *mailbox.Session, set []mailbox.UIDRange) map[mailbox.UID]told {
	t.Helper()
	all := map[mailbox.UID]told{}
	last := mailbox.UID(0)
	err := x.FetchBodies(t.Context(), mailbox.Inbox, set, func(i *mailbox.Item) error {
		if i.UID <= last {
			t.Errorf("message %d comes after %d", i.UID, last)
		}
		last = i.UID
		one, err := tellOne(t.Context(), i)
		all[i.UID] = one
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func tellOne(ctx context.Context, i *mailbox.Item) (told, error) {
	info, err := i.Info()
	if err != nil {
		return told{}, err
	}
	root, err := i.Structure()
	if err != nil {
		return told{}, err
	}
	b, err := i.Body(ctx)
	if err != nil {
		return told{}, err
	}
	defer b.Close()
	text, err := io.ReadAll(b.Section(0, b.Size()))
	return told{info, i.ID(), string(text), i.Size, i.Day, i.Saved, fmt.Sprintf("%+v", *root)}, err
}

// TestPages: a listing from pages tells the same as one from rows, whatever is asked
// for, and whatever has gone.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := withPages(t, w)
	everything := tell(t, x, mailbox.AllUIDs())
	if len(everything) != pagedMessages {
		t.Fatalf("got %d messages, want %d", len(everything), pagedMessages)
	}
	check := func(what string, set []mailbox.UIDRange) {
		t.Helper()
		want := maps.Clone(everything)
		maps.DeleteFunc(want, func(uid mailbox.UID, _ told) bool { return !inSet(set, uid) })
		if d := cmp.Diff(want, tell(t, x, set), cmpopts.IgnoreUnexported(mailbox.Info{})); d != "" {
			t.Errorf("%s (-want +got):\n%.2000s", what, d)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10 {
		check(fmt.Sprint("set ", i), randomSet(r))
	}
	w.sql(t, "DELETE FROM sealed WHERE uid BETWEEN 64 AND 127") // what a page has is not read
	check("without rows", []mailbox.UIDRange{{Low: 64, High: 127}})
	if len(pages(t, w, x.Account())) != 2 {
		t.Fatalf("got %d pages, want 2", len(pages(t, w, x.Account())))
	}
	w.sql(t, "INSERT INTO sealed SELECT account_id, mailbox_id, uid, x'', x'' FROM message WHERE uid BETWEEN 64 AND 127")
	for uid := mailbox.UID(3); uid < 60; uid += 7 {
		delete(everything, uid)
		if _, err := x.Expunge(t.Context(), mailbox.Inbox, []mailbox.UIDRange{{Low: uid, High: uid}}, true); err != nil {
			t.Fatal(err)
		}
	}
	if got := pages(t, w, x.Account()); len(got) != 1 || got[0].Number != 1 {
		t.Errorf("got %d pages after some of page 0 were expunged, want page 1 alone", len(got))
	}
	check("after an expunge", mailbox.AllUIDs())
}

func inSet(set []mailbox.UIDRange, uid mailbox.UID) bool {
	for _, r := range set {
		if r.Low <= uid && uid <= r.High {
			return true
		}
	}
	return false
}

// randomSet picks ranges of UIDs with gaps between them.
func randomSet(r *rand.Rand) (set []mailbox.UIDRange) {
	for next := mailbox.UID(1); next < pagedMessages; {
		low := next + mailbox.UID(r.IntN(9))
		high := low + mailbox.UID(r.IntN(1+r.IntN(80)))
		set = append(set, mailbox.UIDRange{Low: low, High: high})
		next = high + 2
	}
	return set
}

// TestDamagedPages: whatever is done to pages, the messages are read as they are, from
// their rows.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		attack []string
	}{
		{"a bit", []string{flip("page", "data", "number = 1", "40")}},
		{"the generation", []string{flip("page", "data", "number = 1", "4")}},
		{"the version", []string{flip("page", "data", "number = 1", "0")}},
		{"its end", []string{"UPDATE page SET data = substr(data, 1, length(data) - 1) WHERE number = 1"}},
		{"all of it", []string{"UPDATE page SET data = x''"}},
		{"in the place of another", swap("page", "data", "number = 0", "number = 1")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			x := withPages(t, w)
			want := texts(t, x, mailbox.Inbox)
			w.sql(t, tt.attack...)
			if d := cmp.Diff(want, texts(t, x, mailbox.Inbox)); d != "" {
				t.Errorf("texts (-want +got):\n%.2000s", d)
			}
			if !strings.Contains(w.log.String(), "page does not open") {
				t.Error("the log does not tell of the page")
			}
		})
	}
}
