//go:build unix

package sqlstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExists: whether there is a store is found out without making one.
func TestExists(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"SQLite": options(t), "PostgreSQL": postgresOptions(t)} {
		for _, want := range []bool{false, true} {
			if got, err := Exists(t.Context(), o); err != nil || got != want {
				t.Errorf("%s: got %v and error %v, want %v", name, got, err, want)
			}
			if !want {
				open(t, o)
			}
		}
	}
}

// TestPostgresURL: what a URL leaves open is filled in safely, and what would lose
// answered mail is refused.
func TestPostgresURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url string
		tls bool
		bad string
	}{
		{url: "postgres://u@mail.example.org/db", tls: true},
		{url: "postgres://u@localhost,mail.example.org/db", tls: true},
		{url: "postgres://u@127.0.0.1:5433/db"},
		{url: "postgres://u@[::1]/db"},
		{url: "postgres:///db?host=/run/postgresql"},
		{url: "postgres://u@mail.example.org/db?sslmode=disable"},
		{url: "postgres://u@h/db?synchronous_commit=remote_apply", tls: true},
		{url: "postgres://u@h/db?synchronous_commit=off", bad: "synchronous_commit"},
		{url: "postgres://u@h/db?synchronous_commit=local", bad: "synchronous_commit"},
		{url: "postgres://u@h:port/db", bad: "postgres://user@host/database"},
	} {
		got, err := postgresConfig(c.url)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: got error %v, want one about %q", c.url, err, c.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		verifies := got.TLSConfig != nil && !got.TLSConfig.InsecureSkipVerify && got.TLSConfig.ServerName != ""
		if verifies != c.tls || got.ValidateConnect == nil {
			t.Errorf("%s: verifies the server's name %v, want %v; looks for the primary %v", c.url, verifies, c.tls, got.ValidateConnect != nil)
		}
	}
}

// TestPasswordFile: the password is read for each connection.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	o := postgresOptions(t)
	o.PasswordFile = filepath.Join(t.TempDir(), "password")
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "password of the store") {
		t.Errorf("got error %v without the file", err)
	}
	if err := os.WriteFile(o.PasswordFile, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := withAlice(t, o)
	got := pgConn(s.writer.on.conn).Config().Password
	if got != "hunter2" {
		t.Errorf("got a password of %d bytes, want the file's line", len(got))
	}
}
