//go:build linux

package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/config"
	"github.com/restante/restante/internal/listen"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
	"github.com/restante/restante/test/logbook"
	"github.com/restante/restante/test/nameserver"
)

// A country is a few relays on addresses of loopback, with a DNS server that has
// what `restante dns` prints for each of them.
type country struct {
	dir  string
	port int // of every relay's MX
	web  int // and of its HTTPS
	dns  *nameserver.Server
	log  logbook.Book

	relays map[string]*relay
}

// newCountry opens and runs a relay for each domain.
func newCountry(t *testing.T, domains ...string) *country {
	t.Helper()
	return changedCountry(t, func(*config.Config) {}, domains...)
}

// changedCountry does so with another configuration.
func changedCountry(t *testing.T, change func(*config.Config), domains ...string) *country {
	t.Helper()
	// The path of a socket must be short, and that of t.TempDir is not.
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &country{dir: dir, dns: nameserver.Start(t), relays: map[string]*relay{}}
	c.port, c.web = freePort(t, "127.0.0.2"), freePort(t, "127.0.0.2")
	var configs []*config.Config
	for i, domain := range domains {
		cfg := c.config(domain, netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}))
		change(cfg)
		c.makeAuthority(t, cfg)
		configs = append(configs, cfg)
	}
	for _, cfg := range configs {
		c.open(t, cfg)
	}
	return c
}

// config is the configuration of one relay. All trust the same file of authorities.
func (c *country) config(domain string, ip netip.Addr) *config.Config {
	cfg := demoConfig(filepath.Join(c.dir, domain), "")
	cfg.Domain, cfg.Hostname = domain, "mx."+domain
	cfg.Listen.MX.Address = netip.AddrPortFrom(ip, uint16(c.port)).String()
	cfg.Listen.HTTPS.Address = netip.AddrPortFrom(ip, uint16(c.web)).String()
	cfg.DNS.Servers = []string{c.dns.Address}
	cfg.Queue.Enabled, cfg.Queue.Port, cfg.Queue.HTTPSPort, cfg.Queue.PrivateNetworks = true, c.port, c.web, true
	cfg.Queue.HTTPS = false
	cfg.Quota, cfg.Policy.InboundAuth = config.Default().Quota, "dkim"
	cfg.AdminSocket = filepath.Join(c.dir, domain+".sock")
	cfg.Queue.CAFile = filepath.Join(c.dir, "authorities.pem")
	return cfg
}

func (c *country) open(t *testing.T, cfg *config.Config) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := openRelay(ctx, cfg, log, func(string) string { return "" }, relayOptions{names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	z, err := newZone(cfg, []netip.Addr{netip.MustParseAddrPort(cfg.Listen.MX.Address).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	if !isOnion(cfg.Domain) {
		c.dns.Load(t, z.String())
	}
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
	c.relays[cfg.Domain] = r
}

// makeAuthority makes the authority of a relay before any relay runs, and puts it
// into the file that all trust.
func (c *country) makeAuthority(t *testing.T, cfg *config.Config) {
	t.Helper()
	made, err := listen.OpenTLS(listen.TLSOptions{
		Dir: filepath.Join(cfg.DataDir, "tls"), Names: append(localNames(cfg), "127.0.0.1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(cfg.Queue.CAFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(made.CA()); err != nil {
		t.Fatal(err)
	}
}

// A citizen is an account with its client.
type citizen struct {
	person
	inbox *gateway.Inbox
}

func (c *country) citizen(t *testing.T, address string) citizen {
	t.Helper()
	a := addr.MustParse(address)
	r := c.relays[a.Domain()]
	made, err := r.service.CreateAccount(t.Context(), a, mailbox.NewAccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	say := r.ready()
	say.Accounts = []readyAccount{{Address: address, Password: made.Secret}}
	p, err := newPerson(r, say, 0)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := p.Inbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inbox.Close() })
	return citizen{p, inbox}
}

// write sends a letter, and returns when the relay has taken it.
func (p citizen) write(t *testing.T, to citizen, subject string) {
	t.Helper()
	letter := gateway.Letter{From: p.Address, To: to.Address, Date: time.Now(), Subject: subject, Text: "Text of " + subject + ".\n"}
	mail, err := letter.Seal(p.key, to.key.Cert())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Submit(t.Context(), []addr.Address{to.Address}, mail); err != nil {
		t.Fatal(err)
	}
}

// read waits for the next letter, from somebody whose key is known.
func (p citizen) read(t *testing.T, from citizen) gateway.Letter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	mail, err := p.inbox.Next(ctx)
	if err != nil {
		t.Fatalf("wait for mail: %v", err)
	}
	letter, result, err := gateway.OpenLetter(mail, p.key, from.key.Cert())
	if err != nil || result.Signature != pgp.GoodSignature {
		t.Fatalf("open mail: %v, %+v\n%s", err, result, mail)
	}
	return letter
}

// command runs a command on a relay, as its operator does.
func (c *country) command(t *testing.T, domain string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	file := filepath.Join(c.dir, domain+".toml")
	var text, out, talk bytes.Buffer
	if err := c.relays[domain].cfg.Show(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	e := env{strings.NewReader(""), &out, &talk, func(string) string { return "" }}
	code = run(t.Context(), append(args, "--config", file), e)
	return out.String(), talk.String(), code
}
