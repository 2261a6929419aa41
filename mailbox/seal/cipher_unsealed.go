//go:build unsealed

package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
)

// Unsealed reports that this program was built to keep everything in clear. It
// exists as the control of the search for readable data in a store, which must
// find some here, and to measure what sealing costs. The relay does not serve
// with it (cmd/restante).
const Unsealed = true

// sealInfo and openInfo do without HPKE: in place of the encapsulated key stand zeros.

func (PublicKey) sealInfo(dst, _, content []byte) ([]byte, error) {
	dst = append(append(dst, make([]byte, hybridSize)...), content...)
	return append(dst, make([]byte, tagSize)...), nil
}

func (PrivateKey) openInfo(_, sealed []byte) ([]byte, error) {
	if len(sealed) < hybridSize+tagSize {
		return nil, ErrOpen
	}
	return bytes.Clone(sealed[hybridSize : len(sealed)-tagSize]), nil
}

func newBoxCipher([]byte) cipher.AEAD    { return nullCipher{nonce: 0, overhead: nonceSize + tagSize} }
func newStreamCipher([]byte) cipher.AEAD { return nullCipher{nonce: nonceSize, overhead: tagSize} }

// nullCipher is an AEAD in form only: content and as many zeros as the real one adds.
type nullCipher struct{ nonce, overhead int }

func (c nullCipher) NonceSize() int { return c.nonce }
func (c nullCipher) Overhead() int  { return c.overhead }

func (c nullCipher) Seal(dst, _, plaintext, _ []byte) []byte {
	return append(append(dst, plaintext...), make([]byte, c.overhead)...)
}

func (c nullCipher) Open(dst, _, ciphertext, _ []byte) ([]byte, error) {
	if len(ciphertext) < c.overhead {
		return nil, errors.New("too short")
	}
	return append(dst, ciphertext[:len(ciphertext)-c.overhead]...), nil
}
