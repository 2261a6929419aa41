package queue

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// testHosts are the names in the certificate of the tests' servers.
var testHosts = []string{"mx.there.example", "mx2.there.example", "mta-sts.there.example", "there.example", "relayhost.example"}

// certificate returns the configuration of a server with a certificate for
// testHosts, and of a client that trusts it.
func certificate(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	pair, err := testCertificate()
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, &tls.Config{RootCAs: rootsOf(pair), ServerName: testHosts[0]}
}

var testCertificate = sync.OnceValues(func() (tls.Certificate, error) {
	return newCertificate(testHosts, time.Now().Add(time.Hour))
})

func newCertificate(hosts []string, until time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   until.Add(-2 * time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// rootsOf returns a pool in which there is that certificate alone.
func rootsOf(pair tls.Certificate) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	return roots
}

// quietLog takes what servers say about handshakes that are meant to fail.
var quietLog = log.New(io.Discard, "", 0)
