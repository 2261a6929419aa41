package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/addr"
)

// MaxKey is the size limit of a private key in binary form.
const MaxKey = 128 << 10

// ErrPassphrase means that a private key is locked and the passphrase does not open it.
var ErrPassphrase = errors.New("the passphrase does not open the key")

// Profile is a kind of key to generate.
type Profile int

const (
	// Hybrid is Ed25519 to sign, Curve25519 to encrypt, and as a second encryption subkey ML-KEM-768 with X25519. Software
	// that does not know ML-KEM skips that subkey.
	Hybrid Profile = iota
	// Classic leaves the second subkey out, for a peer that stumbles over it.
	Classic
)

// KeyOptions are the choices of Generate. The zero value is right for a new account.
type KeyOptions struct {
	Profile Profile
	Now     func() time.Time // time of creation; nil means the clock
	Rand    io.Reader        // nil means the system's randomness
}

// Key is a private key, unlocked, with its certificate. It is immutable and safe for concurrent use. Its primary key
// signs and certifies; subkeys encrypt.
type Key struct {
	entity *openpgp.Entity
	cert   *Cert
}

// Generate makes a new key for address a: version 4, with the algorithm numbers of RFC 4880 times, because that is the
// only shape that every OpenPGP mail client in use reads. It never expires. Keys of one owner's devices are copies of
// each other, never subkeys of their own: senders choose one subkey, and the others could read nothing.
func Generate(a addr.Address, o KeyOptions) (*Key, error) {
	if a.IsZero() {
		return nil, errors.New("generate key: no address")
	}
	cfg := config(o.Now, o.Rand)
	now := cfg.Now()
	cfg.Time = func() time.Time { return now } // one time for all parts: of equally old subkeys senders take the hybrid one
	cfg.Algorithm = packet.PubKeyAlgoEdDSA
	cfg.Curve = packet.Curve25519
	entity, err := openpgp.NewEntity("", "", a.String(), cfg)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	if o.Profile == Hybrid {
		cfg.Algorithm = packet.PubKeyAlgoMlkem768X25519
		if err := entity.AddEncryptionSubkey(cfg); err != nil {
			return nil, fmt.Errorf("generate post-quantum subkey: %w", err)
		}
	}
	return newKey(entity)
}

// ParseKey reads one private key, binary or armored, of at most MaxKey bytes. A locked key is opened with passphrase;
// if that is wrong or missing, errors wrap ErrPassphrase. Other errors wrap ErrBadCert.
func ParseKey(b, passphrase []byte) (*Key, error) {
	entity, err := parseEntity(b, MaxKey, openpgp.PrivateKeyType)
	if err != nil {
		return nil, err
	}
	if entity.PrivateKey == nil || entity.PrivateKey.Dummy() {
		return nil, badCert("the private half of the primary key is not in it")
	}
	if err := unlock(entity, passphrase); err != nil {
		return nil, err
	}
	return newKey(entity)
}

// unlock opens the secret parts of entity, within our limit on what a passphrase may cost.
func unlock(entity *openpgp.Entity, passphrase []byte) error {
	secrets := []*packet.PrivateKey{entity.PrivateKey}
	for i := range entity.Subkeys {
		if k := entity.Subkeys[i].PrivateKey; k != nil {
			secrets = append(secrets, k)
		}
	}
	for _, k := range secrets {
		if err := checkKeyCost(k); err != nil {
			return err
		}
	}
	if err := entity.DecryptPrivateKeys(passphrase); err != nil {
		return ErrPassphrase
	}
	return nil
}

// newKey cleans entity, which it takes over and which must be unlocked.
func newKey(entity *openpgp.Entity) (*Key, error) {
	var public bytes.Buffer
	if err := serializePublic(&public, entity); err != nil {
		return nil, badCert("it cannot be written: %v", err)
	}
	cert, err := ParseCert(public.Bytes())
	if err != nil {
		return nil, err
	}
	if err := clean(entity); err != nil {
		return nil, err
	}
	return &Key{entity: entity, cert: cert}, nil
}

// Cert returns the certificate of the key, to give away.
func (k *Key) Cert() *Cert { return k.cert }

// Fingerprint returns the fingerprint of the primary key.
func (k *Key) Fingerprint() Fingerprint { return k.cert.Fingerprint() }

// Bytes returns the key in binary form, locked with passphrase, or unlocked if that is empty: then whoever reads them
// has the key. The lock is what RFC 4880 software opens: iterated and salted SHA-256 with AES-256.
func (k *Key) Bytes(passphrase []byte) ([]byte, error) {
	var open bytes.Buffer
	if err := serializePrivate(&open, k.entity); err != nil {
		return nil, fmt.Errorf("serialize key: %w", err)
	}
	if len(passphrase) == 0 {
		return open.Bytes(), nil
	}
	return lock(open.Bytes(), passphrase)
}

// Armor is Bytes in ASCII armor.
func (k *Key) Armor(passphrase []byte) ([]byte, error) {
	b, err := k.Bytes(passphrase)
	if err != nil {
		return nil, err
	}
	return armored(openpgp.PrivateKeyType, b), nil
}

// lock works on a copy, read from b, because the library locks keys in place.
func lock(b, passphrase []byte) ([]byte, error) {
	list, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("copy key: %w", err)
	}
	cfg := config(nil, nil)
	cfg.AEADConfig = nil // an AEAD lock is unreadable to GnuPG 2.2
	cfg.S2KConfig = &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, S2KCount: 65011712}
	if err := list[0].EncryptPrivateKeys(passphrase, cfg); err != nil {
		return nil, fmt.Errorf("lock key: %w", err)
	}
	var locked bytes.Buffer
	if err := serializePrivate(&locked, list[0]); err != nil {
		return nil, fmt.Errorf("serialize key: %w", err)
	}
	return locked.Bytes(), nil
}

// signingKey returns the private key to sign with at the time now: the primary key if it may sign, because Delta Chat
// (2.62) takes no signature of a subkey for its owner's.
func (k *Key) signingKey(now time.Time) (*packet.PrivateKey, error) {
	cfg := config(nil, nil)
	sig, err := k.entity.VerifyPrimaryKey(now, cfg)
	if err != nil {
		return nil, keyError(err)
	}
	if sig.FlagsValid && sig.FlagSign {
		return k.entity.PrivateKey, nil
	}
	if key, ok := k.entity.SigningKey(now, cfg); ok && key.PrivateKey != nil && !key.PrivateKey.Dummy() {
		return key.PrivateKey, nil
	}
	return nil, fmt.Errorf("key %s has nothing to sign with", k.Fingerprint())
}
