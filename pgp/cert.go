package pgp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/addr"
)

// MaxCert is the size limit of a certificate in binary form. Ours have 2 KB, the largest with twenty years of
// certifications a few hundred; those are dropped anyway, and one cleaned of them fits.
const MaxCert = 64 << 10

// maxCertSignatures bounds the signatures that parsing one certificate checks, at up to 0.1 ms each.
const maxCertSignatures = 256

// maxRecipientKeys bounds the encryption subkeys of one certificate that a message is encrypted to.
const maxRecipientKeys = 8

// Fingerprint is the fingerprint of a primary key in upper-case hexadecimal: 40 digits for version 4 keys, 64 for 6.
type Fingerprint string

// Cert is somebody's OpenPGP certificate, the public half of a key: a primary key and what it has bound to itself.
// Signatures by others, and what no valid signature binds, were dropped when it was parsed. It is immutable and safe
// for concurrent use. Parsing verifies every signature and costs 0.1 ms and more: keep certificates, not their bytes.
type Cert struct {
	entity *openpgp.Entity
	raw    []byte
}

// ParseCert reads one certificate, binary or armored, of at most MaxCert bytes. It checks every signature of the
// owner's. A certificate that has expired or was revoked is returned: Usable tells. Errors wrap ErrBadCert; a private
// key is refused, so that nobody publishes one by mistake.
func ParseCert(b []byte) (*Cert, error) {
	entity, err := parseEntity(b, MaxCert, openpgp.PublicKeyType)
	if err != nil {
		return nil, err
	}
	if entity.PrivateKey != nil {
		return nil, badCert("this is a private key; never give it away, export the public key instead")
	}
	c, err := newCert(entity)
	if err != nil {
		return nil, err
	}
	// What cleaning took out may have been what held it together, as the direct-key signature of a version 6 key does.
	if _, err := parseEntity(c.raw, MaxCert, openpgp.PublicKeyType); err != nil {
		return nil, err
	}
	return c, nil
}

// newCert cleans entity, which it takes over, and makes it a Cert.
func newCert(entity *openpgp.Entity) (*Cert, error) {
	if err := clean(entity); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	if err := serializePublic(&raw, entity); err != nil {
		return nil, badCert("it cannot be written again: %v", err)
	}
	return &Cert{entity: entity, raw: raw.Bytes()}, nil
}

// parseEntity reads exactly one key from b, which may be armored as kind.
func parseEntity(b []byte, limit int, kind string) (*openpgp.Entity, error) {
	binary, err := dearmor(b, limit, kind)
	if err != nil {
		return nil, err
	}
	list, err := openpgp.ReadKeyRing(bytes.NewReader(binary))
	if err != nil {
		return nil, badCert("%v", err)
	}
	switch len(list) {
	case 0:
		return nil, badCert("there is no key in it")
	case 1:
		return list[0], nil
	}
	return nil, badCert("there are %d keys in it, not one", len(list))
}

// dearmor returns b without its armor, if it has any, and holds it to limit.
func dearmor(b []byte, limit int, kind string) ([]byte, error) {
	if len(b) > 0 && b[0]&0x80 == 0 { // a packet's first octet has its top bit set, armor is ASCII
		found, data, err := openArmor(bufio.NewReaderSize(bytes.NewReader(b), armorReadAhead))
		if err != nil {
			return nil, badCert("the armor is broken: %v", err)
		}
		if found != kind {
			return nil, badCert("the armor says %s, not %s", found, kind)
		}
		if b, err = io.ReadAll(io.LimitReader(data, int64(limit)+1)); err != nil {
			return nil, badCert("the armor is broken: %v", err)
		}
	}
	if len(b) > limit {
		return nil, badCert("it is over %d bytes; export it without the signatures of others (gpg: export-minimal)", limit)
	}
	return b, nil
}

// Fingerprint returns the fingerprint of the primary key, which names the certificate.
func (c *Cert) Fingerprint() Fingerprint { return fingerprint(c.entity.PrimaryKey) }

// Created returns when the primary key says it was made.
func (c *Cert) Created() time.Time { return c.entity.PrimaryKey.CreationTime }

// Bytes returns the certificate in binary form, cleaned as Cert says. The caller must not change them.
func (c *Cert) Bytes() []byte { return c.raw }

// Armor returns the certificate in ASCII armor.
func (c *Cert) Armor() []byte { return armored(openpgp.PublicKeyType, c.raw) }

// Addresses returns the mail addresses of the certificate's valid user IDs, in no order. Only the owner of the key
// says that they are theirs; it proves nothing.
func (c *Cert) Addresses() []addr.Address {
	var list []addr.Address
	for _, id := range c.entity.Identities {
		if a, ok := userIDAddress(id.UserId); ok {
			list = append(list, a)
		}
	}
	return list
}

// HasAddress reports whether a valid user ID of the certificate carries a.
func (c *Cert) HasAddress(a addr.Address) bool {
	for _, have := range c.Addresses() {
		if have.Equal(a) {
			return true
		}
	}
	return false
}

// Usable reports whether mail can be encrypted to the certificate at the time now. Errors wrap ErrExpired, ErrRevoked
// or ErrCannotEncrypt.
func (c *Cert) Usable(now time.Time) error {
	_, err := c.encryptionKeys(now)
	return err
}

// PostQuantum reports whether one of the encryption keys valid at now is a hybrid with ML-KEM (RFC 9980).
func (c *Cert) PostQuantum(now time.Time) bool {
	keys, err := c.encryptionKeys(now)
	if err != nil {
		return false
	}
	for _, k := range keys {
		if k.IsPQ() {
			return true
		}
	}
	return false
}

// fingerprint returns the name of a primary key or subkey.
func fingerprint(k *packet.PublicKey) Fingerprint {
	return Fingerprint(fmt.Sprintf("%X", k.Fingerprint))
}

// userIDAddress returns the address of a user ID, which is by convention "Name (comment) <address>" or the bare
// address.
func userIDAddress(id *packet.UserId) (addr.Address, bool) {
	text := id.Email
	if text == "" {
		text = id.Id
	}
	a, err := addr.Parse(text)
	return a, err == nil
}

// badCert returns an error that wraps ErrBadCert.
func badCert(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadCert, fmt.Sprintf(format, args...))
}

// keyError says in our words why a primary key is not valid.
func keyError(err error) error {
	switch err {
	case pgperrors.ErrKeyExpired:
		return ErrExpired
	case pgperrors.ErrKeyRevoked:
		return ErrRevoked
	}
	return fmt.Errorf("%w: %v", ErrCannotEncrypt, err)
}
