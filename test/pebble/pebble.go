// Package pebble runs Let's Encrypt's Pebble, a small ACME authority, on loopback
// for tests: it checks challenges as a real one does, and asks a name server of
// its own that leads every name to 127.0.0.1.
package pebble

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority is a running Pebble.
type Authority struct {
	// Directory is the URL that clients are given.
	Directory string
	// ServerRoots trust the authority's own HTTPS server, as PEM.
	ServerRoots []byte

	ca     *ca.CAImpl
	db     *db.MemoryStore
	closed atomic.Bool
}

// Options say how names are checked.
type Options struct {
	HTTPPort, TLSPort int           // where challenges are asked for, instead of 80 and 443
	Validity          time.Duration // of certificates; 0 is 90 days
}

// Start runs an authority until the test ends.
func Start(t testing.TB, o Options) *Authority {
	t.Helper()
	// Pebble waits up to 15 s before it looks, to be like a busy authority. It
	// reads this when it is made; every caller sets the same.
	if err := os.Setenv("PEBBLE_VA_NOSLEEP", "1"); err != nil {
		t.Fatal(err)
	}
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default", ValidityPeriod: uint64(o.Validity.Seconds())}}
	a := &Authority{db: store, ca: ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)}
	checks := va.New(quiet, o.HTTPPort, o.TLSPort, false, nameServer(t), store)
	front := wfe.New(quiet, store, checks, a.ca, []string{"authority.test"}, false, false, 1, 1)
	server := httptest.NewUnstartedServer(a.unlessClosed(front.Handler()))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	a.Directory = server.URL + wfe.DirectoryPath
	a.ServerRoots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return a
}

// Roots trust what the authority issues.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.ca.GetRootCert(0).PEM())
	return pool
}

// Refuse makes the authority refuse a name from now on.
func (a *Authority) Refuse(t testing.TB, name string) {
	t.Helper()
	if err := a.db.AddBlockedDomain(name); err != nil {
		t.Fatal(err)
	}
}

// Close makes the authority refuse whatever it is asked for, and Open ends that.
func (a *Authority) Close() { a.closed.Store(true) }

// Open undoes Close.
func (a *Authority) Open() { a.closed.Store(false) }

func (a *Authority) unlessClosed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.closed.Load() && r.Method == http.MethodPost {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "closed today"}`)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// nameServer answers every question for an address with 127.0.0.1, but for names
// that begin with "elsewhere.", which don't exist.
func nameServer(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // Pebble asks by TCP
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{Listener: ln, Handler: dns.HandlerFunc(answer), NotifyStartedFunc: func() { close(started) }}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown() // ended already, if that fails
		<-ended
	})
	return ln.Addr().String()
}

func answer(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	for _, question := range q.Question {
		if strings.HasPrefix(question.Name, "elsewhere.") {
			m.Rcode = dns.RcodeNameError
		} else if question.Qtype == dns.TypeA {
			header := dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}
			m.Answer = append(m.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
	}
	_ = w.WriteMsg(m) // who asked asks again
}
