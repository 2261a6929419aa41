package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/mta"
	"github.com/restante/restante/mta/queue"
)

// openQueue makes what takes mail to other relays, if users may write there.
func (r *relay) openQueue() (err error) {
	q := &r.cfg.Queue
	if !q.Enabled {
		return nil
	}
	if r.dkim, err = openSigner(q.DKIMDir, time.Now()); err != nil {
		return err
	}
	o, err := queueOptions(r.cfg)
	if err != nil {
		return err
	}
	o.Outbox, o.Log = r.service.Outbox(), r.log
	o.Sign = func(report io.Reader) ([]byte, error) { return r.dkim.Sign(r.cfg.Domain, report) }
	r.queue, err = queue.New(o)
	return err
}

// sendAway lets users write to other domains, if there is a queue for that.
func (r *relay) sendAway(o *mta.Options) {
	if r.queue != nil {
		o.Remote, o.Sign = true, r.dkim.Sign
	}
}

// queueOptions are the settings of the queue.
func queueOptions(cfg *config.Config) (o queue.Options, err error) {
	q := &cfg.Queue
	o = queue.Options{
		Hostname: cfg.Hostname, Domain: cfg.Domain, TLS: tlsLevels[q.TLS],
		Proxy: q.SOCKSProxy, ProxyAll: q.ProxyAll, Literals: q.AddressLiterals, Private: q.PrivateNetworks, Port: q.Port,
		HTTPS: q.HTTPS, HTTPSPort: q.HTTPSPort, TLSReports: q.TLSReports,
		Limits: queue.Limits{
			Destinations: q.Destinations, PerDestination: q.PerDestination,
			MaxAge: time.Duration(q.MaxAge), Stop: time.Duration(cfg.Limits.StopTimeout),
		},
	}
	if o.Resolver, err = openResolver(cfg); err != nil {
		return o, err
	}
	if o.Roots, err = otherRoots(q.CAFile); err != nil {
		return o, err
	}
	o.RelayHost, err = relayHost(q)
	return o, err
}

var tlsLevels = map[string]queue.TLSLevel{
	"verified": queue.TLSVerified, "encrypted": queue.TLSEncrypted, "opportunistic": queue.TLSOpportunistic,
}

// openResolver returns the resolver of the configuration, or else the system's, by
// way of the proxy if there is one.
func openResolver(cfg *config.Config) (*queue.Resolver, error) {
	servers := cfg.DNS.Servers
	if len(servers) == 0 {
		servers = queue.SystemServers()
	}
	r, err := queue.NewResolver(servers, cfg.DNS.DNSSEC)
	if err != nil || cfg.Queue.SOCKSProxy == "" {
		return r, err
	}
	return r.Through(cfg.Queue.SOCKSProxy, cfg.Queue.ProxyAll)
}

// otherRoots returns what other servers' certificates are checked with: nil is what
// the system trusts.
func otherRoots(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("queue.ca_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("certificates of the system: %w", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("queue.ca_file: there is no certificate in this file; it must be PEM")
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// relayHost returns the server that takes all mail, or nil.
func relayHost(q *config.Queue) (*queue.RelayHost, error) {
	if q.RelayHost == "" {
		return nil, nil
	}
	name, number, err := net.SplitHostPort(q.RelayHost)
	if err != nil {
		return nil, fmt.Errorf("queue.relay_host: %w", err)
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("queue.relay_host: %w", err)
	}
	h := &queue.RelayHost{Name: name, Port: port, User: q.RelayUser}
	if q.RelayUser == "" {
		return h, nil
	}
	password, err := os.ReadFile(q.RelayPasswordFile)
	if err != nil {
		return nil, fmt.Errorf("queue.relay_password_file: %w", err)
	}
	h.Password = strings.TrimRight(string(password), "\r\n")
	return h, nil
}
