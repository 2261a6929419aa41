package mta

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
)

var errDKIMKey = errors.New("mta: no usable DKIM key")

// The sizes of an RSA key with which a signature counts, in bits: RFC 8301, 3.2
// has the least; above the greatest, verifying is work that a sender must not be
// able to make.
const (
	minRSABits = 1024
	maxRSABits = 8192
)

// A dkimPublicKey is what a domain has published for one selector.
type dkimPublicKey struct {
	rsa     *rsa.PublicKey // or
	ed25519 ed25519.PublicKey
	exact   bool // t=s: the identity must be in the domain itself
}

// parseDKIMRecord reads the record of a key (RFC 6376, 3.6.1). A key that its
// domain tries out (t=y) is none: "Verifiers MUST NOT treat messages from Signers
// in testing mode differently from unsigned email".
func parseDKIMRecord(record string) (dkimPublicKey, error) {
	tags, err := parseTags(record)
	if err != nil {
		return dkimPublicKey{}, err
	}
	if tags.has("v") && (tags[0].name != "v" || tags[0].value != "DKIM1") {
		return dkimPublicKey{}, errDKIMKey
	}
	flags := tags.words("t")
	if !tags.allows("h", "sha256") || !tags.allows("s", "*", "email") || slices.Contains(flags, "y") {
		return dkimPublicKey{}, errDKIMKey
	}
	data, err := tags.bytes("p")
	if err != nil || len(data) == 0 { // an empty one was withdrawn
		return dkimPublicKey{}, errDKIMKey
	}
	key, err := parseDKIMKey(tags.get("k"), data)
	key.exact = slices.Contains(flags, "s")
	return key, err
}

// parseDKIMKey reads the key itself. RSA keys are there with and without the name
// of the algorithm (RFC 6376, erratum 3017).
func parseDKIMKey(kind string, data []byte) (dkimPublicKey, error) {
	if kind == "ed25519" && len(data) == ed25519.PublicKeySize {
		return dkimPublicKey{ed25519: data}, nil
	}
	if kind != "" && kind != "rsa" {
		return dkimPublicKey{}, errDKIMKey
	}
	key, err := x509.ParsePKCS1PublicKey(data)
	if err != nil {
		public, err := x509.ParsePKIXPublicKey(data)
		if err != nil {
			return dkimPublicKey{}, errDKIMKey
		}
		key, _ = public.(*rsa.PublicKey)
	}
	if key == nil || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits {
		return dkimPublicKey{}, errDKIMKey
	}
	return dkimPublicKey{rsa: key}, nil
}

// verify reports whether sig is the key's signature, by this algorithm, of a
// SHA-256 sum.
func (k dkimPublicKey) verify(algorithm string, sum, sig []byte) bool {
	switch {
	case k.rsa != nil && algorithm == "rsa-sha256":
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, sum, sig) == nil
	case k.ed25519 != nil && algorithm == "ed25519-sha256":
		return ed25519.Verify(k.ed25519, sum, sig) // RFC 8463, 3
	}
	return false
}
