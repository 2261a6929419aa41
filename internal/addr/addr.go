// Package addr holds mail addresses as values.
//
// An Address is the addr-spec of an SMTP path (RFC 5321, 4.1.2 and 4.1.3, with the UTF-8 of RFC 6531). Parse checks
// it and brings it to one canonical form, so that the rest of Restante compares, hashes and prints addresses without
// thinking about quoting, Unicode normalisation or the two spellings of an internationalised domain:
//
//	a, err := addr.Parse(`"Joe"@BÜCHER.example`)
//	a.String() // Joe@xn--bcher-kva.example
//	a.Key()    // joe@xn--bcher-kva.example
//
// Local parts are told apart without regard to case, as people expect, but keep the spelling they came with: use
// Equal or Key, not ==, to ask whether two addresses are the same mailbox.
//
// An address identifies a person. No error of this package quotes one, and an Address given to slog shows only that
// it is there.
package addr

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Limits in octets, of the canonical form (RFC 5321, 4.5.3.1; the 254 is the 256 of a path without its brackets).
const (
	MaxLocal   = 64
	MaxDomain  = 255
	MaxAddress = 254

	// maxInput bounds the work on hostile input; every address within the limits has a spelling shorter than this.
	maxInput = 1024
)

// ErrInvalid is what every error of Parse wraps.
var ErrInvalid = errors.New("invalid mail address")

// Address is one mail address in canonical form. The zero value is no address. Addresses are comparable: == tells
// whether two print the same, Equal whether they name the same mailbox.
type Address struct {
	local  string // the meaning of the local part: no quotes, NFC, case as given
	domain string // lower-case A-labels, or an address literal with its brackets
}

// Parse reads an addr-spec: no display name, no angle brackets, no source route. Errors wrap ErrInvalid, say what is
// wrong and never quote the input.
func Parse(s string) (Address, error) {
	if len(s) > maxInput {
		return Address{}, invalid("too long")
	}
	local, domain, err := split(s)
	if err != nil {
		return Address{}, err
	}
	if local, err = canonicalLocal(local); err != nil {
		return Address{}, err
	}
	if domain, err = canonicalDomain(domain); err != nil {
		return Address{}, err
	}
	a := Address{local: local, domain: domain}
	if len(a.String()) > MaxAddress {
		return Address{}, invalid("longer than 254 octets")
	}
	return a, nil
}

// MustParse is Parse for constants and tests: it panics on an error.
func MustParse(s string) Address {
	a, err := Parse(s)
	if err != nil {
		panic(fmt.Sprintf("addr.MustParse(%q): %v", s, err))
	}
	return a
}

// IsZero reports whether a is the zero value, which is no address.
func (a Address) IsZero() bool { return a == Address{} }

// Local returns the meaning of the local part: without quotes and backslashes, in the spelling it came with.
func (a Address) Local() string { return a.local }

// Domain returns the domain as lower-case A-labels, or an address literal such as "[127.0.0.1]".
func (a Address) Domain() string { return a.domain }

// String returns the canonical addr-spec, quoted where it has to be; Parse(a.String()) gives a. It is ASCII unless
// the local part is not. The zero value gives "".
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	return quoteLocal(a.local) + "@" + a.domain
}

// Key returns the form that is the same for all spellings of one mailbox: String with the local part in lower case.
// Address MACs are made of it, so it must not change between releases.
func (a Address) Key() string {
	if a.IsZero() {
		return ""
	}
	return quoteLocal(foldLocal(a.local)) + "@" + a.domain
}

// Equal reports whether a and b name the same mailbox.
func (a Address) Equal(b Address) bool {
	return a == b || a.domain == b.domain && foldLocal(a.local) == foldLocal(b.local)
}

// LogValue hides the address from logs.
func (a Address) LogValue() slog.Value {
	if a.IsZero() {
		return slog.StringValue("")
	}
	return slog.StringValue("[address]")
}

// split cuts s at the @ after its local part, leaving both halves as they were written.
func split(s string) (local, domain string, err error) {
	at := strings.IndexByte(s, '@')
	if strings.HasPrefix(s, `"`) {
		at = quotedEnd(s)
	}
	if at < 0 || at >= len(s) || s[at] != '@' {
		return "", "", invalid("no @ after the local part")
	}
	return s[:at], s[at+1:], nil
}

// quotedEnd returns the index after the quoted string that s begins with, or -1 if it has no end.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func invalid(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }
