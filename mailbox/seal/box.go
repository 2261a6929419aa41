package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"sync"
)

// nonceSize and tagSize are those of AES-GCM.
const (
	nonceSize = 12
	tagSize   = 16
)

// boxOverhead is how much longer a sealed box is than its padded content.
const boxOverhead = headerSize + nonceSize + tagSize

// sealBox seals content as the part at c: header, nonce, ciphertext, tag.
func sealBox(a cipher.AEAD, c coordinate, content []byte) []byte {
	out := make([]byte, 0, boxOverhead+len(content))
	out = appendHeader(out, c.owner.Generation)
	return a.Seal(out, nil, content, c.bytes())
}

// scratch is memory for one opening, kept from call to call: listings open
// many thousand boxes in a row.
type scratch struct {
	aad [coordinateSize + 64]byte
	dek DEK
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// openBox appends to dst the content of the part at c.
func openBox(a cipher.AEAD, c coordinate, dst, part []byte) ([]byte, error) {
	rest, err := checkHeader(c, part)
	if err != nil {
		return nil, err
	}
	s := scratches.Get().(*scratch)
	content, err := a.Open(dst, nil, rest, c.append(s.aad[:0]))
	scratches.Put(s)
	if err != nil {
		return nil, c.fail(ErrOpen)
	}
	return content, nil
}

// lengthSize is the size of the length that padded content begins with.
const lengthSize = 4

// pad returns content as length, content, zeros, filled up to a multiple of
// step bytes. Content is held in memory whole, so that it is far below 4 GiB.
func pad(content []byte, step int) []byte {
	b := make([]byte, paddedSize(len(content), step))
	binary.BigEndian.PutUint32(b, uint32(len(content)))
	copy(b[lengthSize:], content)
	return b
}

// paddedSize returns the size of n bytes of content after pad.
func paddedSize(n, step int) int {
	return (lengthSize + n + step - 1) / step * step
}

// unpad returns the content in b, a slice of it. It reports false unless b is
// exactly what pad returns for that content.
func unpad(b []byte, step int) ([]byte, bool) {
	if len(b) < lengthSize {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-lengthSize) || paddedSize(int(n), step) != len(b) {
		return nil, false
	}
	content, fill := b[lengthSize:lengthSize+n:lengthSize+n], b[lengthSize+n:]
	for _, x := range fill {
		if x != 0 {
			return nil, false
		}
	}
	return content, true
}

// sealPadded is sealBox for content whose exact size must not show.
func sealPadded(a cipher.AEAD, c coordinate, step int, content []byte) []byte {
	return sealBox(a, c, pad(content, step))
}

// openPadded opens what sealPadded returned.
func openPadded(a cipher.AEAD, c coordinate, step int, part []byte) ([]byte, error) {
	padded, err := openBox(a, c, nil, part)
	if err != nil {
		return nil, err
	}
	content, ok := unpad(padded, step)
	if !ok {
		return nil, c.fail(ErrOpen)
	}
	return content, nil
}
