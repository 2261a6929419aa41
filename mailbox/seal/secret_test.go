package seal

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

const exampleSecret = "r1-k7m2-0000-1111-abcd-efgh-jkmn-pqrs-tvwx-"

// example returns exampleSecret with its checksum.
func example() Secret {
	var s Secret
	copy(s.symbols[:], strings.ReplaceAll(exampleSecret, "-", ""))
	sum := s.checksum()
	copy(s.symbols[secretLen-checksumLen:], sum[:])
	return s
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^r1(-[0-9a-hjkmnp-tv-z]{4}){9}$`)
	seen := make(map[Secret]bool)
	for range 200 {
		s := NewSecret()
		text := s.Reveal()
		if !form.MatchString(text) || len(text) != 47 {
			t.Errorf("%s has not the form of a secret", text)
		}
		if got := must[Secret](t)(ParseSecret(text)); got != s {
			t.Errorf("%s parses as %s", text, got.Reveal())
		}
		if s.Selector() != text[3:7] {
			t.Errorf("%s: got selector %s", text, s.Selector())
		}
		if seen[s] {
			t.Errorf("%s was drawn twice", text)
		}
		seen[s] = true
	}
}

func TestParseSecretForgives(t *testing.T) {
	t.Parallel()
	want := example()
	text := want.Reveal()
	tests := map[string]string{
		"as shown":         text,
		"upper case":       strings.ToUpper(text),
		"no dashes":        strings.ReplaceAll(text, "-", ""),
		"spaces":           " " + strings.ReplaceAll(text, "-", " ") + "\r\n",
		"pretty dashes":    strings.ReplaceAll(text, "-", "\u2011"),
		"letters o":        strings.ReplaceAll(text, "0", "o"),
		"letters O":        strings.ReplaceAll(text, "0", "O"),
		"letters l":        strings.ReplaceAll(text, "1", "l"),
		"letters I":        strings.ReplaceAll(text, "1", "I"),
		"broken over line": text[:20] + "\n   " + text[20:],
	}
	for name, in := range tests {
		got, err := ParseSecret(in)
		if err != nil || got != want {
			t.Errorf("%s: got error %v or another secret", name, err)
		}
	}
}

func TestParseSecretRefuses(t *testing.T) {
	t.Parallel()
	text := example().Reveal()
	tests := map[string]struct {
		in   string
		want error
	}{
		"nothing":            {"", ErrNotSecret},
		"a password":         {"correct horse battery staple", ErrNotSecret},
		"prefix only":        {"r1", ErrNotSecret},
		"another prefix":     {"r2" + text[2:], ErrNotSecret},
		"cut":                {text[:len(text)-1], ErrNotSecret},
		"longer":             {text + "0", ErrNotSecret},
		"letter u":           {strings.Replace(text, "k", "u", 1), ErrNotSecret},
		"other script":       {strings.Replace(text, "c", "\u0441", 1), ErrNotSecret},
		"look-alike prefix":  {"\u0172" + text[1:], ErrNotSecret},
		"not UTF-8":          {"r1\xff" + text[3:], ErrNotSecret},
		"very long":          {text + strings.Repeat(" ", maxSecretText), ErrNotSecret},
		"selector changed":   {strings.Replace(text, "k7", "k8", 1), ErrMistyped},
		"two letters turned": {strings.Replace(text, "ab", "ba", 1), ErrMistyped},
	}
	for name, tt := range tests {
		if _, err := ParseSecret(tt.in); err != tt.want {
			t.Errorf("%s: got error %v, want %v", name, err, tt.want)
		}
	}
}

// TestEveryTypingError changes each symbol of one secret to each other symbol.
func TestEveryTypingError(t *testing.T) {
	t.Parallel()
	for i := len(secretPrefix); i < secretLen; i++ {
		for _, c := range []byte(alphabet) {
			s := example()
			if s.symbols[i] == c {
				continue
			}
			s.symbols[i] = c
			if _, err := ParseSecret(string(s.symbols[:])); !errors.Is(err, ErrMistyped) {
				t.Errorf("symbol %d as %c: got error %v, want %v", i, c, err, ErrMistyped)
			}
		}
	}
}
