package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// deriver makes keys of one secret: HKDF-SHA256 (RFC 5869), extracted once.
type deriver struct{ prk []byte }

// newDeriver returns the deriver of a secret. A salt, stored beside what the
// keys seal, makes them differ from those of the same secret elsewhere.
func newDeriver(secret, salt []byte) deriver {
	prk, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		panic("restante: internal error: extract: " + err.Error())
	}
	return deriver{prk}
}

// key returns the 32-byte key with the given label. Labels are part of the
// format, and each use of a secret has its own.
func (d deriver) key(label string) []byte {
	key, err := hkdf.Expand(sha256.New, d.prk, "restante/seal/1 "+label, 32)
	if err != nil {
		panic("restante: internal error: derive " + label + ": " + err.Error())
	}
	return key
}
