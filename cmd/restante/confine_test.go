package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/restante/restante/internal/config"
)

// confined is a program for scripts: it confines itself as a relay of the
// configuration that its first argument names, and says of each file and folder that
// follows whether it can be read and a file made in it.
func confined() {
	cfg, err := config.Load(os.Args[1])
	if err == nil {
		_, err = confine(cfg, slog.New(slog.DiscardHandler))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, path := range os.Args[2:] {
		fmt.Printf("%s: %s\n", filepath.Base(path), tryToUse(path))
	}
}

func tryToUse(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "can't be read"
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(f, 1)); err == nil {
		return "can be read"
	}
	made, err := os.CreateTemp(path, "made") // it is a folder
	if err != nil {
		return "can be read, not written"
	}
	made.Close()
	return "can be written"
}

// TestReachFollowsLinks: certbot's files are links into another folder, where each
// renewal puts a new one.
func TestReachFollowsLinks(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	live, archive := filepath.Join(dir, "live"), filepath.Join(dir, "archive")
	for _, d := range []string{live, archive} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(archive, "fullchain1.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../archive/fullchain1.pem", filepath.Join(live, "fullchain.pem")); err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig(filepath.Join(dir, "data"), "")
	cfg.TLS.CertFile, cfg.TLS.KeyFile = filepath.Join(live, "fullchain.pem"), filepath.Join(live, "gone.pem")
	r := reachOf(cfg)
	for _, want := range []string{live, archive, "/etc"} {
		if !slices.Contains(r.read, want) {
			t.Errorf("%s can't be read: %q", want, r.read)
		}
	}
	if want := cfg.DataDir; !slices.Contains(r.write, want) {
		t.Errorf("%s can't be written: %q", want, r.write)
	}
	if slices.Contains(append(r.read, r.write...), dir) || slices.Contains(append(r.read, r.write...), "") {
		t.Errorf("more can be opened than is needed: %+v", r)
	}
}
