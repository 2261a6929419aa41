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
	"strings"
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
		Alarm: r.tellOfCertificate,
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

// alarmTimeout bounds the delivery of a mail to the operator.
const alarmTimeout = time.Minute

// tellOfCertificate puts a mail into the operator's mailbox: clients will refuse the
// relay, or do so already.
func (r *relay) tellOfCertificate(s listen.CertState) {
	ctx, cancel := context.WithTimeout(context.Background(), alarmTimeout)
	defer cancel()
	text := fmt.Sprintf("The certificate for %s ends on %s, and no new one can be had since %s:\r\n\r\n  %v\r\n\r\n"+
		"It is tried again every hour, and the old one is served on; clients and other relays refuse it when it\r\n"+
		"has ended. `restante doctor` looks at what the authority needs: the name in the DNS, and port 80 or 443.\r\n",
		s.Name, s.NotAfter.UTC().Format("2 January 2006, 15:04 UTC"), s.Since.UTC().Format("2 January 2006, 15:04 UTC"), s.Fault)
	// An error is in the log already.
	_ = r.service.TellOperator(ctx, "The relay's certificate is not renewed", text)
}

// acmeNames are the names that need a certificate which the world trusts: where
// clients connect, and where mail programs and other relays look things up.
func acmeNames(cfg *config.Config) []string {
	names := []string{cfg.Hostname}
	prefixes := []string{"autoconfig.", "mta-sts.", "openpgpkey."}
	if cfg.Listen.Shared {
		prefixes = append(prefixes, "imap.", "smtp.")
	}
	for _, prefix := range prefixes {
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

// acmeStatus says in one line how it stands with the certificates: the worst first.
func acmeStatus(states []listen.CertState, now time.Time) string {
	var faults []string
	first := "none yet: clients are shown one of the relay's own authority"
	for i, s := range states {
		if i == 0 && !s.NotAfter.IsZero() {
			first = certLife(s.NotAfter, now) + ", by ACME"
		}
		if s.Fault != nil {
			faults = append(faults, fmt.Sprintf("%s refused since %s: %v", s.Name, s.Since.UTC().Format("2 January, 15:04 UTC"), s.Fault))
		}
	}
	return strings.Join(append([]string{first}, faults...), "; ")
}

// certWarning is how long before its end a certificate is warned of.
const certWarning = 21 * 24 * time.Hour

// certLife says until when a certificate is good, and warns 21, 7 and 1 days before.
func certLife(until, now time.Time) string {
	text := "good until " + until.UTC().Format("2 January 2006")
	switch left := until.Sub(now); {
	case left <= 0:
		return "EXPIRED on " + until.UTC().Format("2 January 2006") + ": clients refuse it"
	case left <= 24*time.Hour:
		return "WARNING, less than a day: " + text
	case left <= 7*24*time.Hour:
		return "WARNING, less than 7 days: " + text
	case left <= certWarning:
		return "warning, less than 21 days: " + text
	}
	return text
}
