package queue

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/miekg/dns"
)

// The values of TLSA records that mean something for SMTP (RFC 7672, 3.1; RFC
// 6698, 2.1).
const (
	usageTA = 2 // an authority of the domain's own
	usageEE = 3 // the server's certificate itself

	selectCertificate = 0
	selectKey         = 1

	matchExact  = 0
	matchSHA256 = 1
	matchSHA512 = 2
)

// pins asks for the TLSA records of a host. Without DNSSEC for the host's own
// address there are none (RFC 7672, 2.2.1).
func (r *Resolver) pins(ctx context.Context, h host) ([]*dns.TLSA, pinning) {
	if !h.secure || h.name == "" {
		return nil, noPins
	}
	found, err := r.lookup(ctx, "_25._tcp."+h.name, dns.TypeTLSA)
	switch {
	case errors.Is(err, errNoName):
		return nil, noPins
	case err != nil:
		return nil, unknownPins
	case !found.secure || len(found.records) == 0:
		return nil, noPins
	}
	var usable []*dns.TLSA
	for _, rr := range found.records {
		if t := rr.(*dns.TLSA); isUsable(t) {
			usable = append(usable, t)
		}
	}
	if usable == nil {
		return nil, unusablePins
	}
	return usable, usablePins
}

func isUsable(t *dns.TLSA) bool {
	return (t.Usage == usageTA || t.Usage == usageEE) && t.Selector <= selectKey && t.MatchingType <= matchSHA512
}

// checkPins looks for a pin that a server's certificates fit. With usageEE
// neither names nor dates matter (RFC 7672, 3.1.1).
func checkPins(pins []*dns.TLSA, name string, s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	for _, p := range pins {
		if p.Usage == usageEE && fits(p, leaf) {
			return nil
		}
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, c := range s.PeerCertificates {
		if slices.ContainsFunc(pins, func(p *dns.TLSA) bool { return p.Usage == usageTA && fits(p, c) }) {
			roots.AddCert(c)
			found = true
		}
		others.AddCert(c)
	}
	if !found {
		return errCertPin
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, DNSName: name})
	return err
}

// fits reports whether a pin is of that certificate.
func fits(p *dns.TLSA, c *x509.Certificate) bool {
	data := c.Raw
	if p.Selector == selectKey {
		data = c.RawSubjectPublicKeyInfo
	}
	switch p.MatchingType {
	case matchSHA256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case matchSHA512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	want, err := hex.DecodeString(p.Certificate)
	return err == nil && slices.Equal(want, data)
}
