package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restante/restante/test/pebble"
)

// acmeWorld is an authority, and the two ports at which it looks for proofs.
type acmeWorld struct {
	authority *pebble.Authority
	acme      *ACME
	tls       *TLS
	now       atomic.Pointer[time.Time]
	options   ACMEOptions
	http, ln  net.Listener // for http-01 and tls-alpn-01
}

func newACMEWorld(t *testing.T, names ...string) *acmeWorld {
	t.Helper()
	w := &acmeWorld{http: acmePort(t), ln: acmePort(t)}
	start := time.Now().Add(time.Minute) // what is issued during the test is valid by then
	w.now.Store(&start)
	w.authority = pebble.Start(t, pebble.Options{HTTPPort: portOf(w.http), TLSPort: portOf(w.ln)})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.authority.ServerRoots)
	w.options = ACMEOptions{
		Directory: w.authority.Directory, Roots: roots, Dir: filepath.Join(t.TempDir(), "acme"),
		Names: names, Now: func() time.Time { return *w.now.Load() },
	}
	w.open(t)
	return w
}

// open makes ACME and TLS anew, as a restart does.
func (w *acmeWorld) open(t *testing.T) {
	t.Helper()
	var err error
	if w.acme, err = OpenACME(w.options); err != nil {
		t.Fatal(err)
	}
	if w.tls, err = OpenTLS(TLSOptions{Dir: t.TempDir(), Names: w.options.Names, ACME: w.acme}); err != nil {
		t.Fatal(err)
	}
}

func acmePort(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func portOf(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// serveHTTP answers http-01, and serveTLS tls-alpn-01, until the test ends.
func (w *acmeWorld) serveHTTP(t *testing.T) {
	server := &http.Server{Handler: w.acme, ReadTimeout: 10 * time.Second}
	go server.Serve(w.http)
	t.Cleanup(func() { server.Close() })
}

func (w *acmeWorld) serveTLS(t *testing.T) *Listener {
	t.Helper()
	l, err := New(w.ln, Options{Name: "https", TLS: w.tls.Config("http/1.1")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(ctx, func(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l
}

// shown returns the certificate that a client sees under a name, if it trusts the
// authority.
func (w *acmeWorld) shown(name string) (*x509.Certificate, error) {
	client := &tls.Config{RootCAs: w.authority.Roots(), ServerName: name, Time: w.options.Now}
	conn, err := tls.Dial("tcp", w.ln.Addr().String(), client)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func (w *acmeWorld) pass(d time.Duration) {
	later := w.now.Load().Add(d)
	w.now.Store(&later)
}

func TestACMEByHTTP(t *testing.T) {
	t.Parallel()
	w := newACMEWorld(t, "mail.test")
	w.serveHTTP(t)
	w.ln.Close() // port 443 is not ours
	w.acme.look(t.Context())
	if s := w.acme.States(); s[0].Fault != nil || s[0].NotAfter.IsZero() {
		t.Fatalf("no certificate: %+v", s)
	}
	client := &tls.Config{RootCAs: w.authority.Roots(), ServerName: "mail.test", Time: w.options.Now}
	if _, err := handshake(t, w.tls.Config("imap"), client); err != nil {
		t.Error(err)
	}
}

func TestACMEByTLS(t *testing.T) {
	t.Parallel()
	w := newACMEWorld(t, "mail.test", "imap.mail.test")
	w.http.Close() // port 80 is not ours
	w.serveTLS(t)
	if _, err := w.shown("mail.test"); err == nil {
		t.Fatal("trusted before there is a certificate: the test can't fail")
	}
	w.acme.look(t.Context())
	for _, name := range w.options.Names {
		cert, err := w.shown(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := cert.DNSNames; len(got) != 1 || got[0] != name {
			t.Errorf("got a certificate for %q, want one for %q alone", got, name)
		}
	}
}

func TestACMERenewal(t *testing.T) {
	t.Parallel()
	w := newACMEWorld(t, "mail.test")
	w.http.Close()
	w.serveTLS(t)
	w.acme.look(t.Context())
	first, err := w.shown("mail.test")
	if err != nil {
		t.Fatal(err)
	}
	old, err := tls.Dial("tcp", w.ln.Addr().String(), &tls.Config{RootCAs: w.authority.Roots(), ServerName: "mail.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()

	w.pass(50 * 24 * time.Hour)
	w.acme.look(t.Context())
	if same, err := w.shown("mail.test"); err != nil || !same.Equal(first) {
		t.Fatalf("renewed with more than a third of its life left, or: %v", err)
	}
	w.pass(20 * 24 * time.Hour)
	w.acme.look(t.Context())
	second, err := w.shown("mail.test")
	if err != nil {
		t.Fatal(err)
	}
	if second.Equal(first) {
		t.Error("not renewed with less than a third of its life left")
	}
	if !bytes.Equal(second.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
		t.Error("the key changed: who pinned it is locked out")
	}
	if _, err := io.WriteString(old, "x"); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(old, make([]byte, 1)); err != nil {
		t.Errorf("the renewal cut a connection: %v", err)
	}
	w.open(t)
	if cert := w.acme.Certificate(&tls.ClientHelloInfo{ServerName: "mail.test"}); cert == nil || !cert.Leaf.Equal(second) {
		t.Error("a restart lost the certificate")
	}
}

func TestACMERefusal(t *testing.T) {
	t.Parallel()
	w := newACMEWorld(t, "mail.test", "elsewhere.test")
	w.http.Close()
	w.serveTLS(t)
	w.acme.look(t.Context())
	var alarms []CertState
	w.acme.opts.Alarm = func(s CertState) { alarms = append(alarms, s) }
	s := w.acme.States()
	if s[0].Fault != nil {
		t.Fatalf("one name that leads nowhere kept another from its certificate: %v", s[0].Fault)
	}
	if s[1].Fault == nil || !s[1].NotAfter.IsZero() {
		t.Fatalf("a name that leads nowhere got a certificate: %+v", s[1])
	}
	if !strings.HasPrefix(s[1].Fault.Error(), "the authority refused: ") {
		t.Errorf("got %q, want the authority's own sentence", s[1].Fault)
	}
	began := s[1].Since
	w.authority.Refuse(t, "mail.test")
	w.pass(80 * 24 * time.Hour)
	w.acme.look(t.Context())
	if s = w.acme.States(); s[0].Fault == nil {
		t.Error("the refused renewal is not told")
	}
	if _, err := w.shown("mail.test"); err != nil {
		t.Errorf("after a refused renewal: %v", err)
	}
	if !s[1].Since.Equal(began) {
		t.Error("a fault that goes on began anew")
	}
	if len(alarms) != 0 {
		t.Errorf("alarms with ten days left: %+v", alarms)
	}
	for range 3 { // once at a week, once at the end
		w.pass(4 * 24 * time.Hour)
		w.acme.look(t.Context())
		w.acme.look(t.Context())
	}
	if len(alarms) != 2 || alarms[0].Name != "mail.test" || alarms[1].Fault == nil {
		t.Errorf("got alarms %+v, want one before and one after the end", alarms)
	}
	if cert := w.acme.Certificate(&tls.ClientHelloInfo{}); cert == nil {
		t.Error("an expired certificate is not served any more")
	}
}

func TestACMERedirects(t *testing.T) {
	t.Parallel()
	a, err := OpenACME(ACMEOptions{Directory: "https://127.0.0.1:1/", Dir: t.TempDir(), Names: []string{"mail.test", "imap.mail.test"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, host, path string
		code             int
		location         string
	}{
		{"page", "mail.test", "/join?x=1", 308, "https://mail.test/join?x=1"},
		{"other name", "IMAP.mail.test:80", "/", 308, "https://imap.mail.test/"},
		{"foreign name", "evil.test", "/", 308, "https://mail.test/"},
		{"unknown proof", "mail.test", challengePath + "nothing", 404, ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest("GET", "http://"+test.host+test.path, nil)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != test.code || got != test.location {
			t.Errorf("%s: got %d %q, want %d %q", test.name, w.Code, got, test.code, test.location)
		}
	}
}

func TestACMEBrokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := ACMEOptions{Directory: "https://127.0.0.1:1/", Dir: dir, Names: []string{"mail.test"}}
	if err := os.WriteFile(filepath.Join(dir, "mail.test.pem"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenACME(o); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("got %v, want what to do about the file", err)
	}
}
