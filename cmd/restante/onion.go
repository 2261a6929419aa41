package main

import (
	"crypto/tls"
	"path/filepath"
	"strings"

	"github.com/restante/restante/internal/listen"
)

// openOnion makes the certificate for the name of the onion service, which no public
// authority certifies. Where the relay's own authority issues the one that all see, it
// has that name in it already.
func (r *relay) openOnion() (err error) {
	if r.cfg.Onion == "" || r.cfg.TLS.CertFile == "" && r.acme == nil {
		return nil
	}
	r.onionTLS, err = listen.OpenTLS(listen.TLSOptions{
		Dir: filepath.Join(r.tlsDir(), "onion"), Names: []string{r.cfg.Onion}, Log: r.log,
	})
	return err
}

// tlsConfig is the configuration of a listener whose clients come under the relay's
// name or that of its onion service.
func (r *relay) tlsConfig(protocols ...string) *tls.Config {
	config := r.tls.Config(protocols...)
	if r.onionTLS == nil {
		return config
	}
	usual, onion := config.GetConfigForClient, r.onionTLS.Config(protocols...)
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen, choose := (*tls.Config)(nil), usual // nil goes on with config
		if isOnion(hello.ServerName) {
			chosen, choose = onion, onion.GetConfigForClient
		}
		if choose == nil {
			return chosen, nil
		}
		agreed, err := choose(hello)
		if agreed == nil && err == nil {
			return chosen, nil
		}
		return agreed, err
	}
	return config
}

func isOnion(name string) bool { return strings.HasSuffix(name, ".onion") }

// pagesURL is where the pages are for mail programs; "" is https:// and the hostname.
func (r *relay) pagesURL() string {
	if isOnion(r.cfg.Domain) {
		return "http://" + r.cfg.Domain // the name is the key: there is nothing to certify
	}
	return ""
}
