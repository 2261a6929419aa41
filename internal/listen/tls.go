package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pollInterval is how often Run looks for a new certificate.
const pollInterval = time.Minute

// A file certificate with less time left than this is worth an alarm, once a day.
const (
	expiryAlarm    = 7 * 24 * time.Hour
	expiryInterval = 24 * time.Hour
)

// TLSOptions say where certificates come from.
type TLSOptions struct {
	// CertFile and KeyFile are the operator's certificate chain and key in
	// PEM. With neither, a local authority in Dir issues the certificate.
	CertFile, KeyFile string

	// Dir holds the local authority. It is made if it does not exist.
	Dir string

	// Files keeps the local authority in place of Dir, which then only says in
	// errors where it is. May be nil.
	Files Files

	// Names are the DNS names and IP addresses that the local authority
	// certifies. The first is the one under which clients know the relay.
	Names []string

	// ACME has certificates of a public authority. Until it has the first, the
	// certificate that is made of the fields above is served. May be nil.
	ACME *ACME

	// Log gets a line when the certificate changes, cannot be taken up or is
	// about to expire. Nil discards them.
	Log *slog.Logger

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Tick is when Run looks for a new certificate; nil means every minute.
	Tick <-chan time.Time
}

// TLS holds the certificate that the listeners present. Its methods may be
// called from any goroutine.
type TLS struct {
	opts    TLSOptions
	source  certSource
	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // one refresh at a time
	fault   string     // the last fault that Run put into the log
	alarmed time.Time  // when Run last said that the certificate expires
}

// A certSource finds or makes the certificate to present.
type certSource interface {
	// certificate returns the certificate to present at this time. What it
	// returned before goes on being presented when it fails.
	certificate(now time.Time) (*tls.Certificate, error)
}

// OpenTLS loads the certificate, and makes the local authority if that is to
// issue it and does not exist yet. Files that cannot be read or do not belong
// together are an error; a certificate that has expired is only reported to
// the log, since most of the mail still comes through.
func OpenTLS(opts TLSOptions) (*TLS, error) {
	orDefault(&opts.Log, slog.New(slog.DiscardHandler))
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if (opts.CertFile == "") != (opts.KeyFile == "") {
		return nil, errors.New("a certificate needs both a certificate file and a key file, or neither for a local authority")
	}
	if len(opts.Names) == 0 {
		return nil, errors.New("a certificate needs at least one name")
	}
	t := &TLS{opts: opts, source: certFiles{cert: opts.CertFile, key: opts.KeyFile}}
	if opts.CertFile == "" {
		ca, err := openLocalCA(opts.Dir, opts.Files, opts.Names, opts.Now())
		if err != nil {
			return nil, fmt.Errorf("local certification authority in %s: %w", opts.Dir, err)
		}
		t.source = ca
	}
	first, err := t.source.certificate(opts.Now())
	if err != nil {
		return nil, err
	}
	t.current.Store(first)
	t.review(first)
	return t, nil
}

// Config returns the configuration for a listener whose clients may ask for one
// of the protocols by ALPN (RFC 7301). A client that asks for none or for
// others is served all the same: mail clients do not agree on the names.
func (t *TLS) Config(protocols ...string) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return t.certificate(hello), nil
		},
	}
	agreed := config.Clone()
	agreed.NextProtos = protocols
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if t.opts.ACME != nil && asksForProof(hello) {
			return t.opts.ACME.proofConfig(), nil
		}
		for _, p := range hello.SupportedProtos {
			if slices.Contains(protocols, p) {
				return agreed, nil
			}
		}
		return nil, nil // go on with the configuration that names none
	}
	return config
}

// certificate returns what a client is shown.
func (t *TLS) certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	if t.opts.ACME != nil {
		if cert := t.opts.ACME.Certificate(hello); cert != nil {
			return cert
		}
	}
	return t.current.Load()
}

// CA returns the certificate of the local authority in PEM, for clients to
// trust, or nil if a public authority's certificate is served or on its way.
func (t *TLS) CA() []byte {
	if ca, ok := t.source.(*localCA); ok && t.opts.ACME == nil {
		return encodeCert(ca.cert.Raw)
	}
	return nil
}

// Until returns when the certificate expires that is presented now, under the first name.
func (t *TLS) Until() time.Time { return t.certificate(&tls.ClientHelloInfo{}).Leaf.NotAfter }

// Reload takes up a new certificate now, as Run does by itself. If there is one
// and it cannot be used, the old one stays and the error says why.
func (t *TLS) Reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, err := t.source.certificate(t.opts.Now())
	if err != nil {
		return err
	}
	old := t.current.Load()
	if slices.EqualFunc(next.Certificate, old.Certificate, slices.Equal) {
		return nil
	}
	now := t.opts.Now()
	if now.After(next.Leaf.NotAfter) && now.Before(old.Leaf.NotAfter) {
		return fmt.Errorf("the new certificate has expired on %s, the old one has not", next.Leaf.NotAfter.Format(time.DateOnly))
	}
	t.current.Store(next)
	t.opts.Log.Info("new certificate", "valid until", next.Leaf.NotAfter)
	t.review(next)
	return nil
}

// Run takes up new certificates until ctx ends, and then returns nil. A new
// certificate that cannot be used is reported to the log once; the old one
// stays.
func (t *TLS) Run(ctx context.Context) error {
	tick := t.opts.Tick
	if tick == nil {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			t.look()
		}
	}
}

// look takes up a new certificate if there is one, and reports what an operator
// must know.
func (t *TLS) look() {
	t.report(t.Reload())
	t.alarm()
}

// report logs a fault of Reload, unless it is the one logged before.
func (t *TLS) report(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != "" && fault != t.fault {
		t.opts.Log.Error("new certificate cannot be used, keeping the old one", "error", fault)
	}
	t.fault = fault
}

// alarm reports a certificate that is about to expire, once a day.
func (t *TLS) alarm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, leaf := t.opts.Now(), t.current.Load().Leaf
	if left := leaf.NotAfter.Sub(now); left > expiryAlarm || now.Sub(t.alarmed) < expiryInterval {
		return
	}
	t.opts.Log.Error("the certificate expires and nobody has renewed it", "valid until", leaf.NotAfter)
	t.alarmed = now
}

// review reports what clients will not like about a certificate.
func (t *TLS) review(cert *tls.Certificate) {
	now := t.opts.Now()
	if now.After(cert.Leaf.NotAfter) || now.Before(cert.Leaf.NotBefore) {
		t.opts.Log.Error("the certificate is not valid at this time", "valid from", cert.Leaf.NotBefore, "valid until", cert.Leaf.NotAfter)
	}
	if err := cert.Leaf.VerifyHostname(t.opts.Names[0]); err != nil {
		t.opts.Log.Error("the certificate is not for the name of this relay", "error", err.Error())
	}
}
