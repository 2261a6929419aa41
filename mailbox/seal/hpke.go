//go:build !unsealed

package seal

import (
	"crypto/hpke"
	"crypto/rand"

	quick "github.com/cloudflare/circl/hpke"
)

// sealInfo and openInfo are HPKE in base mode with nothing but an info, of two
// makers: what the relay does for every message that arrives is done by circl, which
// has assembly for both halves of the hybrid and takes less than half the time of
// crypto/hpke (BenchmarkSealKey0); what needs a private key is left to the standard
// library. So whatever is opened was sealed by the one and understood by the other.

var suite = quick.NewSuite(quick.KEM_XWING, quick.KDF_HKDF_SHA256, quick.AEAD_AES256GCM)

// sealInfo appends to dst the encapsulated key and the sealed content.
func (p PublicKey) sealInfo(dst, info, content []byte) ([]byte, error) {
	sender, err := suite.NewSender(p.k, info)
	if err != nil {
		return nil, err
	}
	encapsulated, sealer, err := sender.Setup(rand.Reader)
	if err != nil {
		return nil, err
	}
	sealed, err := sealer.Seal(content, nil)
	if err != nil {
		return nil, err
	}
	return append(append(dst, encapsulated...), sealed...), nil
}

// openInfo opens what sealInfo appended. Whatever fails, the error is ErrOpen.
func (p PrivateKey) openInfo(info, sealed []byte) ([]byte, error) {
	content, err := hpke.Open(p.k, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return nil, ErrOpen
	}
	return content, nil
}
