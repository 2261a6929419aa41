package token

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// kind is what a text is. Its prefix is the first thing a person sees of it.
type kind struct {
	prefix string
	size   int // of what is encoded, in bytes
}

var (
	kindPending = kind{"restante-pending-1-", 32}
	kindRequest = kind{"restante-request-1-", sigSize}
	kindAnswer  = kind{"restante-answer-1-", sigSize}
	kindToken   = kind{"restante-token-1-", msgSize + sigSize}
)

// maxText bounds what decode looks at: each text has room for line breaks.
const maxText = 2048

func encode(k kind, parts ...[]byte) string {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return k.prefix + base64.RawURLEncoding.EncodeToString(all)
}

// decode returns exactly k.size bytes, or an error that wraps ErrFormat.
func decode(k kind, text string) ([]byte, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("read %s: %w", k.name(), ErrFormat)
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	rest, ok := strings.CutPrefix(text, k.prefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if !ok || err != nil || len(b) != k.size {
		return nil, fmt.Errorf("read %s: %w", k.name(), ErrFormat)
	}
	return b, nil
}

// name is the kind's word in an error.
func (k kind) name() string { return strings.Split(k.prefix, "-")[1] }

// hidden is what secrets of this package print and log as.
const hidden = "[token]"

// Format prints a word in place of the token; Reveal shows it.
func (Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue logs a word in place of the token.
func (Token) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format prints a word in place of the secret; Reveal shows it.
func (Pending) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue logs a word in place of the secret.
func (Pending) LogValue() slog.Value { return slog.StringValue(hidden) }
