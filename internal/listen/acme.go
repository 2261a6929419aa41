package listen

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// acmeInterval is how often Run looks whether a certificate is due, and so
	// how long it waits after a refusal. Authorities limit failures per hour.
	acmeInterval = time.Hour
	// acmeTimeout bounds one order, the authority's own waits included.
	acmeTimeout = 5 * time.Minute
	// acmeHTTPTimeout bounds one request to the authority.
	acmeHTTPTimeout = 30 * time.Second
)

// The files of ACME, in its folder. Each name has its certificate chain in
// NAME.pem; all share one key, which outlives renewals so that those who pinned
// it (DANE, RFC 6698) need not hear of them.
const (
	acmeAccountFile = "account-key.pem"
	acmeKeyFile     = "key.pem"
)

// ACMEOptions say which authority certifies which names.
type ACMEOptions struct {
	// Directory is the URL of the authority's directory (RFC 8555, 7.1.1).
	// Whoever sets it agrees to the authority's terms.
	Directory string

	// Roots certify the authority's own server; nil means the system's.
	Roots *x509.CertPool

	// Dir holds the keys and certificates. It is made if it does not exist.
	Dir string

	// Names are the DNS names to have certificates for, one each, so that a name
	// that does not lead here yet keeps no other from its own. The first is the
	// one under which clients know the relay.
	Names []string

	// Alarm is called when an order was refused, and a certificate has less than a week
	// left or has expired: once for each of the two. Nil tells nobody but the log.
	Alarm func(CertState)

	// Log gets a line when a certificate came or was refused. Nil discards them.
	Log *slog.Logger

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Tick is when Run looks whether a certificate is due; nil means at once and
	// then every hour.
	Tick <-chan time.Time
}

// ACME gets certificates from a public authority and renews them (RFC 8555). It
// proves the names by http-01, for which ServeHTTP has to be reached at port 80,
// or by tls-alpn-01 (RFC 8737) at port 443. Its methods may be called from any
// goroutine.
type ACME struct {
	opts       ACMEOptions
	key        crypto.Signer // of all certificates
	account    crypto.Signer
	challenges challenges
	client     *http.Client

	mu    sync.Mutex
	names map[string]*acmeName
}

// acmeName is what is known of one name.
type acmeName struct {
	cert  *tls.Certificate // nil until the first was issued
	fault error            // of the last order, nil if that went well
	since time.Time        // of the fault
	stage int              // how far it has come that Alarm was told of
}

// CertState tells how it stands with the certificate of one name.
type CertState struct {
	Name     string
	NotAfter time.Time // zero if there is none yet
	Fault    error     // why the last order brought none, or nil
	Since    time.Time // when that began
}

// OpenACME reads the certificates there are. A certificate that has expired is
// served until there is a new one: most of the mail still comes through.
func OpenACME(opts ACMEOptions) (*ACME, error) {
	orDefault(&opts.Log, slog.New(slog.DiscardHandler))
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Directory == "" || len(opts.Names) == 0 {
		return nil, errors.New("acme: there has to be a directory and at least one name")
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	a := &ACME{opts: opts, names: map[string]*acmeName{}, client: acmeClient(opts.Roots)}
	var err error
	if a.account, err = openKey(folder(opts.Dir), acmeAccountFile); err != nil {
		return nil, fmt.Errorf("acme account: %w", err)
	}
	if a.key, err = openKey(folder(opts.Dir), acmeKeyFile); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	for _, name := range opts.Names {
		cert, err := a.readChain(name)
		if err != nil {
			return nil, fmt.Errorf("acme: %w", err)
		}
		a.names[name] = &acmeName{cert: cert}
	}
	return a, nil
}

func acmeClient(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{Timeout: acmeHTTPTimeout, Transport: transport}
}

// Certificate returns the certificate for the name that a client asks for, the
// first name's for a client that asks for none or another, and nil if there is
// none yet.
func (a *ACME) Certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.names[hello.ServerName]; n != nil && n.cert != nil {
		return n.cert
	}
	return a.names[a.opts.Names[0]].cert
}

// States tells how it stands with each name, in the order of the options.
func (a *ACME) States() []CertState {
	a.mu.Lock()
	defer a.mu.Unlock()
	var states []CertState
	for _, name := range a.opts.Names {
		states = append(states, a.stateLocked(name))
	}
	return states
}

func (a *ACME) stateLocked(name string) CertState {
	n := a.names[name]
	s := CertState{Name: name, Fault: n.fault, Since: n.since}
	if n.cert != nil {
		s.NotAfter = n.cert.Leaf.NotAfter
	}
	return s
}

// Run orders what is due until ctx ends, and then returns nil. A refused order
// is tried again an hour later; what was served before goes on being served.
func (a *ACME) Run(ctx context.Context) error {
	tick := a.opts.Tick
	if tick == nil {
		ticker := time.NewTicker(acmeInterval)
		defer ticker.Stop()
		tick = ticker.C
		a.look(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			a.look(ctx)
		}
	}
}

// look orders a certificate for each name that needs one.
func (a *ACME) look(ctx context.Context) {
	for _, name := range a.opts.Names {
		if ctx.Err() == nil && a.due(name) {
			a.settle(name, a.obtain(ctx, name))
			a.alarm(name)
		}
	}
}

// due tells whether a name has no certificate, or one of whose life less than a
// third is left.
func (a *ACME) due(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	cert := a.names[name].cert
	if cert == nil {
		return true
	}
	life := cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore)
	return cert.Leaf.NotAfter.Sub(a.opts.Now()) < life/3
}

// settle remembers how an order went, and tells the log of what has changed.
func (a *ACME) settle(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.names[name]
	if err == nil {
		a.opts.Log.Info("new certificate", "name", name, "valid until", n.cert.Leaf.NotAfter)
		n.fault, n.since = nil, time.Time{}
		return
	}
	if n.fault == nil {
		n.since = a.opts.Now()
	}
	if n.fault == nil || n.fault.Error() != err.Error() {
		a.opts.Log.Error("no new certificate, trying again every hour", "name", name, "error", err.Error())
	}
	n.fault = err
}

// alarm tells of a certificate that is about to end, or has ended, without a new one.
func (a *ACME) alarm(name string) {
	a.mu.Lock()
	n := a.names[name]
	stage := n.stageAt(a.opts.Now())
	worse := stage > n.stage
	n.stage = stage
	s := a.stateLocked(name)
	a.mu.Unlock()
	if worse && a.opts.Alarm != nil {
		a.opts.Alarm(s)
	}
}

// stageAt says how near the end is: 0 far or renewed, 1 less than a week, 2 over.
func (n *acmeName) stageAt(now time.Time) int {
	switch {
	case n.fault == nil || n.cert == nil:
		return 0
	case now.After(n.cert.Leaf.NotAfter):
		return 2
	case n.cert.Leaf.NotAfter.Sub(now) < expiryAlarm:
		return 1
	}
	return 0
}

// readChain reads the certificate of a name, or returns nil if there is none.
func (a *ACME) readChain(name string) (*tls.Certificate, error) {
	file := a.chainFile(name)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, err := chainOf(data, a.key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove the file to order a new certificate", file, err)
	}
	return cert, nil
}

func (a *ACME) chainFile(name string) string { return filepath.Join(a.opts.Dir, name+".pem") }

// known tells whether a name is one of ours.
func (a *ACME) known(name string) bool { return slices.Contains(a.opts.Names, name) }
