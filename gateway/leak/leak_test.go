package leak

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestScan: the mark is found in every form and at the seam of two reads, and nothing else
// is.
func TestScan(t *testing.T) {
	t.Parallel()
	mark := NewMark()
	wide := func(s string) (b []byte) {
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	encoded := func(before string) []byte {
		return []byte(base64.StdEncoding.EncodeToString([]byte(before + mark + " and more")))
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    bool
	}{
		{"as it is", []byte("Subject: " + mark), true},
		{"in capitals", []byte(strings.ToUpper(mark)), true},
		{"wide", wide("x" + mark), true},
		{"base64", encoded(""), true},
		{"base64, one off", encoded("x"), true},
		{"base64, two off", encoded("xy"), true},
		{"at a seam", append(bytes.Repeat([]byte("x"), 1<<20-7), mark...), true},
		{"far in", append(bytes.Repeat([]byte("x"), 3<<20), mark...), true},
		{"another mark", []byte(NewMark()), false},
		{"half of it", []byte(mark[:len(mark)-1]), false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			path := filepath.Join(home, ".thunderbird", "abc.default", "ImapMail", "127.0.0.1", "INBOX")
			write(t, path, c.content)
			write(t, filepath.Join(home, "notes"), []byte(mark)) // no mail client's
			found, files, err := Scan(t.Context(), home, Clients("linux"), mark)
			if err != nil || files != 1 {
				t.Errorf("%d files, %v, want 1", files, err)
			}
			if got := len(found) == 1 && found[0].Path == path && found[0].Client == "Thunderbird" && found[0].Advice != ""; got != c.want {
				t.Errorf("got %v, want it found: %v", found, c.want)
			}
		})
	}
}

// TestClients: every place is a pattern below the home folder, and has its advice.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, c := range Clients(goos) {
			if c.Name == "" || c.Advice == "" || len(c.Places) == 0 {
				t.Errorf("%s: half a client: %+v", goos, c)
			}
			for _, p := range c.Places {
				if _, err := filepath.Match(p, "x"); err != nil || strings.HasPrefix(p, "/") || strings.Contains(p, "..") {
					t.Errorf("%s: %s: %v", goos, p, err)
				}
			}
		}
	}
}
