package addr

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// canonicalLocal checks a Local-part as written and returns its meaning.
func canonicalLocal(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", invalid("local part is not UTF-8")
	}
	var err error
	if strings.HasPrefix(s, `"`) {
		s, err = unquote(s[1 : len(s)-1])
	} else if !isDotString(s) {
		err = invalid("local part has a character or a dot where none may stand")
	}
	if err != nil {
		return "", err
	}
	s = norm.NFC.String(s)
	if s == "" {
		return "", invalid("empty local part")
	}
	if strings.IndexFunc(s, forbidden) >= 0 {
		return "", invalid("local part has a control or invisible character")
	}
	// The folded form is measured too: it is stored and printed like the other, and must parse like it.
	if len(quoteLocal(s)) > MaxLocal || len(quoteLocal(foldLocal(s))) > MaxLocal {
		return "", invalid("local part longer than 64 octets")
	}
	return s, nil
}

// unquote takes the backslashes out of the inside of a Quoted-string.
func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			// quoted-pairSMTP is ASCII only; RFC 6531 leaves it so.
			if i++; s[i] >= utf8.RuneSelf {
				return "", invalid("backslash before a character outside ASCII")
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// quoteLocal returns the shortest spelling of the local part that means s.
func quoteLocal(s string) string {
	if isDotString(s) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// foldLocal is the case folding behind Key and Equal. Lower-casing can take a string out of NFC, hence the second step.
func foldLocal(s string) string { return norm.NFC.String(strings.ToLower(s)) }

// isDotString reports whether s is a Dot-string: atoms with single dots between them.
func isDotString(s string) bool {
	atom := false
	for i := 0; i < len(s); i++ {
		switch {
		case isAtext(s[i]):
			atom = true
		case s[i] == '.' && atom:
			atom = false
		default:
			return false
		}
	}
	return atom
}

// isAtext reports whether c may stand in an atom (RFC 5322, 3.2.3), counting every octet of UTF-8 in (RFC 6531, 3.3).
func isAtext(c byte) bool {
	return c >= utf8.RuneSelf || isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// forbidden names what no local part may hold although the grammar would let some of it through: control characters,
// and beyond ASCII also spaces and format characters, which make one address look like another.
func forbidden(r rune) bool {
	return !unicode.IsGraphic(r) || r >= utf8.RuneSelf && unicode.IsSpace(r)
}

// The letters and digits of generated names: lower case, without those that are read as one another (0 o, 1 l i).
const (
	letters  = "abcdefghjkmnpqrstuvwxyz"
	alphabet = letters + "23456789"
)

// NewLocal returns a random local part for a pseudonym: nine characters, a letter first, 44 bits, easy to read aloud
// and to type. A nil source means crypto/rand. It panics if the source fails, since no weaker name may stand in.
func NewLocal(source io.Reader) string {
	if source == nil {
		source = rand.Reader
	}
	name := make([]byte, 0, 9)
	name = append(name, pick(source, letters))
	for len(name) < cap(name) {
		name = append(name, pick(source, alphabet))
	}
	return string(name)
}

// pick returns a letter of set, each with the same chance.
func pick(source io.Reader, set string) byte {
	var b [1]byte
	for {
		if _, err := io.ReadFull(source, b[:]); err != nil {
			panic(fmt.Sprintf("restante: internal error: read randomness: %v", err))
		}
		if n := int(b[0]); n < 256/len(set)*len(set) {
			return set[n%len(set)]
		}
	}
}

var errLocalPolicy = errors.New("a name has 1 to 64 of the characters a-z, 0-9, dot, hyphen and underscore, " +
	"begins with a letter or digit, and has no dot at the end or beside another dot")

// ValidLocal checks a local part that a person chose for a new address, by a rule much narrower than the grammar: what
// it lets through needs no quoting and reads the same in every mail client. The error says what is allowed.
func ValidLocal(s string) error {
	if len(s) == 0 || len(s) > MaxLocal || !isDotString(s) {
		return errLocalPolicy
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		lower := isAlnum(c) && (c < 'A' || c > 'Z')
		if !lower && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return errLocalPolicy
		}
	}
	return nil
}
