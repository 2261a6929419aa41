package queue

import (
	"crypto/tls"
	"errors"

	"github.com/miekg/dns"
)

// TLSLevel is how well a server must prove itself before it gets mail.
type TLSLevel int

// The levels, the strictest first, which is the default.
const (
	TLSVerified      TLSLevel = iota // a certificate for its name, from an authority that this system trusts
	TLSEncrypted                     // any certificate: safe from who listens, not from who interferes
	TLSOpportunistic                 // TLS if it is offered
)

var (
	errSTSName   = errors.New("queue: the server is not one that the domain's MTA-STS policy names")
	errTLSLookup = errors.New("queue: the domain's TLSA records can't be read at the moment")
)

// A pinning is what DNS says about a host's certificate.
type pinning int

const (
	noPins       pinning = iota // nothing, or nothing that DNSSEC vouches for
	usablePins                  // what the certificate must be
	unusablePins                // there is something, which we don't understand
	unknownPins                 // it can't be told
)

// tlsFacts is what the decision about TLS with one host depends on.
type tlsFacts struct {
	level     TLSLevel // as configured
	pins      pinning
	enforce   bool // the domain has an MTA-STS policy in mode enforce,
	named     bool // and it names the host
	required  bool // the message requires TLS (RFC 8689)
	report    bool // it is a report on TLS, which may tell that TLS fails
	onion     bool // the network authenticates and encrypts by itself
	unchecked bool // an address literal, or a chatmail relay without a certificate of an authority
}

// decideTLS says what a host must prove, or why it gets nothing at the moment.
// DANE goes before MTA-STS, and neither can be weakened by configuration (RFC
// 8461, 2; RFC 7672, 2.2).
func decideTLS(f tlsFacts) (TLSLevel, error) {
	switch {
	case f.report:
		return TLSOpportunistic, nil
	case f.pins == unknownPins:
		return 0, errTLSLookup
	case f.pins == usablePins:
		return TLSVerified, nil
	case f.enforce && !f.named:
		return 0, errSTSName
	case f.enforce, f.required:
		return TLSVerified, nil
	case f.onion:
		return TLSOpportunistic, nil
	case f.unchecked, f.pins == unusablePins && f.level == TLSOpportunistic:
		return TLSEncrypted, nil
	}
	return f.level, nil
}

// tlsConfig returns what the handshake with a host must be. base has the roots.
func tlsConfig(base *tls.Config, name string, level TLSLevel, pins []*dns.TLSA) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		config = base.Clone()
	}
	config.ServerName = name
	switch {
	case pins != nil:
		config.InsecureSkipVerify = true // by authorities; the pins decide
		config.VerifyConnection = func(s tls.ConnectionState) error { return checkPins(pins, name, s) }
	case level != TLSVerified:
		config.InsecureSkipVerify = true
	}
	return config
}
