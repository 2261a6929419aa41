package mailbox_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox"
)

// TestMovedRows: from stage 1 on, a message that somebody with the disk has put into
// another mailbox, under another UID, or back after its owner had deleted it, does not
// open. The error names the row, and what else is there is read as before.
func TestMovedRows(t *testing.T) {
	t.Parallel()
	const columns = "account_id, mailbox_id, uid, key_ct, env_ct"
	tests := []struct {
		name   string
		before []string // while it was there
		after  []string // when its owner had deleted it
		mbox   mailbox.MailboxID
		uid    mailbox.UID
	}{
		{name: "into another mailbox", mbox: 2, uid: 1, after: []string{
			"UPDATE message SET mailbox_id = 2 WHERE " + secondB, "UPDATE sealed SET mailbox_id = 2 WHERE " + secondB,
			"UPDATE message SET uid = 1 WHERE " + ofB + " AND mailbox_id = 2", "UPDATE sealed SET uid = 1 WHERE " + ofB + " AND mailbox_id = 2",
		}},
		{name: "under another UID", mbox: mailbox.Inbox, uid: 9, after: []string{
			"UPDATE message SET uid = 9 WHERE " + secondB, "UPDATE sealed SET uid = 9 WHERE " + secondB,
		}},
		{name: "back under a new UID", mbox: mailbox.Inbox, uid: 9, before: []string{
			"CREATE TABLE kept AS SELECT * FROM message WHERE " + firstB, "CREATE TABLE kept_sealed AS SELECT " + columns + " FROM sealed WHERE " + firstB,
			"CREATE TABLE kept_body AS SELECT * FROM body WHERE " + ofB + blobOf + firstB + ")",
		}, after: []string{
			"UPDATE kept SET uid = 9", "UPDATE kept_sealed SET uid = 9", "INSERT INTO message SELECT * FROM kept",
			"INSERT INTO sealed (" + columns + ") SELECT " + columns + " FROM kept_sealed", "INSERT INTO body SELECT * FROM kept_body",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			x := w.victims(t, mailbox.StageWrapped)
			w.sql(t, "DELETE FROM page") // which are bound as well; here it is about rows
			w.sql(t, tt.before...)
			one := []mailbox.UIDRange{{Low: 1, High: 1}}
			if _, err := x.Expunge(t.Context(), mailbox.Inbox, one, true); err != nil {
				t.Fatal(err)
			}
			w.sql(t, tt.after...)
			found := w.damagedIn(t, x, tt.mbox)
			want := fmt.Sprintf("mailbox %d, message %d:", tt.mbox, tt.uid)
			if err := found[tt.uid]; !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v, want ErrCorrupt that names %s", err, want)
			}
			if len(found) != 1 {
				t.Errorf("of the messages that nobody touched: %v", found)
			}
		})
	}
}

// damagedIn reads a mailbox, and returns why messages of it don't open.
func (w *world) damagedIn(t *testing.T, x *mailbox.Session, mbox mailbox.MailboxID) map[mailbox.UID]error {
	t.Helper()
	damaged := map[mailbox.UID]error{}
	err := x.Fetch(t.Context(), mbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		if _, err := textOf(t.Context(), i); err != nil {
			damaged[i.UID] = err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return damaged
}

// TestMovedFiles: bodies in files that were exchanged, cut or mixed do not open, or not
// beyond what is whole, and never read as another's.
func TestMovedFiles(t *testing.T) {
	t.Parallel()
	const chunk = 64<<10 + 16
	for name, attack := range map[string]func(one, two []byte) []byte{
		"another's":             func(_, two []byte) []byte { return two },
		"the end is cut":        func(one, _ []byte) []byte { return one[:len(one)-chunk] },
		"another's first chunk": func(one, two []byte) []byte { return append(append([]byte{}, two[:chunk]...), one[chunk:]...) },
		"another's second chunk": func(one, two []byte) []byte {
			return append(append(append([]byte{}, one[:chunk]...), two[chunk:2*chunk]...), one[2*chunk:]...)
		},
		"chunks in another order": func(one, _ []byte) []byte {
			return append(append(append([]byte{}, one[chunk:2*chunk]...), one[:chunk]...), one[2*chunk:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			x, _ := w.owner(t, "b@example.org")
			files := map[string][]byte{}
			for _, subject := range []string{"one", "two"} {
				w.deliver(t, message(subject, 3000), "b@example.org")
				files[subject] = w.newFile(t, files)
			}
			if found := w.damagedIn(t, x, mailbox.Inbox); len(found) != 0 {
				t.Fatalf("before the attack: %v", found)
			}
			if err := os.WriteFile(w.fileOf(t, files["one"]), attack(files["one"], files["two"]), 0o600); err != nil {
				t.Fatal(err)
			}
			found := w.damagedIn(t, x, mailbox.Inbox)
			if err := found[1]; !errors.Is(err, mailbox.ErrCorrupt) {
				t.Errorf("got error %v, want ErrCorrupt", err)
			}
			delete(found, 1)
			if len(found) != 0 {
				t.Errorf("the message that nobody touched: %v", found)
			}
		})
	}
}

// bodyFiles returns the files of bodies, by path.
func (w *world) bodyFiles(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(w.path + ".bodies/*/*")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		if files[p], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// newFile returns the content of the one file that is not among those known.
func (w *world) newFile(t *testing.T, known map[string][]byte) []byte {
	t.Helper()
	for _, b := range w.bodyFiles(t) {
		old := false
		for _, k := range known {
			old = old || string(k) == string(b)
		}
		if !old {
			return b
		}
	}
	t.Fatal("the body is in no file")
	return nil
}

// fileOf returns the path of the file with that content.
func (w *world) fileOf(t *testing.T, content []byte) string {
	t.Helper()
	for path, b := range w.bodyFiles(t) {
		if string(b) == string(content) {
			return path
		}
	}
	t.Fatal("the body is in no file")
	return ""
}
