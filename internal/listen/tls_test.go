package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/test/logbook"
)

// testTLS returns certificates for mail.test and the pool that trusts them.
func testTLS(t *testing.T) (*TLS, *x509.CertPool) {
	t.Helper()
	certs, err := OpenTLS(TLSOptions{Dir: t.TempDir(), Names: []string{"mail.test", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	return certs, rootsOf(t, certs)
}

func rootsOf(t *testing.T, certs *TLS) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certs.CA()) {
		t.Fatal("CA returns no certificate")
	}
	return roots
}

// handshake runs a handshake over a pipe and returns the client's view of it.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	s := tls.Server(a, server)
	c := tls.Client(b, client)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer a.Close()
		if s.Handshake() == nil {
			_, _ = s.Write([]byte("!")) // with it come the session tickets
		}
	})
	defer wg.Wait()
	defer b.Close()
	if err := c.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	_, err := c.Read(make([]byte, 1))
	return c.ConnectionState(), err
}

func TestALPNNeverFails(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	tests := []struct {
		name            string
		served, offered []string
		want            string
	}{
		{"agreed", []string{"imap"}, []string{"imap"}, "imap"},
		{"one of several", []string{"h2", "http/1.1"}, []string{"x", "http/1.1"}, "http/1.1"},
		{"another one", []string{"imap"}, []string{"smtp"}, ""},
		{"none offered", []string{"imap"}, nil, ""},
		{"none served", nil, []string{"imap"}, ""},
	}
	for _, test := range tests {
		state, err := handshake(t, certs.Config(test.served...),
			&tls.Config{RootCAs: roots, ServerName: "mail.test", NextProtos: test.offered})
		if err != nil || state.NegotiatedProtocol != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.name, state.NegotiatedProtocol, err, test.want)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	tests := []struct {
		name      string
		max, want uint16
	}{
		{"TLS 1.3 is preferred", tls.VersionTLS13, tls.VersionTLS13},
		{"TLS 1.2", tls.VersionTLS12, tls.VersionTLS12},
		{"TLS 1.1 is refused", tls.VersionTLS11, 0},
	}
	for _, test := range tests {
		state, err := handshake(t, certs.Config("smtp"),
			&tls.Config{RootCAs: roots, ServerName: "mail.test", MinVersion: tls.VersionTLS10, MaxVersion: test.max})
		if state.Version != test.want || (err == nil) != (test.want != 0) {
			t.Errorf("%s: got version %x, %v", test.name, state.Version, err)
		}
	}
}

func TestSessionsResume(t *testing.T) {
	t.Parallel()
	certs, roots := testTLS(t)
	server := certs.Config("imap")
	client := &tls.Config{RootCAs: roots, ServerName: "mail.test", NextProtos: []string{"imap"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, want := range []bool{false, true} {
		state, err := handshake(t, server, client)
		if err != nil || state.DidResume != want {
			t.Errorf("resumed: got %v, %v; want %v", state.DidResume, err, want)
		}
	}
}

func TestOpenTLSFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.pem")
	if err := os.WriteFile(broken, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, want string
		opts       TLSOptions
	}{
		{"certificate without key", "both a certificate file and a key file", TLSOptions{CertFile: broken, Names: []string{"a"}}},
		{"no names", "at least one name", TLSOptions{Dir: dir}},
		{"no such file", "no such file", TLSOptions{CertFile: broken + "x", KeyFile: broken, Names: []string{"a"}}},
		{"no PEM", "failed to find", TLSOptions{CertFile: broken, KeyFile: broken, Names: []string{"a"}}},
		{"no folder", "not a directory", TLSOptions{Dir: broken, Names: []string{"a"}}},
	}
	for _, test := range tests {
		if _, err := OpenTLS(test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", test.name, err, test.want)
		}
	}
}

// A fileCert is a certificate in files, as an operator has it, made by a local
// authority at a certain time.
func fileCert(t *testing.T, dir string, made time.Time) {
	t.Helper()
	ca, err := openLocalCA(t.TempDir(), nil, []string{"mail.test"}, made)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.certificate(made); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{leafCertFile, leafKeyFile} {
		data, err := os.ReadFile(ca.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// openFiles opens certificate files.
func openFiles(t *testing.T, dir string, now *clock, book *logbook.Book, tick <-chan time.Time) *TLS {
	t.Helper()
	certs, err := OpenTLS(TLSOptions{
		CertFile: filepath.Join(dir, leafCertFile), KeyFile: filepath.Join(dir, leafKeyFile),
		Names: []string{"mail.test"}, Now: now.Now, Tick: tick, Log: book.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func TestRunLooksAtEachTick(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	fileCert(t, dir, now.Now())
	ticks := make(chan time.Time)
	certs := openFiles(t, dir, now, &logbook.Book{}, ticks)
	first := certs.current.Load()
	fileCert(t, dir, now.Now())
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- certs.Run(ctx) }()
	ticks <- now.Now()
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v, want nil", err)
	}
	if certs.current.Load() == first {
		t.Error("Run did not take up the new certificate")
	}
}

func TestCertificateFilesAreReloaded(t *testing.T) {
	t.Parallel()
	dir, book, now := t.TempDir(), &logbook.Book{}, &clock{now: time.Now()}
	fileCert(t, dir, now.Now())
	certs := openFiles(t, dir, now, book, nil)
	first := certs.current.Load()
	certs.look()
	if certs.current.Load() != first {
		t.Error("an unchanged certificate was replaced")
	}
	fileCert(t, dir, now.Now())
	certs.look()
	if bytes.Equal(certs.current.Load().Leaf.Raw, first.Leaf.Raw) {
		t.Error("the new certificate was not taken up")
	}
	if n := strings.Count(book.String(), "new certificate"); n != 1 {
		t.Errorf("%d lines about a new certificate, want 1:\n%s", n, book)
	}
	if certs.CA() != nil {
		t.Error("CA is not nil for certificate files")
	}
}

func TestBrokenNewCertificateKeepsOld(t *testing.T) {
	t.Parallel()
	dir, book, now := t.TempDir(), &logbook.Book{}, &clock{now: time.Now()}
	fileCert(t, dir, now.Now())
	certs := openFiles(t, dir, now, book, nil)
	first := certs.current.Load()
	if err := os.WriteFile(filepath.Join(dir, leafCertFile), []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	certs.look()
	certs.look()
	if certs.current.Load() != first {
		t.Error("the old certificate is gone")
	}
	if n := strings.Count(book.String(), "keeping the old one"); n != 1 {
		t.Errorf("%d lines about the broken certificate, want 1:\n%s", n, book)
	}
	if err := certs.Reload(); err == nil {
		t.Error("Reload says nothing of the broken certificate")
	}
	fileCert(t, dir, now.Now())
	if err := certs.Reload(); err != nil {
		t.Errorf("Reload: %v", err)
	}
	if certs.current.Load() == first {
		t.Error("the repaired certificate was not taken up")
	}
}

func TestExpiredNewCertificateKeepsOld(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), &clock{now: time.Now()}
	fileCert(t, dir, now.Now())
	certs := openFiles(t, dir, now, &logbook.Book{}, nil)
	fileCert(t, dir, now.Now().Add(-2*leafLifetime))
	if err := certs.Reload(); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("Reload: %v, want that the new certificate has expired", err)
	}
}

func TestExpiryIsReported(t *testing.T) {
	t.Parallel()
	dir, book, now := t.TempDir(), &logbook.Book{}, &clock{now: time.Now()}
	fileCert(t, dir, now.Now())
	certs := openFiles(t, dir, now, book, nil)
	certs.look()
	if strings.Contains(book.String(), "expires") {
		t.Errorf("an alarm for a young certificate:\n%s", book)
	}
	now.advance(leafLifetime - expiryAlarm)
	certs.look()
	if n := strings.Count(book.String(), "the certificate expires"); n != 1 {
		t.Errorf("%d alarms on the first day, want 1:\n%s", n, book)
	}
	now.advance(expiryInterval)
	certs.look()
	if n := strings.Count(book.String(), "the certificate expires"); n != 2 {
		t.Errorf("%d alarms on the second day, want 2:\n%s", n, book)
	}
}

func TestBadCertificateAtStartIsReported(t *testing.T) {
	t.Parallel()
	dir, book := t.TempDir(), &logbook.Book{}
	fileCert(t, dir, time.Now().Add(-2*leafLifetime))
	_, err := OpenTLS(TLSOptions{
		CertFile: filepath.Join(dir, leafCertFile), KeyFile: filepath.Join(dir, leafKeyFile),
		Names: []string{"other.test"}, Log: book.Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not valid at this time", "not for the name"} {
		if !strings.Contains(book.String(), want) {
			t.Errorf("log: %s\nwant %q", book, want)
		}
	}
}
