package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScanDisk is the control of the demonstration's claim: what lies in clear
// is found, in any letter case.
func TestScanDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bodies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"restante.db": "\x00\x01 Bob@Restante.Test \xff", "bodies/1": "nothing"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := scanDisk(dir, map[string]string{"an address": "bob@restante.test", "the subject": "hello"})
	if err != nil {
		t.Fatal(err)
	}
	want := diskScan{files: 2, bytes: 29, found: []string{"an address in restante.db"}}
	if diff := cmp.Diff(got, want, cmp.AllowUnexported(diskScan{})); diff != "" {
		t.Error(diff)
	}
}
