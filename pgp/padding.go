package pgp

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// tagPadding is the packet that a reader skips (RFC 9580, 5.14).
const tagPadding = 21

// minPadded is the size that shorter messages are padded to: a chat line with its headers and the sender's certificate
// fits, so that one line looks like another.
const minPadded = 4096

// paddedSize returns the size that n octets are padded to: at most 12 % more, with only O(log log n) bits left for the
// size to tell (Padmé; Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs").
func paddedSize(n int64) int64 {
	if n <= minPadded {
		return minPadded
	}
	exponent := bits.Len64(uint64(n)) - 1
	kept := bits.Len64(uint64(exponent))
	mask := int64(1)<<(exponent-kept) - 1
	return (n + mask) &^ mask
}

// writePadding writes the padding packet that brings n octets to a padded size. It holds chance, not zeros, as
// RFC 9580, 5.14 wants.
func writePadding(w io.Writer, n int64, random io.Reader) error {
	total := paddedSize(n+2) - n // two octets are the smallest packet
	if _, err := w.Write(paddingHeader(total)); err != nil {
		return err
	}
	_, err := io.CopyN(w, random, total-int64(len(paddingHeader(total))))
	return err
}

// paddingHeader returns the header of a padding packet that has total octets with it. Lengths are one octet where that
// fits and five where not, which makes every total possible.
func paddingHeader(total int64) []byte {
	const newFormat = 0xC0
	if body := total - 2; body < 192 {
		return []byte{newFormat | tagPadding, byte(body)}
	}
	return binary.BigEndian.AppendUint32([]byte{newFormat | tagPadding, 0xFF}, uint32(total-6))
}
