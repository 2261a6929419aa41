package mta

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

var errTags = errors.New("mta: not a list of tags")

// maxTags is more than any record or signature has.
const maxTags = 64

// A tagList is what DKIM signatures, DKIM keys and DMARC policies are written in:
// names and values, of which the blanks around them are no part (RFC 6376, 3.2).
type tagList []struct{ name, value string }

// parseTags reads a list of tags. A name that is there twice, or what is no name,
// makes the whole list invalid.
func parseTags(s string) (tagList, error) {
	var list tagList
	for part := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(part, "=")
		name = trimBlanks(name)
		if !ok && name == "" {
			continue // behind the last semicolon
		}
		if !ok || !isTagName(name) || list.has(name) || len(list) == maxTags {
			return nil, errTags
		}
		list = append(list, struct{ name, value string }{name, trimBlanks(value)})
	}
	return list, nil
}

// get returns the value of a tag, "" if it is not there.
func (l tagList) get(name string) string {
	for _, t := range l {
		if t.name == name {
			return t.value
		}
	}
	return ""
}

func (l tagList) has(name string) bool {
	for _, t := range l {
		if t.name == name {
			return true
		}
	}
	return false
}

// words returns the value of a tag that is a list of its own, in lower case.
func (l tagList) words(name string) []string {
	if !l.has(name) {
		return nil
	}
	words := strings.Split(strings.ToLower(l.get(name)), ":")
	for i, w := range words {
		words[i] = trimBlanks(w)
	}
	return words
}

// allows reports whether a list names a word, or there is no such list.
func (l tagList) allows(name string, word ...string) bool {
	return !l.has(name) || slices.ContainsFunc(l.words(name), func(w string) bool { return slices.Contains(word, w) })
}

// bytes returns a value that is base64, in which blanks may be anywhere.
func (l tagList) bytes(name string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.FieldsFunc(l.get(name), isBlank), ""))
}

func isTagName(s string) bool {
	letter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	rest := func(r rune) bool { return !letter(r) && (r < '0' || r > '9') && r != '_' }
	return s != "" && letter(rune(s[0])) && !strings.ContainsFunc(s, rest)
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

func trimBlanks(s string) string { return strings.TrimFunc(s, isBlank) }

// withoutTag empties a tag of a list, and leaves every other byte of it as it is.
func withoutTag(s, name string) string {
	var b strings.Builder
	for i, part := range strings.Split(s, ";") {
		if i > 0 {
			b.WriteByte(';')
		}
		before, _, ok := strings.Cut(part, "=")
		if ok && trimBlanks(before) == name {
			part = before + "="
		}
		b.WriteString(part)
	}
	return b.String()
}
