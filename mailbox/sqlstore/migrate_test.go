package sqlstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
