package mailbox

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	inboxName   = "INBOX"
	ownMailbox  = "Restante"
	maxNameSize = 255 // octets of UTF-8
)

// cleanName brings a mailbox name to the one form that an account's names have:
// NFC (RFC 9051, 5.1), and INBOX in capitals wherever it is the first level. It
// returns ErrName for what can't be a name: not UTF-8, control characters, line
// separators, empty levels, more than 255 octets, and names that begin with '#',
// which belong to other namespaces (RFC 9051, 5.1.2).
func cleanName(name string) (string, error) {
	if len(name) > 4*maxNameSize || !utf8.ValidString(name) {
		return "", ErrName
	}
	name = norm.NFC.String(name)
	if first, _, _ := strings.Cut(name, "/"); strings.EqualFold(first, inboxName) {
		name = inboxName + name[len(inboxName):]
	}
	if len(name) > maxNameSize || strings.HasPrefix(name, "#") || strings.ContainsFunc(name, notInNames) {
		return "", ErrName
	}
	for level := range strings.SplitSeq(name, "/") {
		if level == "" {
			return "", ErrName
		}
	}
	return name, nil
}

// notInNames reports what RFC 5198, 2 leaves out of text on one line, and the
// private characters that stand for nothing.
func notInNames(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// below returns what comes after parent and '/' in name; false if name is not
// below parent.
func below(name, parent string) (string, bool) {
	rest, ok := strings.CutPrefix(name, parent)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(rest, "/")
}

// inOrder compares names for a listing: INBOX first, then by level.
func inOrder(a, b string) int {
	if a == b {
		return 0
	}
	if a == inboxName {
		return -1
	}
	if b == inboxName {
		return 1
	}
	// '/' sorts as the least character, so that children follow their parent.
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}

// cleanKeyword checks a keyword (RFC 9051, 9: flag-keyword is an atom) and
// returns the form by which keywords are told apart. System flags, which begin
// with a backslash, are none.
func cleanKeyword(word string) (string, error) {
	if word == "" || len(word) > maxNameSize || strings.ContainsFunc(word, notInAtoms) {
		return "", ErrName
	}
	return strings.ToLower(word), nil
}

func notInAtoms(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
}
