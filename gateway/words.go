package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/restante/restante/pgp"
)

// fingerprintWords is how many words stand for a fingerprint, with 11 bits each. 88
// bits are beyond whoever would make keys until one has the words of another.
const fingerprintWords = 8

// Words returns a fingerprint as words, which two people can read to each other. The
// words are those of BIP 39 in English, of which no two begin with the same four
// letters; which ones is decided by SHA-256 of the fingerprint.
func Words(f pgp.Fingerprint) string {
	sum := sha256.Sum256([]byte("restante fingerprint words 1\x00" + string(f)))
	words := make([]string, fingerprintWords)
	for i := range words {
		bit := i * 11
		window := binary.BigEndian.Uint32(sum[bit/8:])
		words[i] = wordlists.English[window>>(32-11-bit%8)&(1<<11-1)]
	}
	return strings.Join(words, " ")
}
