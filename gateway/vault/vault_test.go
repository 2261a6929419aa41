package vault

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox/seal"
)

// cheap is Argon2id at its lowest cost, for tests that are not about it.
var cheap = seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1}

// say answers with a passphrase.
func say(text string) func() (string, error) {
	return func() (string, error) { return text, nil }
}

// ring is a keyring in memory.
type ring map[string]string

func (r ring) Get(name string) (string, error) {
	if s, ok := r[name]; ok {
		return s, nil
	}
	return "", ErrNoSecret
}

func (r ring) Set(name, secret string) error {
	r[name] = secret
	return nil
}

func create(t *testing.T, o Options) *Vault {
	t.Helper()
	o.Stretch = cheap
	v, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func reopen(t *testing.T, v *Vault, o Options) *Vault {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

func put(t *testing.T, v *Vault, kind, name, content string) {
	t.Helper()
	if err := v.Put(kind, name, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

// TestUnlock: every way in that was made opens the vault, and no other does.
func TestUnlock(t *testing.T) {
	t.Parallel()
	none := func() (string, error) { return "", errors.New("nobody is at the terminal") }
	tests := []struct {
		name     string
		made     Options
		with     Options
		want     error
		say      string // of the error
		opens    bool
		dropRing bool
	}{
		{name: "passphrase", made: Options{Passphrase: say("correct horse")}, with: Options{Passphrase: say("correct horse")}, opens: true},
		{name: "wrong passphrase", made: Options{Passphrase: say("correct horse")}, with: Options{Passphrase: say("Correct horse")}, want: ErrPassphrase, say: "wrong passphrase"},
		{name: "composed otherwise", made: Options{Passphrase: say("caf\u00e9")}, with: Options{Passphrase: say("cafe\u0301")}, opens: true},
		{name: "keyring", made: Options{Keyring: ring{}}, with: Options{}, opens: true},
		{name: "keyring before passphrase", made: Options{Keyring: ring{}, Passphrase: say("x")}, with: Options{Passphrase: none}, opens: true},
		{name: "keyring lost its secret", made: Options{Keyring: ring{}}, dropRing: true, want: ErrUnlock, say: "no such secret"},
		{name: "passphrase where the keyring has none", made: Options{Keyring: ring{}, Passphrase: say("x")}, with: Options{Passphrase: say("x")}, dropRing: true, opens: true},
		{name: "nobody to ask", made: Options{Passphrase: say("x")}, with: Options{}, want: ErrUnlock, say: "RESTANTE_PASSPHRASE_FILE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.made.Dir = filepath.Join(t.TempDir(), "vault")
			tt.with.Dir = tt.made.Dir
			v := create(t, tt.made)
			put(t, v, "k", "n", "content")
			v.Close()
			if tt.with.Keyring = tt.made.Keyring; tt.dropRing {
				tt.with.Keyring = ring{}
			}
			got, err := Open(tt.with)
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.say) {
				t.Fatalf("got error %v, want %v that says %q", err, tt.want, tt.say)
			}
			if (got != nil) != tt.opens {
				t.Fatalf("got vault %v, want one: %v", got, tt.opens)
			}
			if got == nil {
				return
			}
			defer got.Close()
			if b, err := got.Get("k", "n"); err != nil || string(b) != "content" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// TestStretchIsSlow: a vault that is made without a word about costs has those of
// seal.DefaultParams.
func TestStretchIsSlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v, err := Create(Options{Dir: dir, Passphrase: say("x")})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	h, err := readHeader(dir)
	if err != nil {
		t.Fatal(err)
	}
	kdf, err := seal.ParseKDF(h.find(byPassphrase).KDF)
	if err != nil || !kdf.Slow() || kdf.Params() != seal.DefaultParams {
		t.Errorf("got %+v, %v, want the default costs", kdf.Params(), err)
	}
}

func TestCreateAndOpenRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Dir: dir, Passphrase: say("x"), Stretch: cheap}
	if _, err := Open(o); !errors.Is(err, ErrNone) {
		t.Errorf("Open of nothing: got %v, want ErrNone", err)
	}
	if _, err := Open(Options{Dir: filepath.Join(dir, "absent")}); !errors.Is(err, ErrNone) {
		t.Errorf("Open of no folder: got %v, want ErrNone", err)
	}
	if _, err := Create(Options{Dir: dir}); err == nil {
		t.Error("a vault that nothing opens was made")
	}
	if _, err := Create(Options{Dir: dir, Passphrase: say("")}); err == nil {
		t.Error("a vault with an empty passphrase was made")
	}
	v := create(t, o)
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: got %v, want ErrLocked", err)
	}
	v.Close()
	if _, err := Create(o); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: got %v, want ErrExists", err)
	}
	if err := v.Put("k", "n", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Put after Close: got %v, want ErrClosed", err)
	}
	if _, err := v.Get("k", "n"); !errors.Is(err, ErrClosed) {
		t.Errorf("Get after Close: got %v, want ErrClosed", err)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, new string
		want           error
	}{
		{"newer", `"version": 1`, `"version": 2`, ErrNewer},
		{"no version", `"version": 1`, `"version": 0`, ErrDamaged},
		{"cut off", `}`, ``, ErrDamaged},
		{"no parameters", `"kdf": "`, `"kdf": "AA`, ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := Options{Dir: dir, Passphrase: say("x")}
			create(t, o).Close()
			path := filepath.Join(dir, headerName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(b), tt.old, tt.new)
			if changed == string(b) {
				t.Fatal("the test changed nothing")
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(o); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestModel drives random changes on a vault and a map, with reopenings between
// them.
func TestModel(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Passphrase: say("x")}
	v := create(t, o)
	r := rand.New(rand.NewPCG(1, 2))
	model := map[string]map[string]string{"a": {}, "b": {}}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for i := range 300 {
		kind, name := pick("a", "b"), pick("one", "two", "three", "", "a\x00b")
		switch r.IntN(8) {
		case 0:
			if err := v.Delete(kind, name); err != nil {
				t.Fatal(err)
			}
			delete(model[kind], name)
		case 1:
			if i%20 == 0 {
				v = reopen(t, v, o)
			}
		default:
			content := strings.Repeat("x", r.IntN(300))
			put(t, v, kind, name, content)
			model[kind][name] = content
		}
		if diff := cmp.Diff(contents(t, v), model); diff != "" {
			t.Fatalf("after step %d: got - want +\n%s", i, diff)
		}
	}
}

func contents(t *testing.T, v *Vault) map[string]map[string]string {
	t.Helper()
	got := map[string]map[string]string{}
	for _, kind := range []string{"a", "b"} {
		got[kind] = map[string]string{}
		err := v.Each(kind, func(name string, content []byte) error {
			got[kind][name] = string(content)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// TestDisk: the folder shows neither kinds, names nor contents.
func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := create(t, Options{Dir: dir, Passphrase: say("marker-passphrase"), Keyring: ring{}})
	put(t, v, "marker-kind", "marker-name", "marker-content")
	blob := strings.Repeat("marker-blob ", 10_000)
	if err := v.PutBlob("marker-kind", "marker-blobname", strings.NewReader(blob), int64(len(blob))); err != nil {
		t.Fatal(err)
	}
	files := 0
	walk(t, dir, func(path string, content []byte) {
		files++
		if bytes.Contains(content, []byte("marker")) || strings.Contains(path, "marker") {
			t.Errorf("%s shows a marker", path)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	})
	if files != 4 { // header, lock, record, blob
		t.Errorf("got %d files, want 4", files)
	}
}

func walk(t *testing.T, dir string, f func(path string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		f(path, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
