package mta

import (
	"context"
	"errors"
	"net"
)

// A Resolver asks DNS, as *net.Resolver does. Its errors are of type
// *net.DNSError, which tell by IsNotFound that there is no such record.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, address string) ([]string, error)
}

var _ Resolver = (*net.Resolver)(nil)

// errDNS: DNS gave no answer, and may give one later.
var errDNS = errors.New("mta: DNS can't be asked")

// txt returns the text records of a name. No records are no error; every error is
// errDNS, because those of resolvers name what was asked for.
func txt(ctx context.Context, dns Resolver, name string) ([]string, error) {
	records, err := dns.LookupTXT(ctx, name)
	var known *net.DNSError
	switch {
	case err == nil:
		return records, nil
	case errors.As(err, &known) && known.IsNotFound:
		return nil, nil
	}
	return nil, errDNS
}

// A dmarcPolicy is what a domain asks of those who get mail in its name (RFC 7489,
// 6.3). The zero value is that of a domain that asks for nothing.
type dmarcPolicy struct {
	refuse     bool // what can't be known to be its own: p=quarantine or p=reject
	strictDKIM bool // signatures of subdomains don't count
	strictSPF  bool // nor do senders there
}

// lookUpPolicy finds the policy for a domain: its own, or that of its
// organization (RFC 7489, 6.6.3).
func lookUpPolicy(ctx context.Context, dns Resolver, domain string) (dmarcPolicy, error) {
	for _, at := range []string{domain, organization(domain)} {
		records, err := txt(ctx, dns, "_dmarc."+at)
		if err != nil {
			return dmarcPolicy{}, err
		}
		if p, ok := thePolicy(records, at != domain); ok {
			return p, nil
		}
	}
	return dmarcPolicy{}, nil
}

// thePolicy returns the policy among text records, if there is exactly one.
func thePolicy(records []string, subdomain bool) (policy dmarcPolicy, ok bool) {
	n := 0
	for _, r := range records {
		if p, isPolicy := parsePolicy(r, subdomain); isPolicy {
			policy = p
			n++
		}
	}
	return policy, n == 1
}

// parsePolicy reads a record, for the domain that has it or one below. Tags that
// have another value than the RFC allows are left out.
func parsePolicy(record string, subdomain bool) (p dmarcPolicy, ok bool) {
	tags, err := parseTags(record)
	if err != nil || len(tags) == 0 || tags[0].name != "v" || tags[0].value != "DMARC1" {
		return dmarcPolicy{}, false
	}
	wish := tags.get("p")
	if subdomain && tags.has("sp") {
		wish = tags.get("sp")
	}
	return dmarcPolicy{
		refuse:     wish == "quarantine" || wish == "reject",
		strictDKIM: tags.get("adkim") == "s",
		strictSPF:  tags.get("aspf") == "s",
	}, true
}
