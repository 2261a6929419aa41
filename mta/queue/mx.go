package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/restante/restante/internal/addr"
)

// Why a domain takes no mail, or can't be asked. Of these, only errNoHost passes.
var (
	errNullMX = errors.New("queue: the domain says that it takes no mail")
	errMXLoop = errors.New("queue: the domain's mail comes back to this relay, which does not know it")
	errNoHost = errors.New("queue: the domain's mail servers have no usable address")
)

// The bounds of what a domain can make us try.
const (
	maxHosts     = 10
	maxAddresses = 6 // of one host
)

// A host is one server that takes mail for a domain.
type host struct {
	name      string // "" for an address literal
	addresses []netip.Addr
	secure    bool // DNSSEC vouches for the name and the addresses
}

// A mxSet is the servers of a domain in the order in which to try them.
type mxSet struct {
	names    []string
	implicit bool // the domain has no MX records, and so is its own server
	secure   bool
}

// exchangers finds the servers of a domain (RFC 5321, 5.1). self is our own name:
// a server that is no better than ourselves is none to send to. Errors:
// errNoName, errNullMX, errMXLoop, errDNS.
func (r *Resolver) exchangers(ctx context.Context, domain, self string) (mxSet, error) {
	found, err := r.lookup(ctx, domain, dns.TypeMX)
	if err != nil {
		return mxSet{}, err
	}
	if len(found.records) == 0 {
		return mxSet{names: []string{domain}, implicit: true, secure: found.secure}, nil
	}
	names, err := order(found.records, self)
	return mxSet{names: names, secure: found.secure}, err
}

// order sorts MX records by preference, and by chance among equals.
func order(records []dns.RR, self string) ([]string, error) {
	rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	slices.SortStableFunc(records, func(a, b dns.RR) int {
		return int(a.(*dns.MX).Preference) - int(b.(*dns.MX).Preference)
	})
	if len(records) == 1 && records[0].(*dns.MX).Mx == "." {
		return nil, errNullMX // RFC 7505
	}
	ours := slices.IndexFunc(records, func(rr dns.RR) bool { return hostName(rr) == self })
	if ours >= 0 {
		limit := records[ours].(*dns.MX).Preference
		records = slices.DeleteFunc(records, func(rr dns.RR) bool { return rr.(*dns.MX).Preference >= limit })
		if len(records) == 0 {
			return nil, errMXLoop
		}
	}
	var names []string
	for _, rr := range records {
		name := hostName(rr)
		if name != "" && !slices.Contains(names, name) && len(names) < maxHosts {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errNoHost
	}
	return names, nil
}

// hostName returns the name that an MX record gives, in the one form in which we
// compare names, or "" if it is no name of a host.
func hostName(rr dns.RR) string {
	name := strings.TrimSuffix(rr.(*dns.MX).Mx, ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return "" // RFC 5321, 5.1 wants a name
	}
	a, err := addr.Parse("postmaster@" + name)
	if err != nil {
		return ""
	}
	return a.Domain()
}

// addresses finds where a host is. secure is false unless DNSSEC vouches for
// every answer. Errors: errNoHost, errDNS.
func (r *Resolver) addresses(ctx context.Context, name string, usable func(netip.Addr) bool) (host, error) {
	h := host{name: name, secure: true}
	var failed error
	byFamily := map[uint16][]netip.Addr{}
	for _, kind := range []uint16{dns.TypeAAAA, dns.TypeA} {
		found, err := r.lookup(ctx, name, kind)
		if errors.Is(err, errDNS) {
			failed = err
		}
		h.secure = h.secure && found.secure && err == nil
		for _, rr := range found.records {
			if ip := address(rr); usable(ip) {
				byFamily[kind] = append(byFamily[kind], ip)
			}
		}
	}
	h.addresses = interleave(byFamily[dns.TypeAAAA], byFamily[dns.TypeA])
	switch {
	case len(h.addresses) > 0:
		return h, nil
	case failed != nil:
		return host{}, failed
	}
	return host{}, errNoHost
}

// interleave takes from both by turns, so that a family that does not work here
// costs one attempt before the other has its turn.
func interleave(a, b []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			all = append(all, a[i])
		}
		if i < len(b) {
			all = append(all, b[i])
		}
	}
	return all[:min(len(all), maxAddresses)]
}

func address(rr dns.RR) netip.Addr {
	var ip netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		ip, _ = netip.AddrFromSlice(rr.A.To4())
	case *dns.AAAA:
		ip, _ = netip.AddrFromSlice(rr.AAAA.To16())
	}
	return ip.Unmap()
}

// public reports whether an address may be another server's. Whoever writes MX
// records must not be able to make us talk to our own network.
func public(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate() && !ip.IsLoopback() && !sharedSpace.Contains(ip)
}

// sharedSpace is what providers use inside (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// literal returns the address in the domain of an address literal, "[192.0.2.1]".
func literal(domain string) (netip.Addr, bool) {
	inside, ok := strings.CutPrefix(domain, "[")
	if !ok {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(inside, "]"), "IPv6:"))
	return ip.Unmap(), err == nil
}
