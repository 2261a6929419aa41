package vault

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/mailbox/seal"
)

// TestDamage: a record that was changed in any way, or put in the place of another,
// does not open.
func TestDamage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(own, other, otherKind []byte) []byte
	}{
		{"one bit", func(own, _, _ []byte) []byte { own[len(own)/2] ^= 1; return own }},
		{"cut off", func(own, _, _ []byte) []byte { return own[:len(own)-1] }},
		{"empty", func(_, _, _ []byte) []byte { return nil }},
		{"longer", func(own, _, _ []byte) []byte { return append(own, 0) }},
		{"another record", func(_, other, _ []byte) []byte { return other }},
		{"another kind", func(_, _, otherKind []byte) []byte { return otherKind }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := create(t, Options{Dir: t.TempDir(), Passphrase: say("x")})
			read := func(kind, name string) []byte {
				put(t, v, kind, name, "content of "+kind+name)
				b, err := os.ReadFile(v.place(kind, name).file)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			damaged := tt.damage(read("a", "1"), read("a", "2"), read("b", "1"))
			if err := os.WriteFile(v.place("a", "1").file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := v.Get("a", "1"); !errors.Is(err, ErrDamaged) || got != nil {
				t.Errorf("Get: got %q, %v, want ErrDamaged", got, err)
			}
			if err := v.Each("a", func(string, []byte) error { return nil }); !errors.Is(err, ErrDamaged) {
				t.Errorf("Each: got %v, want ErrDamaged", err)
			}
			if got, err := v.Get("a", "2"); err != nil || string(got) != "content of a2" {
				t.Errorf("the other record: got %q, %v", got, err)
			}
		})
	}
}

// TestUnfinished: what a crash left half written is removed, and the record before
// it is whole.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Passphrase: say("x")}
	v := create(t, o)
	put(t, v, "k", "n", "old")
	left := v.place("k", "n").file + ".ABC" + unfinished
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := v.Each("k", func(string, []byte) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("Each: got %d records, %v, want 1", n, err)
	}
	v = reopen(t, v, o)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-written file is still there: %v", err)
	}
	if got, err := v.Get("k", "n"); err != nil || string(got) != "old" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBlob(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, seal.ChunkSize, 3*seal.ChunkSize + 7} {
		o := Options{Dir: t.TempDir(), Passphrase: say("x")}
		v := create(t, o)
		want := bytes.Repeat([]byte("blob"), size/4+1)[:size]
		if err := v.PutBlob("k", "n", bytes.NewReader(want), int64(size)); err != nil {
			t.Fatal(err)
		}
		v = reopen(t, v, o)
		if got := readBlob(t, v); !bytes.Equal(got, want) {
			t.Errorf("size %d: got %d other bytes", size, len(got))
		}
	}
}

func readBlob(t *testing.T, v *Vault) []byte {
	t.Helper()
	b, err := v.OpenBlob("k", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(b.Section(0, b.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestBlobThatFails: a blob whose source fails or lies about its size leaves the
// old one as it was, and nothing beside it.
func TestBlobThatFails(t *testing.T) {
	t.Parallel()
	v := create(t, Options{Dir: t.TempDir(), Passphrase: say("x")})
	if err := v.PutBlob("k", "n", strings.NewReader("old"), 3); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("half"), &failing{})
	for name, r := range map[string]io.Reader{"short": strings.NewReader("new"), "long": strings.NewReader("0123456789"), "broken": broken} {
		if err := v.PutBlob("k", "n", r, 8); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if got := readBlob(t, v); string(got) != "old" {
		t.Errorf("got %q, want the old blob", got)
	}
	if files, err := os.ReadDir(filepath.Dir(v.place("k", "n").file)); err != nil || len(files) != 1 {
		t.Errorf("got %d files, %v, want 1", len(files), err)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// TestBlobDamage: every byte of a blob's file counts.
func TestBlobDamage(t *testing.T) {
	t.Parallel()
	v := create(t, Options{Dir: t.TempDir(), Passphrase: say("x")})
	if err := v.PutBlob("k", "n", strings.NewReader("content"), 7); err != nil {
		t.Fatal(err)
	}
	file := v.place("k", "n").file
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x80
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := v.OpenBlob("k", "n")
		if err != nil {
			continue
		}
		if got, err := io.ReadAll(b.Section(0, b.Size())); err == nil {
			t.Errorf("byte %d changed: got %q without an error", i, got)
		}
		b.Close()
	}
}

func TestPassphraseFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for content, want := range map[string]string{"open sesame\n": "open sesame", "a b": "a b", "x\r\n": "x", "": "", "two\nlines\n": "", "\n": ""} {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := PassphraseFile(path)(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", content, got, err, want)
		}
	}
	if _, err := PassphraseFile(filepath.Join(dir, "absent"))(); err == nil {
		t.Error("no file: got no error")
	}
}

func TestSweepBlobs(t *testing.T) {
	t.Parallel()
	v := create(t, Options{Dir: t.TempDir(), Passphrase: say("x")})
	for _, name := range []string{"a", "b", "c"} {
		if err := v.PutBlob("k", name, strings.NewReader(name), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.SweepBlobs("k", func(name string) bool { return name == "b" }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		b, err := v.OpenBlob("k", name)
		if (err == nil) != (name == "b") || err != nil && !errors.Is(err, ErrNoRecord) {
			t.Errorf("%s: got error %v", name, err)
		}
		if b != nil {
			b.Close()
		}
	}
	if err := v.SweepBlobs("absent", nil); err != nil {
		t.Errorf("a kind without blobs: %v", err)
	}
}
