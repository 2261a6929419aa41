//go:build !unsealed

package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

// Unsealed reports that this program was built to keep everything in clear.
const Unsealed = false

// newBoxCipher returns AES-256-GCM with random nonces under key. One key may
// seal 2^32 boxes before the chance of a repeated nonce passes 2^-32; the
// busiest one, an account's mailbox key, seals one box per message.
func newBoxCipher(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("restante: internal error: box key: " + err.Error())
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("restante: internal error: box cipher: " + err.Error())
	}
	return a
}

// newStreamCipher returns AES-256-GCM with nonces that the caller counts.
func newStreamCipher(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("restante: internal error: stream key: " + err.Error())
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic("restante: internal error: stream cipher: " + err.Error())
	}
	return a
}
