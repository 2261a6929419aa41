package main

import (
	"fmt"
	"net"
	"os"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/web"
	"github.com/restante/restante/web/token"
)

// openSignup makes what decides who may get an address. It needs the store, which
// remembers spent tokens for all nodes, and the relay key, under which they all sign
// tickets.
func (r *relay) openSignup(o relayOptions) (*web.Signup, error) {
	opts := web.SignupOptions{
		Domain: r.cfg.Domain, Policy: web.Policy(r.cfg.Signup.Policy), Secret: r.key.TicketSecret(), Spent: r.store,
	}
	if o.unlimited {
		free := web.Rate{Every: 0, Burst: 1}
		opts.Limits = web.SignupLimits{Wait: free, NetworkWait: free, Free: free, NetworkFree: free}
	}
	if r.cfg.Signup.TokenKeys == "" {
		return web.NewSignup(opts)
	}
	b, err := os.ReadFile(r.cfg.Signup.TokenKeys)
	if err != nil {
		return nil, fmt.Errorf("signup.token_keys: %w", err)
	}
	if opts.TokenKeys, err = token.ParsePublic(b); err != nil {
		return nil, fmt.Errorf("signup.token_keys: %w", err)
	}
	return web.NewSignup(opts)
}

// makeWeb makes the pages. It needs the ports that were opened, because it tells
// mail programs of them.
func (r *relay) makeWeb(signup *web.Signup, o relayOptions) (err error) {
	r.web, err = web.New(web.Options{
		Service: r.service, Signup: signup, Domain: r.cfg.Domain, Hostname: r.cfg.Hostname, CA: r.tls.CA(), Cleartext: r.ownersClear(),
		URL: r.pagesURL(), STS: stsPolicy(r.cfg), DKIM: r.dkim.find(), Deliver: r.deliverHTTPS(), Peer: peerOf, ClientIP: listen.ClientIP, ReachPorts: o.reachPorts, Log: r.log,
		Ports: web.Ports{IMAPS: r.portOf("imaps"), IMAP: r.portOf("imap"), SMTPS: r.portOf("smtps"), Submission: r.portOf("submission"), Shared: r.sharedPort()},
	})
	return err
}

// portOf returns the port of a listener, 0 if it is off.
func (r *relay) portOf(name string) int {
	ln := r.ports[name]
	if ln == nil {
		return 0
	}
	return ln.Addr().(*net.TCPAddr).Port
}

// localNames are the names in a certificate of the relay's own authority: where
// clients connect, and where they look for settings and keys.
func localNames(cfg *config.Config) []string {
	names := listen.LocalNames(cfg.Domain, cfg.Hostname)
	for _, prefix := range []string{"autoconfig.", "autodiscover.", "openpgpkey.", "mta-sts."} {
		names = append(names, prefix+cfg.Domain)
	}
	if cfg.Onion != "" && cfg.Onion != cfg.Domain {
		names = append(names, cfg.Onion)
	}
	return names
}
