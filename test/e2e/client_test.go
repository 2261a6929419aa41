//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// clientIP is where our own clients connect from, where a test looks for it: an
// address of the loopback network that nothing else uses.
const clientIP = "127.0.0.77"

func (r *relay) tls(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

func dial(t *testing.T, hostport string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientIP)}}
	c, err := d.Dial("tcp", hostport)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// smtp returns a logged-in submission client.
func (r *relay) smtp(t *testing.T, a account) *smtp.Client {
	t.Helper()
	c := smtp.NewClient(tls.Client(dial(t, r.SMTPS), r.tls(t)))
	t.Cleanup(func() { c.Close() })
	if err := c.Auth(sasl.NewPlainClient("", a.Address, a.Password)); err != nil {
		t.Fatal(err)
	}
	return c
}

// imap returns a logged-in IMAP client.
func (r *relay) imap(t *testing.T, a account) *imapclient.Client {
	t.Helper()
	c := imapclient.New(tls.Client(dial(t, r.IMAPS), r.tls(t)), nil)
	t.Cleanup(func() { c.Close() })
	if err := c.Login(a.Address, a.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// send submits a mail on an open connection.
func send(c *smtp.Client, from, to, mail string) error {
	return c.SendMail(from, []string{to}, strings.NewReader(mail))
}
