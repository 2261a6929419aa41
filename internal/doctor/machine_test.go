package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	key, config := filepath.Join(dir, "relay.key"), filepath.Join(dir, "config.toml")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{key, config} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "missing")
	if all := Files(dir, key, missing); len(all) != 1 || all[0].State != OK {
		t.Errorf("got %+v for files that are right", all)
	}
	for _, path := range []string{key, dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	all := Files(dir, key, missing)
	if len(all) != 2 || all[0].State != Wrong || !strings.HasSuffix(all[1].Fix, "\nchmod go= "+key) {
		t.Errorf("got %+v for files that others can read", all)
	}
	if f := Written(config); f.State != OK {
		t.Errorf("got %+v", f)
	}
	if err := os.Chmod(config, 0o666); err != nil {
		t.Fatal(err)
	}
	if f := Written(config); f.State != Wrong {
		t.Errorf("got %+v for a configuration that others can write", f)
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	if f := Disk(t.TempDir()); f.State == Unsure || !strings.Contains(f.Text, "% of") {
		t.Errorf("got %+v", f)
	}
	if f := Disk(filepath.Join(t.TempDir(), "missing")); f.State != Unsure {
		t.Errorf("got %+v for a folder that is not there", f)
	}
}

// TestPort shows a client each kind of certificate.
func TestPort(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const year = 365 * 24 * time.Hour
	right, roots := issue(t, "mx.here.test", now.Add(year))
	other, otherRoots := issue(t, "other.test", now.Add(year))
	late, lateRoots := issue(t, "mx.here.test", now.Add(24*time.Hour))
	tests := []struct {
		name  string
		cert  tls.Certificate
		roots *x509.CertPool
		now   time.Time
		want  State
		text  string
	}{
		{"right", right, roots, now, OK, "until"},
		{"untrusted", right, otherRoots, now, Wrong, "don't trust"},
		{"other name", other, otherRoots, now, Wrong, "another name"},
		{"expired", right, roots, now.Add(2 * year), Wrong, "not valid"},
		{"not renewed", late, lateRoots, now, Wrong, "until"},
	}
	for _, test := range tests {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{test.cert}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				_ = c.(*tls.Conn).Handshake() // the client says how it went
				c.Close()
			}
		}()
		p := Port{"imaps", ln.Addr().(*net.TCPAddr).Port, true}
		f := p.try(t.Context(), netip.MustParseAddr("127.0.0.1"), "mx.here.test", test.roots, test.now)
		if f.State != test.want || !strings.Contains(f.Text, test.text) || f.State == Wrong && f.Fix == "" {
			t.Errorf("%s: got %+v, want %s with %q", test.name, f, test.want, test.text)
		}
		ln.Close()
		if f := p.try(t.Context(), netip.MustParseAddr("127.0.0.1"), "mx.here.test", test.roots, test.now); f.State != Wrong {
			t.Errorf("%s: got %+v for a port on which nobody listens", test.name, f)
		}
	}
}

// issue makes a certificate that is its own authority.
func issue(t *testing.T, name string, until time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
