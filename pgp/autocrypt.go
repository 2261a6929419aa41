package pgp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/restante/restante/internal/addr"
)

// MaxAutocrypt is how long the value of an Autocrypt header field may be, in both directions (Autocrypt Level 1, 2.1).
const MaxAutocrypt = 10 << 10

// ErrAutocrypt is wrapped by every error about an Autocrypt header field.
var ErrAutocrypt = errors.New("unusable Autocrypt header")

// Autocrypt is an Autocrypt or Autocrypt-Gossip header field: what a mail says is somebody's certificate. Nothing proves
// it but the encryption and signature of the mail it stands in.
type Autocrypt struct {
	Addr   addr.Address
	Mutual bool // the owner prefers encryption if the other does too
	Cert   *Cert
}

// Value returns the field's value, with blanks where it may be folded. It fails if the certificate is too large.
func (a Autocrypt) Value() (string, error) {
	var v strings.Builder
	v.WriteString("addr=" + a.Addr.String() + "; ")
	if a.Mutual {
		v.WriteString("prefer-encrypt=mutual; ")
	}
	v.WriteString("keydata=")
	data := base64.StdEncoding.EncodeToString(a.Cert.Bytes())
	for len(data) > 0 {
		n := min(len(data), foldAt-1)
		v.WriteString(" " + data[:n])
		data = data[n:]
	}
	if v.Len() > MaxAutocrypt {
		return "", fmt.Errorf("%w: the certificate is too large for it", ErrAutocrypt)
	}
	return v.String(), nil
}

// ParseAutocrypt reads a field's value by the rules of Autocrypt Level 1: attributes separated by semicolons, addr and
// keydata required, keydata last, and any unknown attribute whose name does not begin with an underscore makes the whole
// field invalid. Errors wrap ErrAutocrypt.
func ParseAutocrypt(value string) (Autocrypt, error) {
	if len(value) > MaxAutocrypt {
		return Autocrypt{}, badAutocrypt("longer than %d octets", MaxAutocrypt)
	}
	var a Autocrypt
	seen := map[string]bool{}
	for attribute := range strings.SplitSeq(strings.TrimRight(value, "; \t"), ";") {
		name, text, ok := strings.Cut(attribute, "=")
		name, text = strings.TrimSpace(name), strings.TrimSpace(text)
		switch {
		case !ok:
			return Autocrypt{}, badAutocrypt("an attribute has no value")
		case seen[name]:
			return Autocrypt{}, badAutocrypt("an attribute occurs twice")
		case a.Cert != nil:
			return Autocrypt{}, badAutocrypt("keydata is not the last attribute")
		}
		seen[name] = true
		if err := a.set(name, text); err != nil {
			return Autocrypt{}, err
		}
	}
	if a.Addr.IsZero() || a.Cert == nil {
		return Autocrypt{}, badAutocrypt("addr or keydata is missing")
	}
	return a, nil
}

// set takes one attribute.
func (a *Autocrypt) set(name, text string) error {
	var err error
	switch {
	case name == "addr":
		if a.Addr, err = addr.Parse(text); err != nil {
			return badAutocrypt("addr: %v", err)
		}
	case name == "prefer-encrypt":
		a.Mutual = text == "mutual" // any other value counts as none
	case name == "keydata":
		return a.setCert(text)
	case !strings.HasPrefix(name, "_"):
		return badAutocrypt("an unknown attribute is critical")
	}
	return nil
}

func (a *Autocrypt) setCert(text string) error {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return badAutocrypt("keydata is not base64")
	}
	if len(data) == 0 || data[0]&0x80 == 0 {
		return badAutocrypt("keydata is no certificate")
	}
	if a.Cert, err = ParseCert(data); err != nil {
		return badAutocrypt("keydata: %v", err)
	}
	return nil
}

// FindAutocrypt returns what the header of a mail from the address says about its sender. If several fields are valid
// and name that address, none counts (Autocrypt Level 1, 2.3). The caller ignores reports and mail from two senders.
func FindAutocrypt(header []Field, from addr.Address) (Autocrypt, bool) {
	var found Autocrypt
	n := 0
	for _, f := range header {
		if !f.Is("Autocrypt") {
			continue
		}
		if a, err := ParseAutocrypt(f.Value); err == nil && a.Addr.Equal(from) {
			found = a
			n++
		}
	}
	return found, n == 1
}

// FindGossip returns what the encrypted header of a mail says about its other recipients. Invalid fields are left out;
// the caller takes only those that name a recipient.
func FindGossip(header []Field) []Autocrypt {
	var list []Autocrypt
	for _, f := range header {
		if !f.Is("Autocrypt-Gossip") {
			continue
		}
		if a, err := ParseAutocrypt(f.Value); err == nil {
			list = append(list, a)
		}
	}
	return list
}

func badAutocrypt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrAutocrypt, fmt.Sprintf(format, args...))
}
