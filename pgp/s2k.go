package pgp

import (
	"bytes"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxArgon2 is the default limit on the memory, in bytes, that deriving a key from a passphrase may take. The one who
// wrote the message chooses it, up to two terabytes (RFC 9580, 3.7.1.4), and the library allows all of it.
const MaxArgon2 = 256 << 20

// argon2Work bounds memory times passes, as a multiple of the memory limit.
const argon2Work = 8

// Kinds of string-to-key derivation (RFC 9580, 3.7.1).
const (
	s2kSimple   = 0
	s2kSalted   = 1
	s2kIterated = 3
	s2kArgon2   = 4
	s2kGNU      = 101
)

// s2kSizes is how many octets each specifier has, with the one that tells its kind.
var s2kSizes = map[byte]int{s2kSimple: 2, s2kSalted: 10, s2kIterated: 11, s2kArgon2: 20, s2kGNU: 6}

// s2kSpecifier returns the string-to-key specifier that b begins with.
func s2kSpecifier(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("a passphrase derivation is cut off")
	}
	size, known := s2kSizes[b[0]]
	if !known || len(b) < size {
		return nil, fmt.Errorf("passphrase derivation %d is unknown or cut off", b[0])
	}
	return b[:size], nil
}

// checkS2K refuses a specifier whose Argon2 would take more than limit bytes of memory, or absurdly many passes.
func checkS2K(spec []byte, limit int64) error {
	if spec[0] != s2kArgon2 {
		return nil
	}
	passes, exponent := int64(spec[17]), spec[19]
	if exponent > 31 || int64(1024)<<exponent > limit {
		return fmt.Errorf("its passphrase derivation wants more memory than %d MiB", limit>>20)
	}
	if passes*(int64(1024)<<exponent) > argon2Work*limit {
		return fmt.Errorf("its passphrase derivation wants %d passes over %d MiB", passes, 1<<exponent>>10)
	}
	return nil
}

// checkKeyCost refuses a locked private key whose lock costs more than MaxArgon2. The specifier is found behind the
// public half, with which every private key packet begins (RFC 9580, 5.5.3).
func checkKeyCost(k *packet.PrivateKey) error {
	if k.Dummy() || !k.Encrypted {
		return nil
	}
	public, err := packetBody(k.PublicKey.Serialize)
	if err != nil {
		return badCert("%v", err)
	}
	private, err := packetBody(k.Serialize)
	if err != nil || !bytes.HasPrefix(private, public) {
		return badCert("its private half cannot be read")
	}
	spec, err := lockSpecifier(private[len(public):], k.Version)
	if err != nil {
		return badCert("%v", err)
	}
	if err := checkS2K(spec, MaxArgon2); err != nil {
		return badCert("%v", err)
	}
	return nil
}

// lockSpecifier returns the specifier in the secret half of a key packet: usage, cipher and mode stand before it, and
// in version 6 two lengths.
func lockSpecifier(b []byte, version int) ([]byte, error) {
	const usageAEAD = 253
	if len(b) == 0 {
		return nil, fmt.Errorf("its private half is cut off")
	}
	skip := 2 // usage, cipher
	if b[0] == usageAEAD {
		skip++
	}
	if version == 6 {
		skip += 2
	}
	return s2kSpecifier(b[min(skip, len(b)):])
}
