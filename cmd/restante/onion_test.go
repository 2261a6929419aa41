//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
)

// onionName is such a name as Tor gives.
const onionName = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"

// TestOnionRelay: a relay that can be reached by its onion service alone exchanges mail
// with one that has a domain, whose keys the other asks the service itself about. No
// resolver hears of it.
func TestOnionRelay(t *testing.T) {
	t.Parallel()
	proxy := newOnionProxy(t)
	c := changedCountry(t, func(cfg *config.Config) {
		cfg.Queue.SOCKSProxy = proxy.Address
		if cfg.Domain == onionName {
			cfg.Hostname, cfg.Onion = onionName, onionName
		}
	}, "here.test", onionName)
	hidden := c.relays[onionName].ready()
	proxy.lead(map[string]string{
		net.JoinHostPort(onionName, strconv.Itoa(c.port)): hidden.MX,
		net.JoinHostPort(onionName, "80"):                 hidden.HTTP,
	})

	anna, zoe := c.citizen(t, "anna@here.test"), c.citizen(t, "zoe@"+onionName)
	anna.write(t, zoe, "question")
	if got := zoe.read(t, anna); got.Subject != "question" {
		t.Errorf("got %q", got.Subject)
	}
	zoe.write(t, anna, "answer")
	if got := anna.read(t, zoe); got.Subject != "answer" {
		t.Errorf("got %q", got.Subject)
	}
	for _, name := range c.dns.Asked() {
		if strings.Contains(name, "onion") {
			t.Errorf("the name server was asked about %s", name)
		}
	}
	for _, target := range []string{net.JoinHostPort(onionName, strconv.Itoa(c.port)), net.JoinHostPort(onionName, "80")} {
		if !slices.Contains(proxy.Asked(), target) {
			t.Errorf("the proxy was asked for %v, want %s among it", proxy.Asked(), target)
		}
	}
	if _, talk, code := c.command(t, onionName, "dns"); code != 1 || !strings.Contains(talk, "onion service") {
		t.Errorf("dns for an onion service: exit code %d, %s", code, talk)
	}
}

// TestOnionCertificate: who comes by the onion service sees a certificate for its name,
// and all others the operator's.
func TestOnionCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	usual, err := listen.OpenTLS(listen.TLSOptions{Dir: filepath.Join(dir, "authority"), Names: []string{"mx.here.test"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig(filepath.Join(dir, "relay"), "")
	cfg.Onion = onionName
	cfg.TLS = config.TLS{CertFile: filepath.Join(dir, "authority", "cert.pem"), KeyFile: filepath.Join(dir, "authority", "key.pem")}
	r, err := openRelay(t.Context(), cfg, slog.New(slog.DiscardHandler), func(string) string { return "" }, relayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	onion, err := os.ReadFile(filepath.Join(dir, "relay", "tls", "onion", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, authority := range map[string][]byte{onionName: onion, "mx.here.test": usual.CA()} {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		for port, protocols := range map[string][]string{r.ready().IMAPS: {"imap"}, r.ready().SMTPS: nil, r.ready().HTTPS: {"h2", "http/1.1"}} {
			conn, err := tls.Dial("tcp", port, &tls.Config{RootCAs: roots, ServerName: name, NextProtos: protocols})
			if err != nil {
				t.Errorf("%s with %v: %v", name, protocols, err)
				continue
			}
			conn.Close()
		}
	}
}
