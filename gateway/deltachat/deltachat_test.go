package deltachat

import (
	"archive/tar"
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// schema is of the tables that matter, as Delta Chat 2.62 has them.
const schema = `CREATE TABLE config (id INTEGER PRIMARY KEY, keyname TEXT UNIQUE, value TEXT NOT NULL);
CREATE TABLE keypairs (id INTEGER PRIMARY KEY AUTOINCREMENT, private_key UNIQUE NOT NULL, public_key UNIQUE NOT NULL,
	addr TEXT DEFAULT '' COLLATE NOCASE, is_default INTEGER DEFAULT 0, created INTEGER DEFAULT 0);`

// database makes an SQLite file by these statements.
func database(t testing.TB, statements ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dc.db")
	db, err := sql.Open(driverName, "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// archive is a backup with these files, names and contents in turn.
func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1])), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSecretKey(t *testing.T) {
	t.Parallel()
	const two = `INSERT INTO keypairs (private_key, public_key, is_default) VALUES (x'01', x'02', 1), (x'03', x'04', 0)`
	backup := func(statements ...string) []byte {
		return archive(t, "blobs_backup/a", "picture", databaseName, string(database(t, append([]string{schema}, statements...)...)))
	}
	tests := map[string]struct {
		backup []byte
		want   string
		err    error
	}{
		"by number":    {backup(two, `INSERT INTO config (keyname, value) VALUES ('key_id', '2')`), "\x03", nil},
		"by mark":      {backup(two), "\x01", nil},
		"no key":       {backup(), "", ErrNoKey},
		"huge key":     {backup(`INSERT INTO keypairs (private_key, public_key) VALUES (zeroblob(2000000), x'01')`), "", ErrNoKey},
		"other tables": {archive(t, databaseName, string(database(t, `CREATE TABLE x (y)`))), "", ErrNoBackup},
		"passphrase":   {archive(t, databaseName, "\x5a\xd3\x05\xd7\xdb\x33\x4e\x04\x8c\x0e\xa6\x94\xd0\xfa\xd3\x50 more"), "", ErrPassphrase},
		"cut off":      {archive(t, databaseName, "SQLite"), "", ErrNoBackup},
		"no database":  {archive(t, "letter", "hello"), "", ErrNoBackup},
		"no archive":   {[]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----"), "", ErrNoBackup},
	}
	for name, test := range tests {
		got, err := SecretKey(t.Context(), bytes.NewReader(test.backup))
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", name, got, err, test.want, test.err)
		}
	}
	if !IsBackup(backup()) || IsBackup([]byte("-----BEGIN PGP PRIVATE KEY BLOCK-----")) {
		t.Error("IsBackup tells an archive from a key wrongly")
	}
}

// FuzzSecretKey: whatever is in a file, there is a key of bounded size or an error.
func FuzzSecretKey(f *testing.F) {
	f.Add(archive(f, databaseName, string(database(f, schema, `INSERT INTO keypairs (private_key, public_key) VALUES (x'01', x'02')`))))
	f.Add(archive(f, databaseName, string(sqliteMagic)))
	f.Fuzz(func(t *testing.T, backup []byte) {
		secret, err := SecretKey(t.Context(), bytes.NewReader(backup))
		if (err == nil && len(secret) > maxKey) || (err != nil && secret != nil) {
			t.Errorf("got %d bytes, %v", len(secret), err)
		}
	})
}
