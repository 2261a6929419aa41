package token

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// The types of PEM blocks.
const (
	pemPrivate = "PRIVATE KEY" // PKCS #8
	pemPublic  = "PUBLIC KEY"  // PKIX
)

// GenerateKey returns a new key to issue tokens with. Who has it can make as many
// accounts as he likes: it belongs on the operator's machine, and the relay needs
// the public half only.
func GenerateKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generate token key: %w", err)
	}
	return key, nil
}

// checkKey holds a key to the one size that tokens have.
func checkKey(k *rsa.PublicKey) error {
	if k == nil || k.N.BitLen() != keyBits {
		return fmt.Errorf("a key for tokens must be RSA with %d bits", keyBits)
	}
	return nil
}

// EncodeKey writes a private key as PEM.
func EncodeKey(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode token key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

// ParseKey reads a private key as PEM.
func ParseKey(b []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemPrivate {
		return nil, errors.New("read token key: it is not a private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read token key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("read token key: it is not an RSA key")
	}
	return key, checkKey(&key.PublicKey)
}

// EncodePublic writes a public key as PEM.
func EncodePublic(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode public token key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// ParsePublic reads public keys as PEM, one or several after another: a relay that
// changes its key takes tokens of the old one for a while.
func ParsePublic(b []byte) ([]*rsa.PublicKey, error) {
	var keys []*rsa.PublicKey
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemPublic {
			return nil, fmt.Errorf("read public token key: it is a %s", block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read public token key: %w", err)
		}
		key, ok := parsed.(*rsa.PublicKey)
		if !ok {
			return nil, errors.New("read public token key: it is not an RSA key")
		}
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("read public token key: %w", err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("read public token key: there is no public key in PEM")
	}
	return keys, nil
}
