package index

import (
	"encoding/binary"
	"math/bits"
)

// docSet is which messages of a block are meant, a bit for each.
type docSet [mostDocs / 64]uint64

func (s *docSet) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *docSet) has(n int) bool { return s[n/64]&(1<<(n%64)) != 0 }

func (s *docSet) and(o *docSet) {
	for i := range s {
		s[i] &= o[i]
	}
}

func (s *docSet) or(o *docSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

func (s *docSet) empty() bool { return *s == docSet{} }

// Postings are the numbers of messages, ascending: as differences in varints, or
// where that is not shorter as a bitmap, which is as long as it would be for all
// messages of the block. A length of 0 stands for the bitmap.

// bitmapSize is the size of a bitmap for so many messages.
func bitmapSize(docs int) int { return (docs + 7) / 8 }

// appendPostings appends an entry's length and postings.
func appendPostings(dst []byte, list []uint16, docs int) []byte {
	start := len(dst)
	dst = append(dst, 0)
	last := uint16(0)
	for _, n := range list {
		dst = binary.AppendUvarint(dst, uint64(n-last))
		last = n
	}
	if size := len(dst) - start - 1; size > 0 && size < bitmapSize(docs) {
		dst[start] = byte(size)
		return dst
	}
	dst = append(dst[:start+1], make([]byte, bitmapSize(docs))...)
	for _, n := range list {
		dst[start+1+int(n)/8] |= 1 << (n % 8)
	}
	return dst
}

// readPostings reads what appendPostings wrote from the beginning of b.
func readPostings(b []byte, docs int) (docSet, bool) {
	var set docSet
	if len(b) == 0 {
		return set, false
	}
	size := postingsSize(b[0], docs)
	list := b[1:]
	if len(list) < size {
		return set, false
	}
	if b[0] == 0 {
		return bitmap(list[:size], docs)
	}
	n := uint64(0)
	for list = list[:size]; len(list) > 0; {
		delta, used := binary.Uvarint(list)
		if used <= 0 || delta >= uint64(docs) || n+delta >= uint64(docs) {
			return set, false
		}
		n += delta
		set.add(int(n))
		list = list[used:]
	}
	return set, true
}

func postingsSize(length byte, docs int) int {
	if length == 0 {
		return bitmapSize(docs)
	}
	return int(length)
}

func bitmap(b []byte, docs int) (set docSet, ok bool) {
	for i, octet := range b {
		for ; octet != 0; octet &= octet - 1 {
			n := i*8 + bits.TrailingZeros8(octet)
			if n >= docs {
				return set, false
			}
			set.add(n)
		}
	}
	return set, true
}
