package mta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
)

var errDKIMSignature = errors.New("mta: no usable DKIM signature")

const (
	// maxSignatures is how many signatures of a message are looked at, of those
	// that its author's domain could have made.
	maxSignatures = 8
	// maxSignature bounds one of them.
	maxSignature = 16 << 10
)

// A dkimSignature is one DKIM-Signature field that can be verified.
type dkimSignature struct {
	field     mime.Field
	algorithm string
	domain    string // d=
	query     string // where the key is
	names     []string
	relaxed   struct{ header, body bool }
	bodyHash  []byte
	value     []byte
	exact     bool // i= is in the domain itself
}

// parseSignature reads a signature (RFC 6376, 3.5). What it refuses counts for
// nothing: an algorithm without SHA-256 (RFC 8301, 3.1), From unsigned, a part of
// the body (l=) alone signed, so that anybody could go on, and a time past (x=).
func parseSignature(f mime.Field, now time.Time) (dkimSignature, error) {
	_, value, _ := strings.Cut(string(f.Raw), ":")
	tags, err := parseTags(value)
	if err != nil || len(f.Raw) > maxSignature || tags.get("v") != "1" || tags.has("l") || !tags.allows("q", "dns/txt") || expired(tags, now) {
		return dkimSignature{}, errDKIMSignature
	}
	s := dkimSignature{field: f, algorithm: tags.get("a"), names: tags.words("h")}
	header, body, _ := strings.Cut(tags.get("c"), "/")
	var known [2]bool
	s.relaxed.header, known[0] = isRelaxed(header)
	s.relaxed.body, known[1] = isRelaxed(body)
	if !known[0] || !known[1] || !slices.Contains(s.names, "from") {
		return dkimSignature{}, errDKIMSignature
	}
	s.bodyHash, err = tags.bytes("bh")
	if err == nil {
		s.value, err = tags.bytes("b")
	}
	if err == nil {
		err = s.place(tags)
	}
	return s, err
}

// place reads whose signature it is and where its key must be.
func (s *dkimSignature) place(tags tagList) error {
	var err error
	if s.domain, err = domainOf(tags.get("d")); err != nil {
		return err
	}
	selector := tags.get("s")
	if selector == "" || strings.ContainsFunc(selector, notInToken) {
		return errDKIMSignature
	}
	s.query = selector + "._domainkey." + s.domain
	if !tags.has("i") {
		s.exact = true
		return nil
	}
	identity := tags.get("i")
	in, err := domainOf(identity[strings.LastIndexByte(identity, '@')+1:])
	if err != nil || in != s.domain && !strings.HasSuffix(in, "."+s.domain) {
		return errDKIMSignature
	}
	s.exact = in == s.domain
	return nil
}

// domainOf returns a domain name in the form in which we compare names.
func domainOf(name string) (string, error) {
	a, err := addr.Parse("postmaster@" + name)
	return a.Domain(), err
}

func isRelaxed(form string) (relaxed, known bool) {
	return form == "relaxed", form == "relaxed" || form == "simple" || form == ""
}

func expired(tags tagList, now time.Time) bool {
	if !tags.has("x") {
		return false
	}
	x, err := strconv.ParseInt(tags.get("x"), 10, 64)
	return err != nil || now.Unix() > x
}

// verify reports whether the signature is the key's, over this header.
func (s *dkimSignature) verify(key dkimPublicKey, header []byte) bool {
	if key.exact && !s.exact {
		return false
	}
	sum := sha256.Sum256(s.covered(header))
	return key.verify(s.algorithm, sum[:], s.value)
}

// covered returns what is signed of the header: of several fields of one name the
// last comes first, and fields that are not there add nothing (RFC 6376, 5.4.2).
// The signature itself comes last, without what can't be in it.
func (s *dkimSignature) covered(header []byte) []byte {
	there := map[string][]mime.Field{}
	for f := range mime.Fields(header) {
		name := strings.ToLower(f.Name)
		there[name] = append(there[name], f)
	}
	var out []byte
	for _, name := range s.names {
		fields := there[name]
		if len(fields) == 0 {
			continue
		}
		last := len(fields) - 1
		out = append(out, s.canonical(fields[last].Name, string(fields[last].Raw))...)
		there[name] = fields[:last]
	}
	name, value, _ := strings.Cut(string(s.field.Raw), ":")
	own := s.canonical(s.field.Name, name+":"+withoutTag(value, "b"))
	return append(out, bytes.TrimRight(own, "\r\n")...)
}

// canonical returns a field in the form that the signature is about.
func (s *dkimSignature) canonical(name, raw string) []byte {
	if !s.relaxed.header {
		return []byte(raw)
	}
	_, value, _ := strings.Cut(raw, ":")
	return append(relaxedField(name, value), crlf...)
}

// A dkimCheck verifies the signatures of one message, whose body is written to it
// as it comes. It holds the header, and none of the body.
type dkimCheck struct {
	header     []byte
	signatures []dkimSignature
	relaxed    *relaxedBody // nil if no signature is about this form
	simple     *simpleBody
}

// newDKIMCheck begins with the header of a message, and looks at signatures of the
// domains that count.
func newDKIMCheck(header []byte, counts func(domain string) bool, now time.Time) *dkimCheck {
	c := &dkimCheck{header: header}
	for f := range mime.Fields(header) {
		if !f.Is("DKIM-Signature") || len(c.signatures) == maxSignatures {
			continue
		}
		s, err := parseSignature(f, now)
		if err != nil || !counts(s.domain) {
			continue
		}
		c.signatures = append(c.signatures, s)
		if s.relaxed.body && c.relaxed == nil {
			c.relaxed = newRelaxedBody()
		}
		if !s.relaxed.body && c.simple == nil {
			c.simple = newSimpleBody()
		}
	}
	return c
}

// Write takes the next bytes of the body. It never fails.
func (c *dkimCheck) Write(p []byte) (int, error) {
	if c.relaxed != nil {
		_, _ = c.relaxed.Write(p)
	}
	if c.simple != nil {
		_, _ = c.simple.Write(p)
	}
	return len(p), nil
}

// passes reports, when the body has been written, whether a signature of a domain
// that counts is good. If none is, errDNS says that one could still be found to be.
func (c *dkimCheck) passes(ctx context.Context, dns Resolver, counts func(domain string) bool) (bool, error) {
	var unsure error
	for i := range c.signatures {
		s := &c.signatures[i]
		if !counts(s.domain) || !bytes.Equal(s.bodyHash, c.sum(s.relaxed.body)) {
			continue
		}
		key, err := lookUpKey(ctx, dns, s.query)
		if errors.Is(err, errDNS) {
			unsure = errDNS
		}
		if err == nil && s.verify(key, c.header) {
			return true, nil
		}
	}
	return false, unsure
}

// has reports whether there is a signature of a domain that counts.
func (c *dkimCheck) has(counts func(domain string) bool) bool {
	return slices.ContainsFunc(c.signatures, func(s dkimSignature) bool { return counts(s.domain) })
}

// sum returns the hash of the body in one of its forms.
func (c *dkimCheck) sum(relaxed bool) []byte {
	if relaxed {
		return c.relaxed.sum()
	}
	return c.simple.sum()
}

// lookUpKey asks for a key. Several records are none (RFC 6376, 3.6.2.2).
func lookUpKey(ctx context.Context, dns Resolver, name string) (dkimPublicKey, error) {
	records, err := txt(ctx, dns, name)
	if err != nil {
		return dkimPublicKey{}, err
	}
	if len(records) != 1 {
		return dkimPublicKey{}, errDKIMKey
	}
	return parseDKIMRecord(records[0])
}
