package pgp

import (
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Renew returns the key with new encryption subkeys, for an owner who has lost a device.
// The old subkeys are revoked as compromised, by the primary key, and their private halves
// stay, to open old mail. Those who have the certificate take the change with the next
// copy that they see: the fingerprint is the same.
//
// It does not help against a thief who opens the lost device: he has the primary key.
func (k *Key) Renew(o KeyOptions) (*Key, error) {
	b, err := k.Bytes(nil)
	if err != nil {
		return nil, err
	}
	entity, err := parseEntity(b, MaxKey, openpgp.PrivateKeyType) // a copy: keys don't change
	if err != nil {
		return nil, err
	}
	cfg := config(o.Now, o.Rand)
	now := cfg.Now()
	cfg.Time = func() time.Time { return now }
	for i := range entity.Subkeys {
		if err := revokeEncryption(&entity.Subkeys[i], cfg); err != nil {
			return nil, fmt.Errorf("renew key: %w", err)
		}
	}
	algorithms := []packet.PublicKeyAlgorithm{packet.PubKeyAlgoEdDSA} // with its curve: Curve25519
	if o.Profile == Hybrid && entity.PrimaryKey.Version < 6 {
		algorithms = append(algorithms, packet.PubKeyAlgoMlkem768X25519)
	}
	cfg.Curve = packet.Curve25519
	for _, a := range algorithms {
		cfg.Algorithm = a
		if err := entity.AddEncryptionSubkey(cfg); err != nil {
			return nil, fmt.Errorf("renew key: %w", err)
		}
	}
	return newKey(entity)
}

// revokeEncryption revokes a subkey that encrypts, unless it is revoked already.
func revokeEncryption(s *openpgp.Subkey, cfg *packet.Config) error {
	sig, err := s.Verify(time.Time{}, cfg)
	if err != nil || !sig.FlagEncryptCommunications && !sig.FlagEncryptStorage {
		return nil // revoked, or for something else
	}
	return s.Revoke(packet.KeyCompromised, "a device was lost", cfg)
}
