package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox/seal"
)

// database makes a database by migrations and returns a session on it.
func database(t *testing.T, path string, steps []string) (*session, error) {
	t.Helper()
	if err := makeFile(path); err != nil {
		t.Fatal(err)
	}
	db := openSQLite(path, "rw", writerPragmas, 1)
	t.Cleanup(func() { db.Close() })
	on, err := newSession(t.Context(), db, &sqliteDialect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { on.close() })
	return on, migrate(t.Context(), on, steps)
}

// describe returns the schema and its version.
func describe(t *testing.T, on *session) map[string]string {
	t.Helper()
	schema := make(map[string]string)
	var name, text string
	err := querier{t.Context(), on}.each(`SELECT name, coalesce(sql, '') FROM sqlite_schema`, []any{&name, &text}, func() error {
		schema[name] = strings.Join(strings.Fields(text), " ")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (querier{t.Context(), on}).one(`SELECT schema FROM meta`, []any{&text}); err != nil {
		t.Fatal(err)
	}
	schema["version"] = text
	return schema
}

var migrations = sqliteDialect.migrations

var laterSteps = []string{
	`CREATE TABLE later (n INTEGER PRIMARY KEY) STRICT; INSERT INTO later VALUES (1);`,
	`ALTER TABLE account ADD COLUMN later INTEGER NOT NULL DEFAULT 5; CREATE INDEX later_n ON later (n);`,
}

// TestMigrate: a database that came step by step is the same as a fresh one.
func TestMigrate(t *testing.T) {
	t.Parallel()
	all := append(append([]string{}, migrations...), laterSteps...)
	fresh, err := database(t, filepath.Join(t.TempDir(), "fresh.db"), all)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	for n := 1; n <= len(all); n++ {
		old, err := database(t, path, all[:n])
		if err != nil {
			t.Fatal(err)
		}
		if n == len(all) {
			if d := cmp.Diff(describe(t, fresh), describe(t, old)); d != "" {
				t.Errorf("fresh and migrated differ (-fresh +migrated):\n%s", d)
			}
		}
		if err := old.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMigrateFails: a migration that fails leaves what was there.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	on, err := database(t, path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	before := describe(t, on)
	bad := append(append([]string{}, migrations...), laterSteps[0], `CREATE TABLE later (n INTEGER) STRICT;`)
	if err := migrate(t.Context(), on, bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("schema %d:", len(bad))) {
		t.Fatalf("got error %v, want one that names schema %d", err, len(bad))
	}
	if d := cmp.Diff(before, describe(t, on)); d != "" {
		t.Errorf("a failed migration changed (-before +after):\n%s", d)
	}
}

func TestMigrateNewer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	newer := append(append([]string{}, migrations...), laterSteps...)
	if _, err := database(t, path, newer); err != nil {
		t.Fatal(err)
	}
	_, err := database(t, path, migrations)
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), fmt.Sprintf("version %d,", len(newer))) ||
		!strings.Contains(err.Error(), fmt.Sprintf("version %d;", len(migrations))) {
		t.Errorf("got error %v, want ErrNewer with both versions", err)
	}
}

// atSchema makes a store of an older schema that has an account with a message.
func atSchema(t *testing.T, n int) Options {
	t.Helper()
	o := options(t)
	on, err := database(t, o.Path, migrations[:n])
	if err != nil {
		t.Fatal(err)
	}
	q := querier{t.Context(), on}
	for _, statement := range []string{
		`INSERT INTO account (account_id, state, quota_bytes, quota_messages, used_bytes, used_messages, change, next_mailbox, uidvalidity, created)
			VALUES (7, 0, 0, 0, 3, 1, 1, 2, 5, 20000)`,
		`INSERT INTO account_key (account_id, generation, public) VALUES (7, 1, x'00')`,
		`INSERT INTO address (addr_mac, account_id, n, entry_ct) VALUES (zeroblob(16), 7, 1, x'00')`,
		`INSERT INTO mailbox (account_id, mailbox_id, name_mac, name_ct, special_use, uidvalidity, uidnext, highestmodseq, vanish_floor,
			messages, unseen, deleted, size, recent) VALUES (7, 1, x'01', x'01', 0, 5, 2, 2, 0, 1, 1, 0, 3, 1)`,
		`INSERT INTO message (account_id, mailbox_id, uid, modseq, flags, stage, size, generation, day, saved, blob_id) VALUES (7, 1, 1, 2, 0, 0, 3, 1, 20000, 20000, zeroblob(16))`,
		`INSERT INTO sealed (account_id, mailbox_id, uid, key_ct, env_ct) VALUES (7, 1, 1, x'02', x'03')`,
		`INSERT INTO body (account_id, blob_id, data) VALUES (7, zeroblob(16), x'040506')`,
	} {
		if _, err := q.exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := on.close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestUpgrade: a store of each older schema is opened with all it has, and a copy
// from before stands beside it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for n := 1; n < len(migrations); n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			o := atSchema(t, n)
			s := open(t, o)
			if got := count(t, s); got != 1 {
				t.Errorf("%d messages came through the upgrade, want 1", got)
			}
			body, err := s.OpenBody(t.Context(), alice, seal.BlobID{})
			if err != nil || body.Size() != 3 {
				t.Errorf("the body came through as %v, error %v", body, err)
			}
			old, err := database(t, fmt.Sprintf("%s.schema-%d", o.Path, n), migrations[:n])
			if err != nil {
				t.Fatalf("the copy from before: %v", err)
			}
			if got := describe(t, old)["version"]; got != fmt.Sprint(n) {
				t.Errorf("the copy from before has schema %s, want %d", got, n)
			}
		})
	}
}

// TestUpgradeNeedsRoom: without room for the copy nothing is begun, the error says how
// much is needed, and with room the same store is brought up to date.
func TestUpgradeNeedsRoom(t *testing.T) {
	t.Parallel()
	n := len(migrations) - 1
	o := atSchema(t, n)
	free := int64(4096)
	o.space = func(string) (int64, int64, error) { return free, 1 << 40, nil }
	if s, err := Open(t.Context(), o); err == nil {
		s.Close()
		t.Fatal("the schema was changed with no room for a copy")
	} else if !strings.Contains(err.Error(), "are needed and 0 MB are free: make room") {
		t.Errorf("got error %v, want one that says what is needed", err)
	}
	old, err := database(t, o.Path, migrations[:n])
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(t, old)["version"]; got != fmt.Sprint(n) {
		t.Errorf("the refused store has schema %s, want %d as before", got, n)
	}
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	copied := fmt.Sprintf("%s.schema-%d", o.Path, n)
	if _, err := os.Stat(copied); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a copy, or part of one: %v", err)
	}
	free = 1 << 30
	if got := count(t, open(t, o)); got != 1 {
		t.Errorf("with room %d messages came through, want 1", got)
	}
}

// TestOlderProgram: a program that is too old names the one to install.
func TestOlderProgram(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Program = "restante v9.8.7"
	if err := open(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := database(t, o.Path, migrations[:len(migrations)-1])
	if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "install restante v9.8.7") {
		t.Errorf("got error %v, want ErrNewer with the version to install", err)
	}
}
