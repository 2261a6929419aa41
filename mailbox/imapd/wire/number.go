package wire

import "math"

// Number reads a number of 32 bits.
func (d *Decoder) Number() uint32 {
	return uint32(d.number("a number", math.MaxUint32))
}

// NzNumber reads a number of 32 bits that is not zero.
func (d *Decoder) NzNumber() uint32 {
	n := d.number("a number above zero", math.MaxUint32)
	if n == 0 {
		d.fail("a number above zero")
	}
	return uint32(n)
}

// Number64 reads a number of 63 bits: number64 of RFC 9051, mod-sequences of
// RFC 7162.
func (d *Decoder) Number64() int64 {
	return int64(d.number("a number", math.MaxInt64))
}

// number reads digits; more than limit fails, at the number.
func (d *Decoder) number(want string, limit uint64) uint64 {
	b := d.rest()
	n, size := parseNumber(b, limit)
	if size == 0 {
		d.fail(want)
		return 0
	}
	d.pos += size
	return n
}

// parseNumber returns the number at the start of b and its length, zero if
// there is none or it is above the limit.
func parseNumber(b []byte, limit uint64) (n uint64, size int) {
	for size < len(b) && class[b[size]]&charDigit != 0 {
		v := uint64(b[size] - '0')
		if n > (limit-v)/10 {
			return 0, 0
		}
		n = n*10 + v
		size++
	}
	return n, size
}

// A Partial is a part of a search or fetch result (RFC 9394): from First to
// Last, both counted from 1. Negative numbers count from the end of the result.
// The zero value stands for no Partial.
type Partial struct {
	First, Last int64
}

// IsZero reports whether there is no Partial.
func (p Partial) IsZero() bool { return p == Partial{} }

// Partial reads a partial-range such as 1:100 or -1:-100, the smaller distance
// first in the result.
func (d *Decoder) Partial() Partial {
	sign := int64(1)
	if d.Peek() == '-' {
		sign = -1
	}
	first := d.partialBound(sign)
	d.Expect(':')
	last := d.partialBound(sign)
	if d.err != nil {
		return Partial{}
	}
	return Partial{First: sign * min(first, last), Last: sign * max(first, last)}
}

func (d *Decoder) partialBound(sign int64) int64 {
	if sign < 0 {
		d.Expect('-')
	}
	return int64(d.NzNumber())
}

// Partial writes a partial-range.
func (e *Encoder) Partial(p Partial) {
	e.sep()
	e.b = appendInt(e.b, p.First)
	e.b = append(e.b, ':')
	e.b = appendInt(e.b, p.Last)
}
