package sqlstore

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// TestMigrateFixtures: a store that the program of each former schema made, and that
// is kept as it was, is brought up to date with all that its owner had. It ends as a
// fresh one would be, so that nobody can edit a migration that is out.
//
// The newest schema must have such a store too: who adds a migration makes it, as
// HACKING.md says, and so every schema that is released has one.
func TestMigrateFixtures(t *testing.T) {
	t.Parallel()
	if *keepStore {
		o := options(t)
		keepOldStore(t, o, "sqlite", func(dir string) { packOld(t, filepath.Dir(o.Path), dir) })
	}
	for _, was := range oldStores(t, "sqlite") {
		t.Run(fmt.Sprint(was.Schema), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			o := options(t)
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			unpackOld(t, was.dir, filepath.Dir(o.Path))
			comesThrough(t, was, o)
			on, err := database(t, o.Path, migrations)
			must(t, err)
			fresh, err := database(t, filepath.Join(t.TempDir(), "fresh.db"), migrations)
			must(t, err)
			if d := cmp.Diff(describe(t, fresh), describe(t, on)); d != "" {
				t.Errorf("fresh and migrated differ (-fresh +migrated):\n%s", d)
			}
			if was.Schema < len(migrations) {
				wayBack(t, o, was, log.String())
			}
		})
	}
}

// handsKeysOver is the first schema whose credentials could take new keys.
const handsKeysOver = 10

// comesThrough opens an old store by each of the words that open its account, holds
// it to what was seen before, and uses it.
func comesThrough(t *testing.T, was oldStore, o Options) {
	t.Helper()
	o.Now = oldClock(1)
	s := open(t, o)
	service := serviceOn(t, s)
	device := loginTo(t, service, was.User, was.Words.Device)
	x := loginTo(t, service, was.User, was.Words.Password)
	if d := cmp.Diff(was.Seen, ownerSees(t, service, x)); d != "" {
		t.Errorf("what the owner sees, before and after the upgrade (-before +after):\n%s", d)
	}
	before, err := x.Status(t.Context(), "INBOX")
	must(t, err)
	deliverTo(t, service, 99, 1)
	after, err := device.Status(t.Context(), "INBOX")
	must(t, err)
	if after.UIDNext != before.UIDNext+1 || after.Messages != before.Messages+1 {
		t.Errorf("after a delivery the next UID is %d and there are %d messages, want %d and %d", after.UIDNext, after.Messages, before.UIDNext+1, before.Messages+1)
	}
	_, err = service.SetPassword(t.Context(), x.Account(), was.Words.Recovery, "four new words here")
	must(t, err)
	again := loginTo(t, service, was.User, "four new words here")
	if was.Schema >= handsKeysOver {
		must(t, again.Rotate(t.Context()))
		again = loginTo(t, service, was.User, "four new words here")
	}
	if n := len(messagesIn(t, again, "INBOX", mailbox.Inbox)); n != int(after.Messages) {
		t.Errorf("with a new password and new keys %d messages open, want %d", n, after.Messages)
	}
	must(t, service.Close())
	must(t, s.Close()) // which checks it
}

// wayBack takes the way back that the upgrade told of: the copy in place of the store
// is what it was, for the former program.
func wayBack(t *testing.T, o Options, was oldStore, log string) {
	t.Helper()
	path := fmt.Sprintf("%s.schema-%d", o.Path, was.Schema)
	for _, want := range []string{"The way back: stop the relay, move the copy over the store", "copy=" + path} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q: %s", want, log)
		}
	}
	old, err := database(t, path, migrations[:was.Schema])
	if err != nil {
		t.Fatalf("the former program on the copy: %v", err)
	}
	if got := describe(t, old)["version"]; got != fmt.Sprint(was.Schema) {
		t.Errorf("the copy has schema %s, want %d", got, was.Schema)
	}
	var messages int
	_, err = querier{t.Context(), old}.one(`SELECT used_messages FROM account WHERE account_id > 0`, []any{&messages})
	if must(t, err); messages == 0 {
		t.Error("the copy has no messages")
	}
	must(t, checkCopy(t.Context(), path))
}

// unpackOld lays an old store's files where a store is opened.
func unpackOld(t *testing.T, dir, to string) {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(dir, "store.zip"))
	must(t, err)
	defer z.Close()
	must(t, os.CopyFS(to, z))
}

// packOld is the other way round.
func packOld(t *testing.T, from, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "store.zip"))
	must(t, err)
	defer f.Close()
	z := zip.NewWriter(f)
	must(t, z.AddFS(os.DirFS(from)))
	must(t, z.Close())
}

// TestMigrateDamaged: a database of which no sound copy can be made is left as it is.
func TestMigrateDamaged(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.CheckOnClose = false
	was := oldStores(t, "sqlite")[0]
	unpackOld(t, was.dir, filepath.Dir(o.Path))
	on, err := database(t, o.Path, migrations[:was.Schema])
	must(t, err)
	var page int64
	_, err = querier{t.Context(), on}.one(`SELECT rootpage FROM sqlite_schema WHERE name = 'sealed'`, []any{&page})
	must(t, errors.Join(err, on.close()))
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 64), (page-1)*4096)
	must(t, errors.Join(err, f.Close()))
	damagedFile, err := os.ReadFile(o.Path)
	must(t, err)
	if s, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "keep a copy from before the change to schema") {
		if err == nil {
			s.Close()
		}
		t.Errorf("got error %v, want one that says that no copy could be kept", err)
	}
	now, err := os.ReadFile(o.Path)
	if must(t, err); !bytes.Equal(now, damagedFile) {
		t.Error("the database was changed")
	}
}
