package listen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openLocal opens certificates of the local authority in dir.
func openLocal(t *testing.T, dir string, now *clock, names ...string) *TLS {
	t.Helper()
	certs, err := OpenTLS(TLSOptions{Dir: dir, Names: names, Now: now.Now})
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func TestLocalCACertifiesNames(t *testing.T) {
	t.Parallel()
	names := append(LocalNames("relay.test", "mail.relay.test"), "127.0.0.1", "::1")
	certs := openLocal(t, t.TempDir(), &clock{now: time.Now()}, names...)
	for _, name := range names {
		if _, err := handshake(t, certs.Config(), &tls.Config{RootCAs: rootsOf(t, certs), ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := handshake(t, certs.Config(), &tls.Config{RootCAs: rootsOf(t, certs), ServerName: "other.test"}); err == nil {
		t.Error("the certificate is good for any name")
	}
	leaf := certs.current.Load().Leaf
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life >= 398*24*time.Hour {
		t.Errorf("the certificate lives %v, which Apple's clients refuse", life)
	}
}

// TestLocalCAIsConstrained misuses the authority's key for another name.
func TestLocalCAIsConstrained(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca, err := openLocalCA(t.TempDir(), nil, []string{"relay.test"}, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	for name, want := range map[string]bool{"relay.test": true, "mx.relay.test": true, "127.0.0.1": true, "bank.test": false, "192.0.2.1": false} {
		ca.names = []string{name}
		leaf, err := ca.certificate(now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		if (err == nil) != want {
			t.Errorf("%s: trusted is %v (%v), want %v", name, err == nil, err, want)
		}
	}
}

func TestLocalCASurvivesRestarts(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	first := openLocal(t, dir, now, "relay.test")
	again := openLocal(t, dir, now, "relay.test")
	if !bytes.Equal(first.CA(), again.CA()) {
		t.Error("the authority changed over a restart")
	}
	if !bytes.Equal(first.current.Load().Leaf.Raw, again.current.Load().Leaf.Raw) {
		t.Error("the certificate changed over a restart")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[e.Name()] = info.Mode().String()
	}
	want := map[string]string{caCertFile: "-rw-------", caKeyFile: "-rw-------", leafCertFile: "-rw-------", leafKeyFile: "-rw-------"}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestLocalCARenews(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	certs := openLocal(t, dir, now, "relay.test")
	ca, first := certs.CA(), certs.current.Load()
	now.advance(leafLifetime - leafRenewal - time.Hour)
	if err := certs.Reload(); err != nil || certs.current.Load() != first {
		t.Errorf("renewed before its time, or %v", err)
	}
	now.advance(2 * time.Hour)
	if err := certs.Reload(); err != nil {
		t.Fatal(err)
	}
	second := certs.current.Load()
	if !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Error("the certificate was not renewed")
	}
	if !bytes.Equal(first.Leaf.RawSubjectPublicKeyInfo, second.Leaf.RawSubjectPublicKeyInfo) {
		t.Error("the renewal changed the key that clients have pinned")
	}
	if !bytes.Equal(ca, certs.CA()) {
		t.Error("the renewal changed the authority")
	}
	roots := rootsOf(t, certs)
	if _, err := second.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "relay.test", CurrentTime: now.Now()}); err != nil {
		t.Errorf("the new certificate does not verify: %v", err)
	}
	if again := openLocal(t, dir, now, "relay.test"); !bytes.Equal(again.current.Load().Leaf.Raw, second.Leaf.Raw) {
		t.Error("the renewed certificate was not kept over a restart")
	}
}

// TestLocalCANearItsEnd checks that the last certificate ends with the
// authority, and is not issued over and over.
func TestLocalCANearItsEnd(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	openLocal(t, dir, now, "relay.test")
	now.advance(caLifetime - 10*24*time.Hour)
	certs := openLocal(t, dir, now, "relay.test")
	last := certs.current.Load()
	now.advance(24 * time.Hour)
	if err := certs.Reload(); err != nil || certs.current.Load() != last {
		t.Errorf("the last certificate was replaced, or %v", err)
	}
	now.advance(10 * 24 * time.Hour)
	_, err := OpenTLS(TLSOptions{Dir: dir, Names: []string{"relay.test"}, Now: now.Now})
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want that the authority has expired", err)
	}
}

func TestLocalCAFollowsNames(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	first := openLocal(t, dir, now, "relay.test")
	second := openLocal(t, dir, now, "relay.test", "imap.relay.test")
	if !bytes.Equal(first.CA(), second.CA()) {
		t.Error("a new name changed the authority")
	}
	if err := second.current.Load().Leaf.VerifyHostname("imap.relay.test"); err != nil {
		t.Error(err)
	}
	_, err := OpenTLS(TLSOptions{Dir: dir, Names: []string{"elsewhere.test"}, Now: now.Now})
	if err == nil || !strings.Contains(err.Error(), "made for other names") {
		t.Errorf("got %v, want that the authority is for other names", err)
	}
}

func TestLocalCADamage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(dir string) error
		want   string // in the error; "" if the authority goes on
	}{
		{"authority's key lost", func(dir string) error { return os.Remove(filepath.Join(dir, caKeyFile)) }, "its key is not"},
		{"another key", func(dir string) error {
			return os.Rename(filepath.Join(dir, leafKeyFile), filepath.Join(dir, caKeyFile))
		}, "do not belong together"},
		{"key destroyed", func(dir string) error { return os.WriteFile(filepath.Join(dir, caKeyFile), nil, 0o600) }, "no PEM block"},
		{"certificate destroyed", func(dir string) error { return os.WriteFile(filepath.Join(dir, caCertFile), []byte("x"), 0o600) }, "no PEM block"},
		{"crash after the first key", func(dir string) error {
			for _, name := range []string{caCertFile, leafCertFile, leafKeyFile} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			return nil
		}, ""},
		{"relay's key lost", func(dir string) error { return os.Remove(filepath.Join(dir, leafKeyFile)) }, ""},
		{"relay's certificate lost", func(dir string) error { return os.Remove(filepath.Join(dir, leafCertFile)) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, now := t.TempDir(), &clock{now: time.Now()}
			openLocal(t, dir, now, "relay.test")
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			certs, err := OpenTLS(TLSOptions{Dir: dir, Names: []string{"relay.test"}, Now: now.Now})
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q in it", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := handshake(t, certs.Config(), &tls.Config{RootCAs: rootsOf(t, certs), ServerName: "relay.test"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLocalNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, domain, hostname string
		want                   []string
	}{
		{"usual", "relay.test", "mail.relay.test", []string{"mail.relay.test", "relay.test", "localhost", "imap.relay.test", "smtp.relay.test"}},
		{"one name", "relay.test", "relay.test", []string{"relay.test", "localhost", "imap.relay.test", "smtp.relay.test"}},
		{"address", "127.0.0.1", "127.0.0.1", []string{"127.0.0.1", "localhost"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, LocalNames(test.domain, test.hostname)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// memory keeps the files of an authority in memory.
type memory map[string][]byte

func (m memory) Read(name string) ([]byte, error) {
	data, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func (m memory) Write(name string, data []byte) error { m[name] = data; return nil }

// TestLocalCAElsewhere: with Files of its own, an authority leaves nothing in a folder,
// and is the same when it is opened again.
func TestLocalCAElsewhere(t *testing.T) {
	t.Parallel()
	kept, dir := memory{}, filepath.Join(t.TempDir(), "none")
	open := func() *TLS {
		certs, err := OpenTLS(TLSOptions{Dir: dir, Files: kept, Names: []string{"home.test", "localhost"}})
		if err != nil {
			t.Fatal(err)
		}
		return certs
	}
	first := open()
	if _, err := handshake(t, open().Config(), &tls.Config{RootCAs: rootsOf(t, first), ServerName: "home.test"}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: got %v, want none", err)
	}
	if len(kept) != 4 {
		t.Errorf("%d files are kept, want 4", len(kept))
	}
}
