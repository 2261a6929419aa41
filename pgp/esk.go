package pgp

import (
	"encoding/binary"
	"errors"
)

// Encrypted session keys stand before the encrypted data and are short, so the gate reads them whole and leaves no octet
// unexplained: each field has its exact length, and what is not a number or a name must look like chance.

var (
	errPKESK = errors.New("a session key encrypted to a public key is malformed")
	errSKESK = errors.New("a session key encrypted with a passphrase is malformed")
)

// sessionKey is one encrypted session key.
type sessionKey struct {
	version byte
	secret  [][]byte // all fields that could hide text: ciphertexts, points, salts, and the names of keys
}

// fields reads a packet body from front to back. After the first failed read all others fail.
type fields struct {
	b   []byte
	bad bool
}

// take returns the next n octets, or nothing if there are not so many.
func (f *fields) take(n int) []byte {
	if f.bad || n < 0 || n > len(f.b) {
		f.bad = true
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// octet returns the next octet.
func (f *fields) octet() byte { return first(f.take(1)) }

// mpi returns the next multiprecision integer without its leading octet, which is not evenly distributed. Its bit count
// must be exact (RFC 9580, 3.2).
func (f *fields) mpi(maxBits int) []byte {
	count := f.take(2)
	if f.bad {
		return nil
	}
	bits := int(binary.BigEndian.Uint16(count))
	b := f.take((bits + 7) / 8)
	if f.bad || bits == 0 || bits > maxBits || b[0]>>((bits-1)%8) != 1 {
		f.bad = true
		return nil
	}
	return b[1:]
}

// done reports whether everything was read and nothing missing.
func (f *fields) done() bool { return !f.bad && len(f.b) == 0 }

// parsePKESK reads the body of a packet of type 1 (RFC 9580, 5.1; RFC 9980, 4.3 for the post-quantum algorithms).
func parsePKESK(b []byte) (sessionKey, error) {
	f := fields{b: b}
	k := sessionKey{version: f.octet()}
	name := f.recipient(k.version)
	secret := publicKeySecret(&f, k.version)
	if !f.done() || secret == nil {
		return k, errPKESK
	}
	k.secret = append(secret, name)
	return k, nil
}

// recipient reads which key a session key is for: in version 3 a key ID, which is zero for an anonymous recipient, and
// in version 6 the size, version and octets of a fingerprint, of which there is only a zero size for an anonymous one.
func (f *fields) recipient(version byte) []byte {
	if version == 3 {
		id := f.take(8)
		if string(id) == "\x00\x00\x00\x00\x00\x00\x00\x00" {
			return nil
		}
		return id
	}
	size := f.octet()
	if version != 6 || size == 0 {
		f.bad = f.bad || version != 6
		return nil
	}
	keyVersion := f.octet()
	if (keyVersion != 4 || size != 1+20) && (keyVersion != 6 || size != 1+32) {
		f.bad = true
	}
	return f.take(int(size) - 1)
}

// Public-key algorithms that encrypt.
const (
	algoRSA         = 1
	algoRSAEncrypt  = 2
	algoElGamal     = 16
	algoECDH        = 18
	algoX25519      = 25
	algoX448        = 26
	algoMLKEM768    = 35
	algoMLKEM1024   = 36
	maxIntegerBits  = 16384
	mlkem768Cipher  = 1088
	mlkem1024Cipher = 1568
)

// publicKeySecret reads the fields that depend on the algorithm. It returns nil for an algorithm that does not encrypt.
func publicKeySecret(f *fields, version byte) [][]byte {
	switch f.octet() {
	case algoRSA, algoRSAEncrypt:
		return [][]byte{f.mpi(maxIntegerBits)}
	case algoElGamal:
		if version == 3 { // not allowed in version 6 (RFC 9580, 5.1.4)
			return [][]byte{f.mpi(maxIntegerBits), f.mpi(maxIntegerBits)}
		}
	case algoECDH:
		return ecdhSecret(f)
	case algoX25519:
		return [][]byte{f.take(32), f.wrapped(version)}
	case algoX448:
		return [][]byte{f.take(56), f.wrapped(version)}
	case algoMLKEM768:
		return [][]byte{f.take(32 + mlkem768Cipher), f.wrapped(version)}
	case algoMLKEM1024:
		return [][]byte{f.take(56 + mlkem1024Cipher), f.wrapped(version)}
	}
	return nil
}

// wrapped reads a session key in AES key wrap with its length; version 3 has the cipher before it, in the clear
// (RFC 9580, 5.1.6).
func (f *fields) wrapped(version byte) []byte {
	size := int(f.octet())
	if version == 3 {
		size--
		f.cipher()
	}
	if size != 16+8 && size != 24+8 && size != 32+8 {
		f.bad = true
	}
	return f.take(size)
}

// cipher reads the number of a symmetric cipher with blocks of 16 octets: AES, Twofish, Camellia.
func (f *fields) cipher() {
	if c := f.octet(); c < 7 || c > 13 {
		f.bad = true
	}
}

// ecdhSecret reads an ephemeral point and a wrapped session key (RFC 9580, 11.5). A point is 0x40 and a coordinate on
// the curves of RFC 7748, or 0x04 and two coordinates; the top octets of those are not evenly distributed.
func ecdhSecret(f *fields) [][]byte {
	point := f.point()
	wrapped := f.take(int(f.octet()))
	if n := len(wrapped); n != 32 && n != 40 && n != 48 {
		f.bad = true
	}
	if f.bad {
		return [][]byte{}
	}
	if point[0] == 0x40 {
		return [][]byte{point[1:], wrapped}
	}
	half := len(point) / 2
	return [][]byte{point[3 : 1+half], point[3+half:], wrapped}
}

// point reads a point, which is a multiprecision integer that begins with 0x40 or 0x04.
func (f *fields) point() []byte {
	count := f.take(2)
	if f.bad {
		return nil
	}
	bits := int(binary.BigEndian.Uint16(count))
	p := f.take((bits + 7) / 8)
	lead := first(p)
	switch {
	case lead == 0x40 && bits%8 == 7 && (len(p) == 33 || len(p) == 57):
	case lead == 0x04 && bits%8 == 3 && (len(p) == 65 || len(p) == 97 || len(p) == 129 || len(p) == 133):
	default:
		f.bad = true
	}
	return p
}

// parseSKESK reads the body of a packet of type 3 (RFC 9580, 5.3).
func parseSKESK(b []byte) (sessionKey, error) {
	f := fields{b: b}
	k := sessionKey{version: f.octet()}
	switch k.version {
	case 4:
		k.secret = skesk4(&f)
	case 6:
		k.secret = skesk6(&f)
	default:
		return k, errSKESK
	}
	if !f.done() {
		return k, errSKESK
	}
	return k, nil
}

// skesk4 reads cipher, derivation, and optionally the cipher and key of the data in the derived key.
func skesk4(f *fields) [][]byte {
	f.cipher()
	salt := f.derivation()
	key := f.take(len(f.b))
	if n := len(key); n != 0 && n != 1+16 && n != 1+24 && n != 1+32 {
		f.bad = true
	}
	return [][]byte{salt, key}
}

// skesk6 reads cipher, mode, derivation, nonce, and the key of the data with its tag. Two octets say how long the
// fields before the key are.
func skesk6(f *fields) [][]byte {
	count := int(f.octet())
	before := len(f.b)
	f.cipher()
	nonceSize, known := aeadNonce[f.octet()]
	specSize := int(f.octet())
	left := len(f.b)
	salt := f.derivation()
	if !known || left-len(f.b) != specSize {
		f.bad = true
	}
	nonce := f.take(nonceSize)
	if before-len(f.b) != count {
		f.bad = true
	}
	key := f.take(len(f.b))
	if n := len(key); n != 16+16 && n != 24+16 && n != 32+16 {
		f.bad = true
	}
	return [][]byte{salt, nonce, key}
}

// aeadNonce is how long the nonces of EAX, OCB and GCM are.
var aeadNonce = map[byte]int{1: 16, 2: 15, 3: 12}

// derivation reads a string-to-key specifier and returns its salt. One without salt is refused: it may not be written
// since RFC 9580, 3.7.1.1, and no mail software does.
func (f *fields) derivation() []byte {
	spec, err := s2kSpecifier(f.b)
	if f.bad || err != nil {
		f.bad = true
		return nil
	}
	f.take(len(spec))
	switch spec[0] {
	case s2kSalted, s2kIterated:
		return spec[2:10]
	case s2kArgon2:
		return spec[1:17]
	}
	f.bad = true
	return nil
}
