package sqlstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

func TestOpenLocked(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := open(t, o)
	_, err := Open(t.Context(), o)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), o.Path) {
		t.Errorf("got error %v, want ErrLocked naming the file", err)
	}
	out, err := child(t.Context(), "open", o.Path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), ErrLocked.Error()) {
		t.Errorf("another process opened the store as well: %s", out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t.Context(), "open", o.Path).CombinedOutput(); err != nil {
		t.Errorf("another process can't open the store after Close: %v: %s", err, out)
	}
}

func TestOpenWrongKey(t *testing.T) {
	t.Parallel()
	o := options(t)
	if err := withAlice(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	wrong := o
	wrong.KeyCheck = func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey([32]byte{2}, id).Check() }
	if _, err := Open(t.Context(), wrong); !errors.Is(err, ErrWrongKey) {
		t.Errorf("got error %v, want ErrWrongKey", err)
	}
	if _, err := open(t, o).Account(t.Context(), alice); err != nil {
		t.Errorf("with the right key again: %v", err)
	}
}

func TestOpenOptions(t *testing.T) {
	t.Parallel()
	noKey := options(t)
	noKey.KeyCheck = nil
	for name, o := range map[string]Options{"no path": {KeyCheck: keyOne}, "no key check": noKey} {
		if s, err := Open(t.Context(), o); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestOpenNotADatabase(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Path = filepath.Join(t.TempDir(), "mail.db")
	if err := os.WriteFile(o.Path, []byte(strings.Repeat("Dear diary, ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got error %v, want ErrCorrupt", err)
	}
}

// TestOpenOthersFiles: neither a database nor a folder of another is made ours.
func TestOpenOthersFiles(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	deliver(t, s, 100<<10)
	other := options(t)
	other.BodyDir = s.opts.BodyDir
	if _, err := Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another store") {
		t.Errorf("got error %v for a folder of bodies that is another store's", err)
	}
	on, err := database(t, filepath.Join(t.TempDir(), "other.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := on.conn.ExecContext(t.Context(), "ALTER TABLE meta RENAME TO something"); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), on, migrations); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Errorf("got error %v for another program's database", err)
	}
}

// TestOpenOddPath: characters that mean something in a database's URI are only
// characters.
func TestOpenOddPath(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Path = filepath.Join(t.TempDir(), "a b", "50%41?mode=memory#x&y.db")
	withAlice(t, o)
	if _, err := os.Stat(o.Path); err != nil {
		t.Error(err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	deliver(t, s, 100<<10)
	files := 0
	err := filepath.WalkDir(filepath.Dir(o.Path), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(path), info.Mode())
		}
		return nil
	})
	if err != nil || files < 9 { // folder, database and its two, lock, bodies, their owner, a folder, a body
		t.Errorf("found %d files, error %v", files, err)
	}
}

// TestDeletedIsGone: of an expunged message nothing is left in the file.
func TestDeletedIsGone(t *testing.T) {
	t.Parallel()
	o := options(t)
	s := withAlice(t, o)
	d := deliver(t, s, 20_000)
	deliver(t, s, 20_000)
	if _, err := s.Expunge(t.Context(), alice, mailbox.Inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 1, High: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(file), string(contents(d.Blob, 64))) {
		t.Error("the file holds a body that was expunged")
	}
	if _, err := os.Stat(o.Path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the write-ahead log is still there: %v", err)
	}
}

// The tests below start this test program again, as another process.

const childEnv = "RESTANTE_SQLSTORE_TEST"

// children are what the program can do instead of its tests.
var children = map[string]func(path string) error{
	"open":           childOpen,
	"deliver":        func(path string) error { return childDeliver(path, false) },
	"deliver-untrue": func(path string) error { return childDeliver(path, true) },
}

// atEnd is called when the tests have ended.
var atEnd []func()

func TestMain(m *testing.M) {
	run, ok := children[os.Getenv(childEnv)]
	if !ok {
		code := m.Run()
		for _, f := range atEnd {
			f()
		}
		os.Exit(code)
	}
	if err := run(os.Args[1]); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func child(ctx context.Context, what, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}

func childOpen(path string) error {
	s, err := Open(context.Background(), Options{Path: path, KeyCheck: keyOne})
	if err != nil {
		return err
	}
	return s.Close()
}
