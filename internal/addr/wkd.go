package addr

import (
	"crypto/sha1"
	"strings"
)

// zbase32 is the alphabet of z-base-32 (draft-koch-openpgp-webkey-service-19, 3.1).
const zbase32 = "ybndrfg8ejkmcpqxot1uwisza345h769"

// wkdHashLen is the length of a SHA-1 in z-base-32.
const wkdHashLen = sha1.Size * 8 / 5

// WKDHash returns the hashed local part under which a Web Key Directory is asked for
// the address: SHA-1 of the local part in lower case, for ASCII letters only, in
// z-base-32. The hash hides nothing; it only makes a name of fixed form.
func (a Address) WKDHash() string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, a.local)
	sum := sha1.Sum([]byte(lower))
	var b strings.Builder
	for bit := 0; bit < len(sum)*8; bit += 5 {
		// Five bits that begin at bit, out of the two bytes they lie in.
		pair := uint(sum[bit/8]) << 8
		if next := bit/8 + 1; next < len(sum) {
			pair |= uint(sum[next])
		}
		b.WriteByte(zbase32[pair>>(11-bit%8)&31])
	}
	return b.String()
}

// IsWKDHash reports whether s has the form of a WKDHash.
func IsWKDHash(s string) bool { return len(s) == wkdHashLen && strings.Trim(s, zbase32) == "" }
