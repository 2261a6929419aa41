package listen

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// caLifetime is how long clients can go on trusting the local authority.
	caLifetime = 10 * 365 * 24 * time.Hour
	// leafLifetime is under the 398 days that Apple's clients accept.
	leafLifetime = 397 * 24 * time.Hour
	// leafRenewal is the time left at which a new certificate is issued.
	leafRenewal = 30 * 24 * time.Hour
	// clockSkew is how far back certificates are dated, for slow clocks.
	clockSkew = time.Hour
)

// The files of the local authority, in its folder.
const (
	caCertFile   = "ca.pem"
	caKeyFile    = "ca-key.pem"
	leafCertFile = "cert.pem"
	leafKeyFile  = "key.pem"
)

// A localCA certifies the relay where no public authority does. Both keys stay
// for good: clients that trusted the authority, and clients that pinned the
// relay's key, notice neither restarts nor renewals. The authority can certify
// nothing but the names it was made for, so that trusting it is no risk for
// other names (RFC 5280, 4.2.1.10).
type localCA struct {
	dir     string
	files   Files
	names   []string
	cert    *x509.Certificate
	key     crypto.Signer
	leafKey crypto.Signer
	leaf    *x509.Certificate // nil until issued or read
}

var _ certSource = (*localCA)(nil)

// LocalNames returns the names that a relay of this domain is reached under,
// its host name first. A domain that is an IP address has no names below it.
func LocalNames(domain, hostname string) []string {
	all := []string{hostname, domain, "localhost"}
	if !isIP(domain) {
		all = append(all, "imap."+domain, "smtp."+domain)
	}
	var names []string
	for _, name := range all {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func isIP(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// openLocalCA reads the authority in files, or in dir if they are nil, or makes one if
// there is none.
func openLocalCA(dir string, files Files, names []string, now time.Time) (*localCA, error) {
	if files == nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		files = folder(dir)
	}
	ca := &localCA{dir: dir, files: files, names: names}
	var err error
	if ca.key, err = ca.openCAKey(); err != nil {
		return nil, err
	}
	if ca.cert, err = ca.openCACert(now); err != nil {
		return nil, err
	}
	if ca.leafKey, err = openKey(ca.files, leafKeyFile); err != nil {
		return nil, err
	}
	ca.leaf, err = readCert(ca.files, leafCertFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return ca, ca.checkNames()
}

func (ca *localCA) path(name string) string { return filepath.Join(ca.dir, name) }

// openCAKey reads the authority's key, or makes one if there is no authority.
func (ca *localCA) openCAKey() (crypto.Signer, error) {
	_, certErr := ca.files.Read(caCertFile)
	_, keyErr := ca.files.Read(caKeyFile)
	if certErr == nil && errors.Is(keyErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there and its key is not: restore %s from a backup, or remove all of %s to begin anew with clients that have to trust it again",
			ca.path(caCertFile), caKeyFile, ca.dir)
	}
	return openKey(ca.files, caKeyFile)
}

// openCACert reads the authority's certificate. Without one, as at the first
// start or after a crash in it, it certifies the key.
func (ca *localCA) openCACert(now time.Time) (*x509.Certificate, error) {
	cert, err := readCert(ca.files, caCertFile)
	if errors.Is(err, fs.ErrNotExist) {
		return ca.sign(caCertFile, caTemplate(ca.names, now), nil, ca.key.Public())
	}
	if err != nil {
		return nil, err
	}
	if !samePublicKey(cert.PublicKey, ca.key.Public()) {
		return nil, fmt.Errorf("%s and %s do not belong together: restore both from one backup", ca.path(caCertFile), caKeyFile)
	}
	if now.After(cert.NotAfter) {
		return nil, fmt.Errorf("the authority in %s has expired on %s: remove the folder to begin anew with clients that have to trust it again",
			ca.dir, cert.NotAfter.Format(time.DateOnly))
	}
	return cert, nil
}

// checkNames makes sure that the authority may certify the names of today.
func (ca *localCA) checkNames() error {
	for _, name := range ca.names {
		if !permits(ca.cert, name) {
			return fmt.Errorf("the authority in %s was made for other names than %q: remove the folder to begin anew with clients that have to trust it again", ca.dir, name)
		}
	}
	return nil
}

// certificate returns the relay's certificate, and issues a new one if there is
// none, if its time is nearly over, or if it is not for the names of today.
func (ca *localCA) certificate(now time.Time) (*tls.Certificate, error) {
	if !ca.usable(now) {
		leaf, err := ca.sign(leafCertFile, ca.leafTemplate(now), ca.cert, ca.leafKey.Public())
		if err != nil {
			return nil, fmt.Errorf("renew the certificate: %w", err)
		}
		ca.leaf = leaf
	}
	return &tls.Certificate{
		// The authority's own certificate is sent for DANE (RFC 7671, 5.2).
		Certificate: [][]byte{ca.leaf.Raw, ca.cert.Raw},
		PrivateKey:  ca.leafKey,
		Leaf:        ca.leaf,
	}, nil
}

// usable reports whether the certificate at hand can go on being presented.
func (ca *localCA) usable(now time.Time) bool {
	if ca.leaf == nil || !samePublicKey(ca.leaf.PublicKey, ca.leafKey.Public()) || ca.leaf.CheckSignatureFrom(ca.cert) != nil {
		return false
	}
	renewal := ca.leaf.NotAfter.Add(-leafRenewal)
	if ca.leaf.NotAfter.Equal(ca.cert.NotAfter) {
		renewal = ca.leaf.NotAfter // a new one would not last longer
	}
	if now.Before(ca.leaf.NotBefore) || now.After(renewal) {
		return false
	}
	for _, name := range ca.names {
		if ca.leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// sign makes a certificate, self-signed without a parent, and writes its file.
func (ca *localCA) sign(file string, template, parent *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	if parent == nil {
		parent = template
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, ca.key)
	if err != nil {
		return nil, err
	}
	if err := ca.files.Write(file, encodeCert(der)); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// caTemplate is the authority for these names and nothing else.
func caTemplate(names []string, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		Subject:                     pkix.Name{CommonName: commonName("Restante at " + names[0])},
		NotBefore:                   now.Add(-clockSkew),
		NotAfter:                    now.Add(caLifetime),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		// Loopback is always among them: with no range at all, every IP
		// address would be permitted.
		PermittedIPRanges: []*net.IPNet{ipNet(netip.MustParsePrefix("127.0.0.0/8")), ipNet(netip.MustParsePrefix("::1/128"))},
	}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			t.PermittedIPRanges = append(t.PermittedIPRanges, ipNet(netip.PrefixFrom(ip, ip.BitLen())))
			continue
		}
		t.PermittedDNSDomains = append(t.PermittedDNSDomains, name)
	}
	return t
}

// leafTemplate is the relay's certificate for the names of today.
func (ca *localCA) leafTemplate(now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName(ca.names[0])},
		NotBefore:   later(now.Add(-clockSkew), ca.cert.NotBefore),
		NotAfter:    now.Add(leafLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if t.NotAfter.After(ca.cert.NotAfter) {
		t.NotAfter = ca.cert.NotAfter
	}
	for _, name := range ca.names {
		if ip, err := netip.ParseAddr(name); err == nil {
			t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
			continue
		}
		t.DNSNames = append(t.DNSNames, name)
	}
	return t
}

// permits reports whether the authority's constraints allow the name.
func permits(ca *x509.Certificate, name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return slices.ContainsFunc(ca.PermittedIPRanges, func(n *net.IPNet) bool { return n.Contains(ip.AsSlice()) })
	}
	return slices.ContainsFunc(ca.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

// commonName cuts a name to the 64 characters of RFC 5280, A.1.
func commonName(name string) string { return name[:min(len(name), 64)] }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(*ecdsa.PublicKey)
	return ok && key.Equal(b)
}
