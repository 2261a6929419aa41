package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Resolver asks name servers that answer for any name, as a machine's own do.
type Resolver struct {
	Servers []string      // with ports; the first that answers is believed
	Timeout time.Duration // of one question; 0 is 5 s
}

// errNoAnswer: no server said anything that can be used.
var errNoAnswer = errors.New("no name server answers")

// answer is what a resolver says of one name and type.
type answer struct {
	records   []dns.RR // of the type asked for, at the end of all CNAMEs
	exists    bool     // the name has records of some type
	validated bool     // the server has checked it with DNSSEC
}

// maxAliases bounds how many CNAMEs are followed.
const maxAliases = 8

// lookup asks for the records of a name, and follows aliases.
func (r *Resolver) lookup(ctx context.Context, name string, kind uint16) (answer, error) {
	name = dns.Fqdn(name)
	for range maxAliases {
		m, err := r.ask(ctx, name, kind)
		if err != nil {
			return answer{}, err
		}
		a := answer{exists: m.Rcode == dns.RcodeSuccess, validated: m.AuthenticatedData}
		alias := ""
		for _, rr := range m.Answer {
			if rr.Header().Rrtype == kind {
				a.records = append(a.records, rr)
			} else if c, is := rr.(*dns.CNAME); is {
				alias = c.Target
			}
		}
		if len(a.records) > 0 || alias == "" || kind == dns.TypeCNAME {
			return a, nil
		}
		name = alias
	}
	return answer{}, fmt.Errorf("%s is an alias of an alias, without end", name)
}

// ask asks one question of the servers in turn.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(name, kind)
	q.SetEdns0(1232, true)
	q.AuthenticatedData = true // RFC 6840, 5.7: say whether it was validated
	timeout := r.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	last := errNoAnswer
	for _, server := range r.Servers {
		for _, network := range []string{"udp", "tcp"} {
			m, _, err := (&dns.Client{Net: network, Timeout: timeout}).ExchangeContext(ctx, q, server)
			if err != nil {
				last = fmt.Errorf("%w: %v", errNoAnswer, err)
				break
			}
			if m.Truncated {
				continue
			}
			if m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError {
				return m, nil
			}
			last = fmt.Errorf("%w: it says %s", errNoAnswer, dns.RcodeToString[m.Rcode])
			break
		}
	}
	return nil, last
}

// addresses returns the A and AAAA records of a name.
func (r *Resolver) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		a, err := r.lookup(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		for _, rr := range a.records {
			var ip net.IP
			switch rr := rr.(type) {
			case *dns.A:
				ip = rr.A
			case *dns.AAAA:
				ip = rr.AAAA
			}
			if addr, valid := netip.AddrFromSlice(ip); valid {
				all = append(all, addr.Unmap())
			}
		}
	}
	return all, nil
}

// Validation says whether the resolver validates DNSSEC, which DANE stands on. needed
// tells whether the relay relies on it.
func (r *Resolver) Validation(ctx context.Context, needed bool) Finding {
	const check = "DNSSEC"
	a, err := r.lookup(ctx, ".", dns.TypeDNSKEY)
	switch {
	case err != nil:
		return wrong(check, "the resolver does not answer: "+err.Error(), "check dns.servers in the configuration, or /etc/resolv.conf")
	case a.validated:
		return ok(check, "the resolver validates")
	case needed:
		return wrong(check, "the configuration relies on dns.dnssec, and the resolver does not validate",
			"install unbound on this machine and set dns.servers = [\"127.0.0.1:53\"], or set dns.dnssec = false")
	}
	return ok(check, "the resolver does not validate, and nothing relies on it (DANE is not used)")
}
