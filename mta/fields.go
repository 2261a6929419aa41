package mta

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/restante/restante/internal/mime"
)

// A rule appends to out what is stored in place of a field.
type rule func(out []byte, f mime.Field) []byte

// strictRules and openRules are the table in header.go, by field names in
// lower case.
var (
	strictRules = map[string]rule{
		"from": keepAddresses, "to": keepRecipients, "cc": keepRecipients, "reply-to": keepAddresses,
		"date": keepDate, "subject": hideSubject,
		"message-id": keep, "in-reply-to": keep, "references": keep,
		"mime-version": keepVersion, "content-type": keep, "content-transfer-encoding": keepToken,
		"chat-version": keepToken, "chat-is-post-message": keepToken,
		"auto-submitted": keepToken, "secure-join": keepToken, "secure-join-invitenumber": keepToken,
		"autocrypt": keepAutocrypt,
	}
	openRules = map[string]rule{
		"from": keep, "to": keep, "cc": keep, "reply-to": keep, "date": keepDate, "subject": keep,
		"message-id": keep, "in-reply-to": keep, "references": keep, "mime-version": keepVersion,
		"auto-submitted": keep, "autocrypt": keep, "secure-join": keep, "comments": keep, "keywords": keep,
		"archived-at": keep, "importance": keep, "priority": keep, "x-priority": keep, "precedence": keep,
		"disposition-notification-to": keep,
	}
	openFamilies = []string{"content-", "autocrypt-", "chat-", "secure-join-", "list-"}
)

// ruleFor returns the rule for a field, or nil if it is dropped.
func ruleFor(name string, strict bool) rule {
	name = strings.ToLower(name)
	if strict {
		return strictRules[name]
	}
	if r, ok := openRules[name]; ok {
		return r
	}
	if slices.ContainsFunc(openFamilies, func(f string) bool { return strings.HasPrefix(name, f) }) {
		return keep
	}
	return nil
}

func keep(out []byte, f mime.Field) []byte { return append(out, f.Raw...) }

// keepIf keeps the field as it is if it has this value, and else gives it the
// value.
func keepIf(out []byte, f mime.Field, value string) []byte {
	if f.Value() == value {
		return keep(out, f)
	}
	return appendField(out, f.Name, value)
}

// hideSubject puts the placeholder of RFC 9788 for every subject, also for other
// placeholders: they tell which program wrote the message.
func hideSubject(out []byte, f mime.Field) []byte { return keepIf(out, f, "[...]") }

// keepVersion drops comments from MIME-Version: Apple Mail names itself there.
func keepVersion(out []byte, f mime.Field) []byte { return keepIf(out, f, "1.0") }

// keepDate writes a date in UTC, and drops one that can't be read.
func keepDate(out []byte, f mime.Field) []byte {
	t, ok := mime.ParseDate(f.Value())
	if !ok {
		return out
	}
	return keepIf(out, f, formatDate(t))
}

// maxToken is longer than any token that the fields have.
const maxToken = 64

// keepToken keeps a field whose value is a single word, and has room for none
// of the sender's own words.
func keepToken(out []byte, f mime.Field) []byte {
	value := f.Value()
	if value == "" || len(value) > maxToken || strings.ContainsFunc(value, notInToken) {
		return out
	}
	return keepIf(out, f, value)
}

func notInToken(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// keepAddresses drops everything from an address list that is not an address:
// display names, names of groups, comments. A list without any is dropped.
func keepAddresses(out []byte, f mime.Field) []byte {
	var specs []string
	for _, a := range addresses(f.Value()) {
		specs = append(specs, a.String())
	}
	switch {
	case len(specs) == 0:
		return out
	case f.Value() == strings.Join(specs, ", "):
		return keep(out, f)
	}
	return appendField(out, f.Name, strings.Join(specs, ",\r\n "))
}

// hidden are the recipients of a message whose recipients are not told: the
// usual form, and Delta Chat's.
var hidden = []string{"undisclosed-recipients:;", "undisclosed-recipients: ;", `"hidden-recipients": ;`}

// keepRecipients is keepAddresses for To and Cc, which may say that they say
// nothing.
func keepRecipients(out []byte, f mime.Field) []byte {
	if value := f.Value(); slices.Contains(hidden, value) {
		return keep(out, f)
	}
	if len(addresses(f.Value())) == 0 {
		return appendField(out, f.Name, hidden[0])
	}
	return keepAddresses(out, f)
}

// maxAutocrypt is what Autocrypt Level 1 allows the field.
const maxAutocrypt = 10 << 10

// keepAutocrypt keeps an Autocrypt field that consists of nothing but an
// address, a preference and a key.
func keepAutocrypt(out []byte, f mime.Field) []byte {
	value := f.Value()
	if len(value) > maxAutocrypt {
		return out
	}
	for attribute := range strings.SplitSeq(strings.TrimSuffix(value, ";"), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		if !autocryptAttribute(name, strings.TrimSpace(v)) {
			return out
		}
	}
	return keep(out, f)
}

func autocryptAttribute(name, value string) bool {
	switch name {
	case "addr":
		a := addresses(value)
		return len(a) == 1 && value == a[0].String()
	case "prefer-encrypt":
		return value == "mutual" || value == "nopreference"
	case "keydata":
		return isKeyData(value)
	}
	return false
}

// isKeyData reports whether base64 text is a transferable public key, as far as
// its first byte tells: a packet with tag 6 in either header format (RFC 9580,
// 4.2).
func isKeyData(value string) bool {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	return err == nil && len(data) > 0 && (data[0] == 0xc6 || data[0]&0xfc == 0x98)
}
