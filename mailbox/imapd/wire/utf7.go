package wire

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The modified base64 of RFC 3501 section 5.1.3: "," in place of "/".
const base64Chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

// base64Value holds the value of each character and 0xff for all others.
var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(base64Chars) {
		t[base64Chars[i]] = byte(i)
	}
	return t
}()

func hasShift(s string) bool { return strings.IndexByte(s, '&') >= 0 }

// AppendUTF7 appends s, which is UTF-8, in modified UTF-7. Bytes that are not
// UTF-8 come out as U+FFFD.
func AppendUTF7(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '&':
			b = append(b, '&', '-')
			i++
		case c >= ' ' && c <= '~':
			b = append(b, c)
			i++
		default:
			end := shiftedEnd(s, i)
			b = appendShifted(b, s[i:end])
			i = end
		}
	}
	return b
}

// shiftedEnd returns where the run of characters ends that printable ASCII
// cannot stand for.
func shiftedEnd(s string, i int) int {
	for i < len(s) && (s[i] < ' ' || s[i] > '~') {
		i++
	}
	return i
}

// appendShifted appends a run in base64 of its UTF-16.
func appendShifted(b []byte, run string) []byte {
	b = append(b, '&')
	var bits uint32
	n := 0
	put := func(unit uint32) {
		bits = bits<<16 | unit
		for n += 16; n >= 6; n -= 6 {
			b = append(b, base64Chars[bits>>(n-6)&63])
		}
		bits &= 63
	}
	for _, c := range run {
		if hi, lo := utf16.EncodeRune(c); hi != utf8.RuneError {
			put(uint32(hi))
			put(uint32(lo))
			continue
		}
		put(uint32(c))
	}
	if n > 0 {
		b = append(b, base64Chars[bits<<(6-n)&63])
	}
	return append(b, '-')
}

// DecodeUTF7 decodes modified UTF-7. It accepts only what an encoder may
// produce, so that a name has one spelling: no printable ASCII in base64, no
// run that could have been part of the one before, no bits left over.
func DecodeUTF7(s string) (string, bool) {
	if plainASCII(s) && !hasShift(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	shifted := false // a base64 run ended right here
	for i := 0; i < len(s); {
		if c := s[i]; c != '&' {
			if c < ' ' || c > '~' {
				return "", false
			}
			b = append(b, c)
			shifted = false
			i++
			continue
		}
		n := strings.IndexByte(s[i:], '-')
		if n < 0 || n > 1 && shifted {
			return "", false
		}
		var ok bool
		if b, ok = appendUnshifted(b, s[i+1:i+n]); !ok {
			return "", false
		}
		shifted = n > 1
		i += n + 1
	}
	return string(b), true
}

func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// appendUnshifted appends in UTF-8 what a base64 run stands for. The empty run
// stands for "&".
func appendUnshifted(b []byte, run string) ([]byte, bool) {
	if run == "" {
		return append(b, '&'), true
	}
	var bits, high uint32 // high is a surrogate that waits for its other half
	n := 0
	for i := 0; i < len(run); i++ {
		v := base64Value[run[i]]
		if v == 0xff {
			return b, false
		}
		bits = bits<<6 | uint32(v)
		if n += 6; n < 16 {
			continue
		}
		n -= 16
		unit := bits >> n
		bits &= 1<<n - 1
		var ok bool
		if b, high, ok = appendUnit(b, high, unit); !ok {
			return b, false
		}
	}
	return b, high == 0 && n < 6 && bits == 0
}

// appendUnit appends one UTF-16 unit, or keeps it if it is the first of two.
func appendUnit(b []byte, high, unit uint32) (_ []byte, newHigh uint32, ok bool) {
	switch {
	case high != 0:
		c := utf16.DecodeRune(rune(high), rune(unit))
		return utf8.AppendRune(b, c), 0, c != utf8.RuneError
	case unit >= 0xd800 && unit < 0xdc00:
		return b, unit, true
	case unit >= 0xdc00 && unit < 0xe000, unit >= ' ' && unit <= '~':
		return b, 0, false
	}
	return utf8.AppendRune(b, rune(unit)), 0, true
}
