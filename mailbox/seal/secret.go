package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
)

// The shape of a generated secret, in symbols of five bits.
const (
	selectorLen = 4  // 20 bits
	coreLen     = 28 // 140 bits
	checksumLen = 4  // 20 bits
	groupLen    = 4
	secretLen   = len(secretPrefix) + selectorLen + coreLen + checksumLen

	secretPrefix = "r1"

	// maxSecretText bounds what ParseSecret looks at: room for generous
	// spaces, and no more.
	maxSecretText = 256
)

// alphabet is Crockford's base32, in lower case: without the letters i, l, o
// and u, which look like others or make words.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Errors of ParseSecret. Both mean that the text is not one of our secrets and
// so a chosen password, if anything.
var (
	// ErrNotSecret: the text hasn't the form of a generated secret.
	ErrNotSecret = errors.New("seal: not a generated secret")

	// ErrMistyped: the text has the form of a generated secret, but its
	// checksum is wrong: at least one character is not what it was.
	ErrMistyped = errors.New("seal: a generated secret with a typing error")
)

// Secret is a generated secret: a device password or a recovery code. It reads
//
//	r1-ssss-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx-cccc
//
// where s is the selector, x are 140 random bits and c is a checksum of all
// that stands before it. A random secret of this size can't be guessed, so that
// it needs no slow derivation.
type Secret struct {
	symbols [secretLen]byte // lower case, without the dashes
}

// NewSecret returns a random Secret. Its selector may, one time in a million,
// be that of another secret of the account: the caller draws again then.
func NewSecret() Secret {
	var s Secret
	copy(s.symbols[:], secretPrefix)
	body := s.symbols[len(secretPrefix) : secretLen-checksumLen]
	rand.Read(body)
	for i, b := range body {
		body[i] = alphabet[b&31]
	}
	sum := s.checksum()
	copy(s.symbols[secretLen-checksumLen:], sum[:])
	return s
}

// ParseSecret reads a secret as people type it: in either case, with or without
// dashes and spaces, with o for 0 and i or l for 1. Errors: ErrNotSecret,
// ErrMistyped.
func ParseSecret(text string) (Secret, error) {
	if len(text) > maxSecretText {
		return Secret{}, ErrNotSecret
	}
	var s Secret
	n := 0
	for _, r := range text {
		if isSeparator(r) {
			continue
		}
		c, ok := symbol(r)
		if !ok || n == secretLen {
			return Secret{}, ErrNotSecret
		}
		s.symbols[n] = c
		n++
	}
	if n < secretLen || string(s.symbols[:len(secretPrefix)]) != secretPrefix {
		return Secret{}, ErrNotSecret
	}
	sum := s.checksum()
	if string(sum[:]) != string(s.symbols[secretLen-checksumLen:]) {
		return Secret{}, ErrMistyped
	}
	return s, nil
}

// isSeparator reports whether people, or the programs they paste from, put r
// between groups: spaces, line ends and the many dashes.
func isSeparator(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', '\u00a0', '-', '\u00ad', '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2212':
		return true
	}
	return false
}

// symbol returns the symbol of the alphabet that r stands for, if any.
func symbol(r rune) (byte, bool) {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	switch r {
	case 'o':
		return '0', true
	case 'i', 'l':
		return '1', true
	}
	return byte(r), r < 0x80 && strings.IndexByte(alphabet, byte(r)) >= 0
}

// checksum returns the symbols that the secret should end in. It is no key
// check: it tells nothing to one who hasn't the secret.
func (s *Secret) checksum() [checksumLen]byte {
	h := sha256.New()
	h.Write([]byte("restante/seal/1 secret checksum "))
	h.Write(s.symbols[:secretLen-checksumLen])
	sum := h.Sum(nil)
	var out [checksumLen]byte
	for i := range out {
		out[i] = alphabet[sum[i]&31]
	}
	return out
}

// Reveal returns the secret in the form that is shown to its owner, once.
func (s Secret) Reveal() string {
	groups := []string{secretPrefix}
	for rest := s.symbols[len(secretPrefix):]; len(rest) > 0; rest = rest[groupLen:] {
		groups = append(groups, string(rest[:groupLen]))
	}
	return strings.Join(groups, "-")
}

// Selector returns the part that finds the credential's row among those of the
// account. It is random, stored in clear, and tells nothing of the rest.
func (s Secret) Selector() string {
	return string(s.symbols[len(secretPrefix) : len(secretPrefix)+selectorLen])
}

// Wipe overwrites the Secret. See the package comment for what that is worth.
func (s *Secret) Wipe() { clear(s.symbols[:]) }
