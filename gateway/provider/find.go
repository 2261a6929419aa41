package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
)

// askTimeout bounds each question to a provider.
const askTimeout = 15 * time.Second

// Resolver is what is asked of DNS; *net.Resolver does it.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// Finder asks providers. It is safe for concurrent use if its parts are.
type Finder struct {
	Client *http.Client // NewClient makes one

	// Resolver is asked where there is no autoconfig file; nil is never asked, which
	// is right behind a proxy.
	Resolver Resolver

	// Wait waits before sign-up is tried again; nil is the clock. It returns early
	// with ctx's error.
	Wait func(ctx context.Context, d time.Duration) error
}

// NewClient returns a client that follows redirections to HTTPS only and trusts the
// authorities in roots, nil for the system's. With dial it opens all connections by
// that, and goes by no proxy of the environment.
func NewClient(roots *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if dial != nil {
		t.Proxy, t.DialContext = nil, dial
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
	return &http.Client{Transport: t, CheckRedirect: onlyHTTPS}
}

func onlyHTTPS(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" || len(via) > 5 {
		return errors.New("redirected away from HTTPS, or in a circle")
	}
	return nil
}

// Find returns the servers of an address: what its domain's autoconfig file says, else
// its DNS. The error says to name the servers.
func (f Finder) Find(ctx context.Context, a addr.Address) (Servers, error) {
	s, err := f.autoconfig(ctx, a)
	if err == nil || errors.Is(err, errOnlyOAuth) {
		return s, err
	}
	if f.Resolver != nil {
		if s, dnsErr := f.dns(ctx, a); dnsErr == nil {
			return s, nil
		}
	}
	if ctx.Err() != nil {
		return Servers{}, ctx.Err()
	}
	return Servers{}, fmt.Errorf("%s says nowhere how its mail is reached: give the servers with --imap HOST:PORT and --smtp HOST:PORT (%w)",
		a.Domain(), firstLine(err))
}

// firstLine keeps the first of joined errors.
func firstLine(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(text)
}

// dns asks for the records of RFC 6186 and RFC 8314.
func (f Finder) dns(ctx context.Context, a addr.Address) (Servers, error) {
	imap, err := f.service(ctx, a.Domain(), "imaps", "imap")
	if err != nil {
		return Servers{}, err
	}
	smtp, err := f.service(ctx, a.Domain(), "submissions", "submission")
	if err != nil {
		return Servers{}, err
	}
	return Servers{IMAP: imap, SMTP: smtp, Doubtful: !within(imap.Host, a.Domain()) || !within(smtp.Host, a.Domain())}, nil
}

// service asks for one protocol, with TLS from the first byte or else STARTTLS.
func (f Finder) service(ctx context.Context, domain, direct, starttls string) (Server, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, name := range []string{direct, starttls} {
		_, list, err := f.Resolver.LookupSRV(ctx, name, "tcp", domain)
		// A target of "." says that there is no such service (RFC 2782).
		if err != nil || len(list) == 0 || list[0].Target == "." {
			continue
		}
		return Server{Host: strings.TrimSuffix(list[0].Target, "."), Port: int(list[0].Port), StartTLS: name == starttls}, nil
	}
	return Server{}, fmt.Errorf("no DNS record of %s", direct)
}

func within(host, domain string) bool {
	host = strings.ToLower(host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}
