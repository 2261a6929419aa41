package wire

// The character classes of RFC 9051 section 9, one bit each.
const (
	charAtom   = 1 << iota // ATOM-CHAR
	charAtomic             // ASTRING-CHAR: ATOM-CHAR or "]"
	charTag                // ASTRING-CHAR but "+"
	charList               // list-char: ASTRING-CHAR or a wildcard
	charWord               // letters, digits, "." and "-": names of data items
	charQuoted             // may stand for itself in a quoted string that is read
	charPlain              // stands for itself in the quoted strings that we write
	charDigit
)

// class holds the classes of each octet.
var class = classify()

func classify() (t [256]uint8) {
	for i := 1; i < 0x80; i++ {
		c := byte(i)
		t[c] = atomClass(c) | quotedClass(c)
		if c >= '0' && c <= '9' {
			t[c] |= charDigit | charWord
		}
		if c == '.' || c == '-' || upper(c) >= 'A' && upper(c) <= 'Z' {
			t[c] |= charWord
		}
	}
	return t
}

func atomClass(c byte) uint8 {
	switch c {
	case '(', ')', '{', '"', '\\':
		return 0
	case '%', '*':
		return charList
	case ']':
		return charAtomic | charTag | charList
	case '+':
		return charAtom | charAtomic | charList
	}
	if c <= ' ' || c == 0x7f {
		return 0
	}
	return charAtom | charAtomic | charTag | charList
}

func quotedClass(c byte) uint8 {
	switch {
	case c == '"' || c == '\\' || c == '\r' || c == '\n':
		return 0
	case c < ' ' || c == 0x7f:
		return charQuoted
	}
	return charQuoted | charPlain
}

// span returns the length of the prefix of b that consists of the class.
func span(b []byte, set uint8) int {
	for i, c := range b {
		if class[c]&set == 0 {
			return i
		}
	}
	return len(b)
}

// all reports whether s is not empty and consists of the class.
func all(s string, set uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&set == 0 {
			return false
		}
	}
	return s != ""
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// equalFold compares b with the upper-case word, without regard to ASCII case.
// strings.EqualFold would let U+017F pass for an "S".
func equalFold(b, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := 0; i < len(b); i++ {
		if upper(b[i]) != word[i] {
			return false
		}
	}
	return true
}
