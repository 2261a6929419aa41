package queue

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// The methods in this file are those of net.Resolver that checking the origin of
// mail takes, on the resolvers of this one. Their errors are of type *net.DNSError:
// IsNotFound for a name that does not exist, else IsTemporary. A name that exists
// without such a record has an empty answer.

// LookupTXT returns the text records of a name, the strings of each joined. The DKIM
// keys of an onion service it gets from the service itself.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if isOnion(strings.ToLower(strings.TrimSuffix(name, "."))) {
		key, err := r.onionKey(ctx, name)
		return []string{key}, asDNSError(err)
	}
	found, err := r.lookup(ctx, name, dns.TypeTXT)
	var texts []string
	for _, rr := range found.records {
		texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	return texts, asDNSError(err)
}

// LookupMX returns the MX records of a name, in no order.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	found, err := r.lookup(ctx, name, dns.TypeMX)
	var list []*net.MX
	for _, rr := range found.records {
		mx := rr.(*dns.MX)
		list = append(list, &net.MX{Host: mx.Mx, Pref: mx.Preference})
	}
	return list, asDNSError(err)
}

// LookupIPAddr returns the addresses of a name.
func (r *Resolver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	var list []net.IPAddr
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		found, err := r.lookup(ctx, name, kind)
		if err != nil {
			return nil, asDNSError(err)
		}
		for _, rr := range found.records {
			list = append(list, net.IPAddr{IP: address(rr).AsSlice()})
		}
	}
	return list, nil
}

// LookupAddr returns the names that an address says it has.
func (r *Resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "not an address", IsNotFound: true}
	}
	found, err := r.lookup(ctx, name, dns.TypePTR)
	var names []string
	for _, rr := range found.records {
		names = append(names, rr.(*dns.PTR).Ptr)
	}
	return names, asDNSError(err)
}

// asDNSError turns an error of lookup into that of the net package, without the
// name that was asked for.
func asDNSError(err error) error {
	if err == nil {
		return nil
	}
	gone := errors.Is(err, errNoName)
	return &net.DNSError{Err: err.Error(), IsNotFound: gone, IsTemporary: !gone}
}
