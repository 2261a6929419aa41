package seal

import (
	"encoding/binary"
	"fmt"
)

// method says what kind of input a KDF stretches.
type method byte

// The methods. Their numbers are part of the format.
const (
	bySecret    method = iota + 1 // generated Secret, HKDF
	byPassword                    // chosen password, Argon2id and HKDF
	byClientKey                   // SCRAM ClientKey, HKDF
)

// Params are the costs of Argon2id (RFC 9106) for a chosen password.
type Params struct {
	Time      uint32 // passes
	MemoryKiB uint32
	Threads   uint8
}

// DefaultParams are the costs for new passwords: the second recommendation of
// RFC 9106, 4, with one thread so that a login takes one core.
var DefaultParams = Params{Time: 3, MemoryKiB: 64 << 10, Threads: 1}

// The bounds of Params. A row outside them was not made by us, and whoever
// changed it may want this process to end for lack of memory.
const (
	minMemoryKiB = 1 << 10
	maxMemoryKiB = 256 << 10
	maxTime      = 16
	maxThreads   = 8
)

func (p Params) valid() bool {
	return p.Time >= 1 && p.Time <= maxTime &&
		p.MemoryKiB >= minMemoryKiB && p.MemoryKiB <= maxMemoryKiB &&
		p.Threads >= 1 && p.Threads <= maxThreads
}

const kdfSaltSize = 16

// KDF says how one credential turns what is proven at login into a Factor. It
// is kept in the credential's row and has nothing secret in it. The zero KDF
// is of no use: make one with SecretKDF, PasswordKDF or ClientKeyKDF.
type KDF struct {
	method method
	params Params // of byPassword, else zero
	salt   [kdfSaltSize]byte
}

// SecretKDF returns a KDF with a new salt for a generated Secret.
func SecretKDF() KDF { return newKDF(bySecret, Params{}) }

// ClientKeyKDF returns a KDF with a new salt for a SCRAM ClientKey.
func ClientKeyKDF() KDF { return newKDF(byClientKey, Params{}) }

// PasswordKDF returns a KDF with a new salt for a chosen password. It fails
// with ErrKDF if the costs are out of bounds.
func PasswordKDF(p Params) (KDF, error) {
	if !p.valid() {
		return KDF{}, fmt.Errorf("seal: Argon2id with time %d, memory %d KiB, %d threads: %w",
			p.Time, p.MemoryKiB, p.Threads, ErrKDF)
	}
	return newKDF(byPassword, p), nil
}

func newKDF(m method, p Params) KDF {
	return KDF{method: m, params: p, salt: [kdfSaltSize]byte(randomBytes(kdfSaltSize))}
}

// Slow reports whether a Factor takes an Argon2id run, with the memory in
// Params. Callers bound how many of these go on at once.
func (k KDF) Slow() bool { return k.method == byPassword }

// Params returns the costs of a slow KDF, so that a caller can tell whether a
// password should be stretched anew.
func (k KDF) Params() Params { return k.params }

// kdfSize is the size of an encoded KDF: format, method, time, memory,
// threads, salt.
const kdfSize = 1 + 1 + 4 + 4 + 1 + kdfSaltSize

// Bytes returns the encoding that ParseKDF reads.
func (k KDF) Bytes() []byte {
	b := append(make([]byte, 0, kdfSize), format, byte(k.method))
	b = binary.BigEndian.AppendUint32(b, k.params.Time)
	b = binary.BigEndian.AppendUint32(b, k.params.MemoryKiB)
	b = append(b, k.params.Threads)
	return append(b, k.salt[:]...)
}

// ParseKDF reads the KDF in a credential's row. Errors: ErrVersion, and ErrKDF
// for anything that this package would not have written.
func ParseKDF(b []byte) (KDF, error) {
	if len(b) > 0 && b[0] != format {
		return KDF{}, fmt.Errorf("seal: credential: %w", ErrVersion)
	}
	if len(b) != kdfSize {
		return KDF{}, fmt.Errorf("seal: credential of %d bytes: %w", len(b), ErrKDF)
	}
	k := KDF{
		method: method(b[1]),
		params: Params{
			Time:      binary.BigEndian.Uint32(b[2:]),
			MemoryKiB: binary.BigEndian.Uint32(b[6:]),
			Threads:   b[10],
		},
		salt: [kdfSaltSize]byte(b[11:]),
	}
	if !k.valid() {
		return KDF{}, fmt.Errorf("seal: credential with method %d, time %d, memory %d KiB, %d threads: %w",
			k.method, k.params.Time, k.params.MemoryKiB, k.params.Threads, ErrKDF)
	}
	return k, nil
}

func (k KDF) valid() bool {
	switch k.method {
	case bySecret, byClientKey:
		return k.params == Params{}
	case byPassword:
		return k.params.valid()
	}
	return false
}
