package seal

import "math/bits"

const (
	// ChunkSize is how much of a body one chunk holds.
	ChunkSize = 64 << 10

	// minPadded is the smallest size class: below it Padmé would show sizes
	// almost exactly.
	minPadded = 512

	// maxSize bounds a body, so that sums of sizes never overflow. It is far
	// above what any relay takes.
	maxSize = 1 << 50

	saltSize        = 16
	bodyHeaderSize  = headerSize + saltSize
	sealedChunkSize = ChunkSize + tagSize
)

// PaddedSize returns the size class of a body of n bytes, n ≥ 0: the size to
// which it is padded before it is sealed. The classes are those of Padmé (PURBs,
// PoPETs 2019(4), section 4): a class shows about log log n bits of the size,
// and costs at most 12 % of it. Sizes below 512 bytes are one class.
func PaddedSize(n int64) int64 {
	if n <= minPadded {
		return minPadded
	}
	exponent := bits.Len64(uint64(n)) - 1
	digits := bits.Len64(uint64(exponent))
	mask := int64(1)<<(exponent-digits) - 1
	return (n + mask) &^ mask
}

// SealedSize returns how many bytes a sealed body of n bytes takes. It depends
// on nothing but n's size class.
func SealedSize(n int64) int64 {
	return bodyHeaderSize + sealedChunks(PaddedSize(n))
}

// sealedChunks returns the size of the chunks that hold n bytes.
func sealedChunks(n int64) int64 { return n + chunks(n)*tagSize }

// chunks returns how many chunks hold n bytes. There is always a last one.
func chunks(n int64) int64 { return max(1, (n+ChunkSize-1)/ChunkSize) }
