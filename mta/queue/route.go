package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// A router finds the server for a domain and connects to it. It is safe for
// concurrent use.
type router struct {
	resolver *Resolver
	sts      *policies
	tally    *tlsTally // nil if nobody is told of TLS
	dialer   *dialer
	hello    string // our name: in EHLO, and as an MX host that is ourselves
	level    TLSLevel
	tls      *tls.Config // nil trusts what the system trusts
	relay    *RelayHost
	literals bool
	port     int
	usable   func(netip.Addr) bool
	timeouts Timeouts
}

// A RelayHost is a server that takes all mail for other domains. It learns who
// writes to whom and when, as every server on the way does, but of all mail.
type RelayHost struct {
	Name     string // its certificate is for this name
	Port     int    // 465 is TLS from the first byte; any other begins with STARTTLS
	User     string // "" does not log in
	Password string
}

// implicitTLS is the port on which TLS comes first (RFC 8314, 3.3).
const implicitTLS = 465

// A need is what the mail that waits asks of a connection.
type need struct {
	domain     string
	requireTLS bool
	report     bool // it is a report on TLS, which goes where TLS fails (RFC 8460, 3)
}

// connect opens a connection to a server that takes mail for the domain, trying
// one after the other. The error is that of the last one that could be reached,
// or else of the first.
func (r *router) connect(ctx context.Context, n need) (*client, error) {
	if r.relay != nil && !isOnion(n.domain) {
		return r.toRelayHost(ctx)
	}
	if isOnion(n.domain) {
		return r.toHost(ctx, n, host{name: n.domain}, nil)
	}
	hosts, policy, err := r.hosts(ctx, n.domain)
	if err != nil {
		return nil, err
	}
	var worst error
	for _, find := range hosts {
		h, err := find(ctx)
		if err == nil {
			var c *client
			if c, err = r.toHost(ctx, n, h, policy); err == nil {
				return c, nil
			}
		}
		if worst == nil || !isUnreachable(err) {
			worst = err
		}
	}
	return nil, worst
}

// key is equal for the domains that the same connections serve.
func (r *router) key(domain string) string {
	if r.relay != nil && !isOnion(domain) {
		return ""
	}
	return domain
}

// isUnreachable reports whether an error says no more than that nobody was there.
func isUnreachable(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errNotThere) || errors.Is(err, errUnreachable) ||
		errors.Is(err, errNoHost) || errors.Is(err, errDNS)
}

// finder looks a host up when its turn has come.
type finder func(ctx context.Context) (host, error)

var errLiteral = errors.New("queue: mail to address literals is switched off here")

// hosts returns the hosts for a domain in order, and the domain's MTA-STS policy.
func (r *router) hosts(ctx context.Context, domain string) ([]finder, *stsPolicy, error) {
	if ip, ok := literal(domain); ok {
		if !r.literals || !r.usable(ip) {
			return nil, nil, errLiteral
		}
		return []finder{func(context.Context) (host, error) { return host{addresses: []netip.Addr{ip}}, nil }}, nil, nil
	}
	set, err := r.resolver.exchangers(ctx, domain, r.hello)
	if err != nil {
		return nil, nil, err
	}
	var all []finder
	for _, name := range set.names {
		all = append(all, func(ctx context.Context) (host, error) {
			h, err := r.resolver.addresses(ctx, name, r.usable)
			h.secure = h.secure && set.secure
			if set.implicit && errors.Is(err, errNoHost) {
				err = errNoName // nothing about this domain has to do with mail
			}
			return h, err
		})
	}
	return all, r.sts.of(ctx, domain), nil
}

// toHost connects to one host, by whichever of its addresses works.
func (r *router) toHost(ctx context.Context, n need, h host, policy *stsPolicy) (*client, error) {
	f := tlsFacts{level: r.level, required: n.requireTLS, report: n.report, onion: isOnion(n.domain),
		unchecked: h.name == "" || strings.HasPrefix(n.domain, "_")}
	if policy != nil && policy.mode == stsEnforce {
		f.enforce, f.named = true, policy.matches(h.name)
	}
	pins, state := r.resolver.pins(ctx, h)
	f.pins = state
	o := &observer{n, h.name, policyOf(h.name, policy, pins, state), r.tally}
	level, err := decideTLS(f)
	if err != nil {
		o.note(err)
		return nil, err
	}
	if state == unusablePins {
		o.note(errPinsUnusable)
	}
	name := h.name
	if name == "" {
		name = h.addresses[0].String()
	}
	config := tlsConfig(r.tls, name, level, pins)
	if h.addresses == nil {
		return r.talk(ctx, level, config, o, func() (net.Conn, error) { return r.dialer.toName(ctx, h.name, r.port) })
	}
	var last error
	for _, ip := range h.addresses {
		c, err := r.talk(ctx, level, config, o, func() (net.Conn, error) { return r.dialer.toAddress(ctx, ip, r.port) })
		if err == nil {
			return c, nil
		}
		if last == nil || !isUnreachable(err) {
			last = err
		}
	}
	return nil, last
}

// talk connects and begins TLS. Where TLS need not be, a connection whose
// handshake failed is made anew without it.
func (r *router) talk(ctx context.Context, level TLSLevel, config *tls.Config, o *observer, dial func() (net.Conn, error)) (*client, error) {
	c, err := r.greet(ctx, dial)
	if err != nil {
		return nil, err
	}
	err = c.startTLS(ctx, config)
	o.handshake(c, config, err)
	if err == nil {
		return c, nil
	}
	if level == TLSOpportunistic && errors.Is(err, errNoTLS) {
		return c, nil
	}
	c.close()
	if level == TLSOpportunistic && ctx.Err() == nil {
		return r.greet(ctx, dial)
	}
	return nil, err
}

func (r *router) greet(ctx context.Context, dial func() (net.Conn, error)) (*client, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	return newClient(ctx, conn, r.hello, r.timeouts)
}

// toRelayHost connects to the relay host and logs in. Its certificate is always
// checked.
func (r *router) toRelayHost(ctx context.Context) (*client, error) {
	h, err := r.relayAddresses(ctx)
	if err != nil {
		return nil, err
	}
	config := tlsConfig(r.tls, r.relay.Name, TLSVerified, nil)
	var last error
	for _, ip := range h.addresses {
		dial := func() (net.Conn, error) { return r.dialer.toAddress(ctx, ip, r.relay.Port) }
		c, err := r.relayClient(ctx, config, dial)
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, last
}

// relayAddresses finds the relay host, which may be on our own network: it is the
// operator who named it.
func (r *router) relayAddresses(ctx context.Context) (host, error) {
	if ip, err := netip.ParseAddr(r.relay.Name); err == nil {
		return host{addresses: []netip.Addr{ip}}, nil
	}
	return r.resolver.addresses(ctx, r.relay.Name, netip.Addr.IsValid)
}

func (r *router) relayClient(ctx context.Context, config *tls.Config, dial func() (net.Conn, error)) (*client, error) {
	var c *client
	var err error
	if r.relay.Port == implicitTLS {
		c, err = r.greet(ctx, func() (net.Conn, error) { return dialTLS(ctx, dial, config, r.timeouts.Handshake) })
	} else {
		c, err = r.talk(ctx, TLSVerified, config, nil, dial)
	}
	if err != nil {
		return nil, err
	}
	c.secure, c.verified = true, true
	if r.relay.User != "" {
		err = c.auth(ctx, r.relay.User, r.relay.Password)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}
