//go:build unix

package sqlstore

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// TestMigrateFixturesPostgres is TestMigrateFixtures on a server, from its dumps.
func TestMigrateFixturesPostgres(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	if *keepStore {
		o := postgresOptions(t)
		keepOldStore(t, o, "postgres", func(dir string) { dump(t, o, dir) })
	}
	for _, was := range oldStores(t, "postgres") {
		t.Run(fmt.Sprint(was.Schema), func(t *testing.T) {
			t.Parallel()
			o := postgresOptions(t)
			loadDump(t, o, was.dir)
			comesThrough(t, was, o)
			fresh, _ := catalog(t)
			old, err := pgx.Connect(t.Context(), o.URL)
			must(t, err)
			defer old.Close(t.Context())
			if d := cmp.Diff(describePostgres(t, fresh), describePostgres(t, old)); d != "" {
				t.Errorf("fresh and migrated differ (-fresh +migrated):\n%s", d)
			}
		})
	}
}

// schemaOf returns the name of the schema that a store has on its server.
func schemaOf(t *testing.T, o Options) string {
	t.Helper()
	u, err := url.Parse(o.URL)
	must(t, err)
	return u.Query().Get("search_path")
}

var (
	forPSQL  = regexp.MustCompile(`(?m)^(\\.*|CREATE SCHEMA .*)\n`)
	inDumped = regexp.MustCompile(`\bdumped\.`)
)

// dump writes a store as SQL that belongs to no schema yet.
func dump(t *testing.T, o Options, dir string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(sharedPG.server.bin, "pg_dump"), "-h", sharedPG.server.dir, "-U", "restante",
		"--schema="+schemaOf(t, o), "--inserts", "--rows-per-insert=100", "--no-owner", "postgres")
	text, err := cmd.Output()
	must(t, err)
	text = bytes.ReplaceAll(forPSQL.ReplaceAll(text, nil), []byte(schemaOf(t, o)+"."), []byte("dumped."))
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(text)
	must(t, err)
	must(t, z.Close())
	must(t, os.WriteFile(filepath.Join(dir, "dump.sql.gz"), b.Bytes(), 0o644))
}

// loadDump runs a dump in the schema of a test, as if it had been made on this server: on
// another one every UIDVALIDITY would be raised.
func loadDump(t *testing.T, o Options, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "dump.sql.gz"))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	text, err := io.ReadAll(z)
	must(t, err)
	sharedPG.server.sql(t, inDumped.ReplaceAllString(string(text), schemaOf(t, o)+"."))
	sharedPG.server.sql(t, "UPDATE "+schemaOf(t, o)+".cluster SET system = (SELECT system_identifier FROM pg_control_system())")
}
