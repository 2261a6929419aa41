package imapd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/mailbox/sqlstore"
	"github.com/restante/restante/test/logbook"
)

// relaySecret is the relay key of every test.
var relaySecret = [seal.RelaySecretSize]byte{7: 1}

// today is the day of every test; a service's clock stands still at noon.
var today = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// world is an IMAP server, and the service and store it stands on.
type world struct {
	*mailbox.Service
	server  *imapd.Server
	address string
	store   mailbox.Store
	log     *logbook.Book
	broken  bool // errors in the log are no fault
}

// newWorld makes a world without accounts; change alters the server's options
// before it begins.
func newWorld(tb testing.TB, change ...func(*imapd.Options)) *world {
	tb.Helper()
	return newWorldOn(tb, func(*mailbox.Options) {}, change...)
}

// newWorldOn makes a world on a service with other options.
func newWorldOn(tb testing.TB, service func(*mailbox.Options), change ...func(*imapd.Options)) *world {
	tb.Helper()
	w := &world{log: &logbook.Book{}}
	w.Service = newService(tb, slog.New(slog.NewTextHandler(w.log, nil)), service, func(o *mailbox.Options) { w.store = o.Store })
	o := imapd.Options{Service: w.Service, InsecureAuth: true, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&o)
	}
	w.server = imapd.New(o)
	w.address = w.serve(tb)
	tb.Cleanup(func() {
		if text := w.log.String(); !w.broken && strings.Contains(text, "level=ERROR") {
			tb.Errorf("the server logged errors:\n%s", text)
		}
	})
	return w
}

// newService makes a service on a store of its own, until the end of the test.
func newService(tb testing.TB, log *slog.Logger, change ...func(*mailbox.Options)) *mailbox.Service {
	tb.Helper()
	_, measures := tb.(*testing.B) // the check of a large store takes minutes
	store, err := sqlstore.Open(tb.Context(), sqlstore.Options{
		Path: filepath.Join(tb.TempDir(), "mail.db"), CheckOnClose: !measures, Now: now, Log: log,
		KeyCheck: func(id seal.StoreID) seal.KeyCheck { return seal.NewRelayKey(relaySecret, id).Check() },
	})
	if err != nil {
		tb.Fatal(err)
	}
	o := mailbox.Options{
		Store: store, Key: seal.NewRelayKey(relaySecret, store.ID()), Domain: "example.org", TempDir: tb.TempDir(),
		Passwords: seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
		Now:       now, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, Log: log,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := mailbox.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func now() time.Time { return today }

// serve serves a loopback socket until the end of the test, and returns its address.
func (w *world) serve(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(ctx, ln) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return ln.Addr().String()
}

// account makes an account with a generated secret.
func (w *world) account(tb testing.TB, address string, change ...func(*mailbox.NewAccountOptions)) mailbox.Created {
	tb.Helper()
	var o mailbox.NewAccountOptions
	for _, f := range change {
		f(&o)
	}
	c, err := w.CreateAccount(tb.Context(), addr.MustParse(address), o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// login opens a session beside the server, until the end of the test.
func (w *world) login(tb testing.TB, c mailbox.Created) *mailbox.Session {
	tb.Helper()
	x, err := w.Login(tb.Context(), mailbox.Login{User: c.Address.String(), Secret: c.Secret})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(x.Close)
	return x
}

// deliver delivers a message to one address.
func (w *world) deliver(ctx context.Context, to, text string) error {
	m, err := w.Receive(ctx, strings.NewReader(text), mailbox.ReceiveOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := w.Recipient(ctx, addr.MustParse(to), m.Size)
	if err != nil {
		return err
	}
	return w.Deliver(ctx, addr.MustParse("a@example.net"), []mailbox.Recipient{r}, m)
}

// message returns a small mail.
func message(subject string) string {
	return fmt.Sprintf("From: A <a@example.net>\r\nTo: b@example.org\r\nSubject: %s\r\nMessage-ID: <%[1]s@example.net>\r\n"+
		"Date: Mon, 4 May 2026 05:02:01 +0200\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nThis is %[1]s.\r\n", subject)
}

// testTLS returns the two sides of a TLS configuration. The certificate is the same
// for all tests of a run.
var testTLS = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "mail.example.org"}
})

// newTLSWorld makes a world whose clients have to use STARTTLS.
func newTLSWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorld(tb, func(o *imapd.Options) {
		o.TLS, _ = testTLS()
		o.InsecureAuth = false
	})
}
