package pgp

import (
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// encryptionKeys returns every key of the certificate that mail may be encrypted to at the time now, in the order of
// the certificate and at most maxRecipientKeys. A person's devices may hold different ones, and older software knows
// only the first; so a message goes to all of them, where the library would choose one.
func (c *Cert) encryptionKeys(now time.Time) ([]*packet.PublicKey, error) {
	cfg := config(nil, nil)
	primarySig, err := c.entity.VerifyPrimaryKey(now, cfg)
	if err != nil {
		return nil, keyError(err)
	}
	var keys []*packet.PublicKey
	for i := range c.entity.Subkeys {
		s := &c.entity.Subkeys[i]
		binding, err := s.Verify(now, cfg)
		if err == nil && mayEncrypt(s.PublicKey, binding, cfg) && len(keys) < maxRecipientKeys {
			keys = append(keys, s.PublicKey)
		}
	}
	if len(keys) == 0 && mayEncrypt(c.entity.PrimaryKey, primarySig, cfg) {
		keys = append(keys, c.entity.PrimaryKey)
	}
	if len(keys) == 0 {
		return nil, ErrCannotEncrypt
	}
	return keys, nil
}

// mayEncrypt reports whether k is flagged for encryption and strong enough for it.
func mayEncrypt(k *packet.PublicKey, sig *packet.Signature, cfg *packet.Config) bool {
	if !sig.FlagsValid || !(sig.FlagEncryptCommunications || sig.FlagEncryptStorage) || !k.PubKeyAlgo.CanEncrypt() ||
		cfg.RejectPublicKeyAlgorithm(k.PubKeyAlgo) {
		return false
	}
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly:
		bits, err := k.BitLength()
		return err == nil && bits >= cfg.MinimumRSABits()
	case packet.PubKeyAlgoECDH:
		curve, err := k.Curve()
		return err == nil && !cfg.RejectCurve(curve)
	}
	return true
}

// readsSEIPDv2 reports whether the owner says that their software reads SEIPDv2 (RFC 9580, 5.2.3.32).
func (c *Cert) readsSEIPDv2(now time.Time) bool {
	sig, err := c.entity.PrimarySelfSignature(now, config(nil, nil))
	return err == nil && sig.SEIPDv2
}

// recipients is what a set of certificates asks of a message to all of them.
type recipients struct {
	keys     []*packet.PublicKey
	intended []*packet.Recipient
	aead     bool // SEIPDv2
}

// gather collects the keys of every certificate. If one of them cannot be encrypted to there is no message at all, and
// the error joins what is wrong with each.
func gather(to []*Cert, postQuantumOnly bool, now time.Time) (recipients, error) {
	r := recipients{aead: true}
	var sets [][]*packet.PublicKey
	var bad []error
	for _, c := range to {
		keys, err := c.encryptionKeys(now)
		if err != nil {
			bad = append(bad, fmt.Errorf("certificate %s: %w", c.Fingerprint(), err))
			continue
		}
		sets = append(sets, keys)
		r.aead = r.aead && c.readsSEIPDv2(now)
		primary := c.entity.PrimaryKey
		r.intended = append(r.intended, &packet.Recipient{KeyVersion: primary.Version, Fingerprint: primary.Fingerprint})
	}
	for _, keys := range sets {
		switch {
		case !r.aead:
			// Somebody reads by an old key anyway, so a hybrid one would protect nothing; and PGPainless 1.3 takes a
			// message with a session key of an unknown algorithm for no message.
			keys = preferPQ(keys, false)
		case postQuantumOnly:
			keys = preferPQ(keys, true)
		}
		r.keys = append(r.keys, keys...)
	}
	return r, errors.Join(bad...)
}

// preferPQ returns the hybrid keys among keys, or the others, or if there are none of the kind all of them.
func preferPQ(keys []*packet.PublicKey, hybrid bool) []*packet.PublicKey {
	var some []*packet.PublicKey
	for _, k := range keys {
		if k.IsPQ() == hybrid {
			some = append(some, k)
		}
	}
	if len(some) == 0 {
		return keys
	}
	return some
}
