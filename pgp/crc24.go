package pgp

import "encoding/binary"

// crc24 is the checksum of armor (RFC 9580, 6.1.1), kept in the upper 24 bits of its register. The zero value is not
// ready: begin with crc24Start.
type crc24 uint32

const (
	crc24Start crc24 = 0xB704CE << 8
	crc24Poly        = 0x864CFB << 8
)

// crc24Tables[k][b] is what octet b does to the register when k more octets follow it, so that eight octets take eight
// independent look-ups instead of a chain.
var crc24Tables = makeCRC24Tables()

func makeCRC24Tables() (t [8][256]uint32) {
	for b := range t[0] {
		register := uint32(b) << 24
		for range 8 {
			carry := register >> 31
			register = register<<1 ^ carry*crc24Poly
		}
		t[0][b] = register
	}
	for k := 1; k < len(t); k++ {
		for b := range t[k] {
			previous := t[k-1][b]
			t[k][b] = previous<<8 ^ t[0][previous>>24]
		}
	}
	return t
}

// update returns the register after the octets of b.
func (c crc24) update(b []byte) crc24 {
	t := &crc24Tables
	register := uint32(c)
	for len(b) >= 8 {
		high := register ^ binary.BigEndian.Uint32(b)
		low := binary.BigEndian.Uint32(b[4:])
		register = t[7][high>>24] ^ t[6][high>>16&0xFF] ^ t[5][high>>8&0xFF] ^ t[4][high&0xFF] ^
			t[3][low>>24] ^ t[2][low>>16&0xFF] ^ t[1][low>>8&0xFF] ^ t[0][low&0xFF]
		b = b[8:]
	}
	for _, octet := range b {
		register = register<<8 ^ t[0][byte(register>>24)^octet]
	}
	return crc24(register)
}

// sum returns the three octets of the checksum.
func (c crc24) sum() [3]byte {
	return [3]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8)}
}
