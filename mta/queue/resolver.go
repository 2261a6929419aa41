package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/miekg/dns"
)

var (
	// errNoName: the name does not exist, and the resolver is sure of it.
	errNoName = errors.New("queue: there is no such domain")
	// errDNS: nothing is known; a later question may be answered.
	errDNS = errors.New("queue: the name can't be resolved at the moment")
)

const (
	dnsTimeout = 5 * time.Second
	dnsRounds  = 2
	dnsUDPSize = 1232 // the largest that no network fragments (DNS Flag Day 2020)
)

// A Resolver asks DNS resolvers. It is safe for concurrent use, and keeps no
// answers: a resolver worth its name does that.
type Resolver struct {
	servers []string // host:port
	trust   bool
	network string // of the first question; "udp" unless all goes through a proxy
	dial    dialFunc
	onions  *http.Client // nil without a proxy
}

// dialFunc opens a connection, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// NewResolver returns a Resolver that asks the servers ("192.0.2.1:53"), each
// after the failure of the one before. With trust it believes them when they say
// that an answer was validated by DNSSEC, which is right for a validating
// resolver on this machine and wrong for one across a network.
func NewResolver(servers []string, trust bool) (*Resolver, error) {
	for _, s := range servers {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, fmt.Errorf("queue: a resolver needs an address and a port, such as 127.0.0.1:53: %w", err)
		}
	}
	if len(servers) == 0 {
		return nil, errors.New("queue: no resolver given")
	}
	return &Resolver{servers: servers, trust: trust, network: "udp", dial: new(net.Dialer).DialContext}, nil
}

// SystemServers returns the resolvers that the system uses, or the one that it would
// use if it named none.
func SystemServers() []string {
	c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(c.Servers) == 0 {
		return []string{"127.0.0.1:53"} // resolv.conf(5)
	}
	var servers []string
	for _, s := range c.Servers {
		servers = append(servers, net.JoinHostPort(s, c.Port))
	}
	return servers
}

// through returns a Resolver that reaches its servers by TCP through dial.
func (r *Resolver) through(dial dialFunc) *Resolver {
	return &Resolver{servers: r.servers, trust: r.trust, network: "tcp", dial: dial}
}

// An answer is the records of the wanted type, and whether their resolver
// vouches for them.
type answer struct {
	records []dns.RR
	secure  bool
}

// lookup asks for the records of a name. No records are no error. Errors:
// errNoName, also for every onion service (RFC 7686, 2); errDNS.
func (r *Resolver) lookup(ctx context.Context, name string, kind uint16) (answer, error) {
	if isOnion(strings.ToLower(strings.TrimSuffix(name, "."))) {
		return answer{}, errNoName
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(dnsUDPSize, r.trust)
	m.AuthenticatedData = r.trust // RFC 6840, 5.7: tell us whether it was validated
	for range dnsRounds {
		for _, server := range r.servers {
			in, err := r.ask(ctx, r.network, server, m)
			if err == nil && in.Truncated && r.network == "udp" {
				in, err = r.ask(ctx, "tcp", server, m)
			}
			if err != nil {
				continue
			}
			switch in.Rcode {
			case dns.RcodeSuccess:
				return answer{following(in, m.Question[0]), r.trust && in.AuthenticatedData}, nil
			case dns.RcodeNameError:
				return answer{secure: r.trust && in.AuthenticatedData}, errNoName
			}
		}
	}
	return answer{}, errDNS
}

var errOtherAnswer = errors.New("queue: an answer to another question")

// ask puts one question to one server, on a connection of its own, so that
// answers can't be guessed from the ports of others.
func (r *Resolver) ask(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	conn, err := r.dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q := m.Copy()
	q.Id = dns.Id()
	in, _, err := new(dns.Client).ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn, UDPSize: dnsUDPSize})
	if err != nil {
		return nil, err
	}
	if len(in.Question) != 1 || !strings.EqualFold(in.Question[0].Name, q.Question[0].Name) || in.Question[0].Qtype != q.Question[0].Qtype {
		return nil, errOtherAnswer
	}
	return in, nil
}

// maxAliases is how many CNAME records lead from a name to its data at most.
const maxAliases = 8

// following picks the records that answer a question: those of its name, or of
// the name that CNAMEs lead to.
func following(in *dns.Msg, q dns.Question) []dns.RR {
	name := q.Name
	for range maxAliases {
		var found []dns.RR
		next := ""
		for _, rr := range in.Answer {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			if rr.Header().Rrtype == q.Qtype {
				found = append(found, rr)
			}
			if alias, ok := rr.(*dns.CNAME); ok {
				next = alias.Target
			}
		}
		if found != nil || next == "" {
			return found
		}
		name = next
	}
	return nil
}
