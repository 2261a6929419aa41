package listen

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// acmeProtocol is what the authority asks for by ALPN (RFC 8737, 6.2).
const acmeProtocol = "acme-tls/1"

// challengePath is where the authority asks by HTTP (RFC 8555, 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenges are the proofs that the authority may ask for now.
type challenges struct {
	mu   sync.Mutex
	http map[string]string           // by token, the key authorization
	alpn map[string]*tls.Certificate // by name
}

var _ acmez.Solver = (*challenges)(nil)

// Present makes one proof ready.
func (c *challenges) Present(_ context.Context, chal acme.Challenge) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if chal.Type == acme.ChallengeTypeHTTP01 {
		if c.http == nil {
			c.http = map[string]string{}
		}
		c.http[chal.Token] = chal.KeyAuthorization
		return nil
	}
	cert, err := acmez.TLSALPN01ChallengeCert(chal)
	if err != nil {
		return err
	}
	if c.alpn == nil {
		c.alpn = map[string]*tls.Certificate{}
	}
	c.alpn[chal.Identifier.Value] = cert
	return nil
}

// CleanUp forgets one proof.
func (c *challenges) CleanUp(_ context.Context, chal acme.Challenge) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if chal.Type == acme.ChallengeTypeHTTP01 {
		delete(c.http, chal.Token)
		return nil
	}
	delete(c.alpn, chal.Identifier.Value)
	return nil
}

// answer returns what http-01 expects at a token.
func (c *challenges) answer(token string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.http[token]
	return text, ok
}

// certificate returns what tls-alpn-01 expects for a name, or nil.
func (c *challenges) certificate(name string) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alpn[name]
}

// asksForProof tells whether a client hello is the authority's: it offers this
// protocol and no other.
func asksForProof(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmeProtocol
}

// proofConfig is the TLS configuration for one such hello.
func (a *ACME) proofConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{acmeProtocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.challenges.certificate(strings.ToLower(hello.ServerName)), nil // nil ends the handshake
		},
	}
}

// ServeHTTP answers http-01, and leads everything else to the pages with TLS.
func (a *ACME) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if token, ok := strings.CutPrefix(r.URL.Path, challengePath); ok {
		text, ok := a.challenges.answer(token)
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = io.WriteString(w, text) // the authority asks again
		return
	}
	http.Redirect(w, r, "https://"+a.host(r)+r.URL.RequestURI(), http.StatusPermanentRedirect)
}

// host returns the name that a request was for, if it is one of ours, and else the
// first: a request must not say where its sender is led.
func (a *ACME) host(r *http.Request) string {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if name = strings.ToLower(name); a.known(name) {
		return name
	}
	return a.opts.Names[0]
}
