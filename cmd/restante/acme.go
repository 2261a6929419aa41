package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
)

// acmePort is the listener at which a public authority asks for its proof.
const acmePort = "acme"

// openACME makes what gets certificates from a public authority, or nil if the
// configuration has none.
func (r *relay) openACME(o relayOptions) (*listen.ACME, error) {
	c := r.cfg.TLS.ACME
	if c.Directory == "" {
		return nil, nil
	}
	opts := listen.ACMEOptions{
		Directory: c.Directory, Dir: filepath.Join(r.tlsDir(), "acme"), Names: acmeNames(r.cfg), Log: r.log, Now: o.now, Tick: o.acmeTick,
	}
	if c.RootFile != "" {
		pem, err := os.ReadFile(c.RootFile)
		if err != nil {
			return nil, fmt.Errorf("tls.acme.root_file: %w", err)
		}
		opts.Roots = x509.NewCertPool()
		if !opts.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.acme.root_file: there is no certificate in %s", c.RootFile)
		}
	}
	return listen.OpenACME(opts)
}

// acmeNames are the names that need a certificate which the world trusts: where
// clients connect, and where mail programs and other relays look things up.
func acmeNames(cfg *config.Config) []string {
	names := []string{cfg.Hostname}
	for _, prefix := range []string{"autoconfig.", "mta-sts.", "openpgpkey."} {
		if name := prefix + cfg.Domain; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// serveACME answers the authority until ctx ends.
func (r *relay) serveACME(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: r.acme, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // its lines name clients
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("port for certificates: %w", err)
	}
	return nil
}
