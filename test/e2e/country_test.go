//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/test/nameserver"
)

// A country is a few relays, each on an address of loopback of its own and with a
// domain of its own, and a name server that has what `restante dns` prints for each.
// Their certificates come from one authority.
type country struct {
	dir   string
	bin   string // the relays' program
	smtp  int    // the port of every MX
	dns   *nameserver.Server
	ca    *authority
	towns map[string]*town
}

// A town is one relay of a country.
type town struct {
	*relay
	country *country
	domain  string
	ip      string // where others find it
	mx      string // where it listens: the same, unless something is in between
	config  string
}

func newCountry(t *testing.T) *country {
	t.Helper()
	return newCountryOf(t, binary(t))
}

// newCountryOf is newCountry with another program for the relays.
func newCountryOf(t *testing.T, bin string) *country {
	t.Helper()
	c := &country{dir: t.TempDir(), bin: bin, dns: nameserver.Start(t), towns: map[string]*town{}}
	c.ca = newAuthority(t, c.dir)
	ln, err := net.Listen("tcp", "127.0.1.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.smtp = ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	return c
}

// found founds a town, whose relay runs from now on. settings are added to its
// configuration.
func (c *country) found(t *testing.T, domain, settings string) *town {
	t.Helper()
	n := len(c.towns) + 1
	w := &town{country: c, domain: domain, ip: fmt.Sprintf("127.0.1.%d", 1+n), mx: fmt.Sprintf("127.0.1.%d", 101+n)}
	c.towns[domain] = w
	cert, key := c.ca.issue(t, "mx."+domain, "mta-sts."+domain, domain, "localhost")
	data := filepath.Join(c.dir, domain)
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	// The path of a Unix socket must be short, and the folder's is not.
	sockets, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	text := fmt.Sprintf("domain = %q\nhostname = %q\ndata_dir = %q\nadmin_socket = %q\n", domain, "mx."+domain, data, filepath.Join(sockets, "a"))
	text += fmt.Sprintf("[tls]\ncert_file = %q\nkey_file = %q\n[dns]\nservers = [%q]\n", cert, key, c.dns.Address)
	text += fmt.Sprintf("[queue]\nca_file = %q\nport = %d\nprivate_networks = true\nhttps = false\n", c.ca.file, c.smtp)
	for _, l := range []string{"smtps", "submission", "imaps", "imap", "https"} {
		text += fmt.Sprintf("[listen.%s]\naddress = \"127.0.0.1:0\"\nnetwork = \"shared\"\n", l)
	}
	text += fmt.Sprintf("[listen.mx]\naddress = \"%s:%d\"\nnetwork = \"shared\"\n[log]\nlevel = \"debug\"\n%s", w.mx, c.smtp, settings)
	w.config = write(t, c.dir, domain+".toml", text)
	c.dns.Load(t, run(t, "", nil, c.bin, "dns", "--config", w.config, "--ip", w.ip))
	w.open(t)
	return w
}

// open starts the relay, which may have been killed before.
func (w *town) open(t *testing.T) {
	t.Helper()
	work := t.TempDir()
	ready := filepath.Join(work, "ready.json")
	log, err := os.Create(filepath.Join(work, "output"))
	if err != nil {
		t.Fatal(err)
	}
	w.relay = &relay{cmd: exec.Command(w.country.bin, "serve", "--config", w.config, "--ready", ready), exited: make(chan error, 1), log: log, dir: filepath.Join(w.country.dir, w.domain)}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := w.relay
	go func() { r.exited <- r.cmd.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	w.waitReady(t, ready)
	w.CAFile = w.country.ca.file
}

// straight makes others reach the relay without anything in between.
func (w *town) straight(t *testing.T) { newCutter(t, w) }

var passwordLine = regexp.MustCompile(`(?m)^Password +(\S+)$`)

// citizen makes an account.
func (w *town) citizen(t *testing.T, name string) account {
	t.Helper()
	out := w.command(t, "account", "new", name)
	found := passwordLine.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no password in %q", out)
	}
	return account{Address: name + "@" + w.domain, Password: found[1]}
}

// command runs a command of the relay's operator.
func (w *town) command(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "", nil, w.country.bin, append(args, "--config", w.config)...)
}

// queued is how many messages wait.
func (w *town) queued(t *testing.T) int {
	t.Helper()
	return strings.Count(strings.TrimSpace(w.command(t, "queue", "list")), "\n")
}

// An authority signs certificates.
type authority struct {
	file string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
	n    int64
}

func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	a := &authority{dir: dir, n: 1}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(60 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = write(t, dir, "ca.pem", encode("CERTIFICATE", der))
	return a
}

// issue makes a certificate, and returns the files of it and its key.
func (a *authority) issue(t *testing.T, names ...string) (cert, key string) {
	t.Helper()
	a.n++
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
	}, a.cert, k.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, a.dir, names[0]+".pem", encode("CERTIFICATE", der)), write(t, a.dir, names[0]+".key", encode("PRIVATE KEY", secret))
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// client trusts the authority for a server of that name.
func (a *authority) client(name string) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots, ServerName: name}
}
