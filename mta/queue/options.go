package queue

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/restante/restante/mailbox"
)

// Options is what a Worker is made of. Outbox, Hostname, Domain and Resolver are
// needed; the zero value of everything else is a documented default.
type Options struct {
	Outbox   *mailbox.Outbox
	Hostname string // how we name ourselves to other servers
	Domain   string // reports come from an address at it
	Resolver *Resolver

	// TLS is how well other servers must prove themselves. The zero value asks
	// for a certificate that is good for the server's name.
	TLS   TLSLevel
	Roots *tls.Config // nil trusts what the system trusts

	RelayHost *RelayHost // takes all mail, if not nil
	Proxy     string     // address of a SOCKS5 proxy, for .onion names; "" is none
	ProxyAll  bool       // and for everything else, DNS included
	Literals  bool       // mail to address literals goes out
	Private   bool       // and to servers in private networks and on this machine
	Port      int        // of other servers; 25
	HTTPS     bool       // mail is offered over HTTPS first, as chatmail relays take it
	HTTPSPort int        // for that; 443

	// Policies is how MTA-STS policies are fetched and TLS reports are posted; nil is on the way that mail takes.
	Policies http.RoundTripper

	// Sign returns the DKIM-Signature fields for a report; nil signs none.
	Sign func(message io.Reader) ([]byte, error)

	Limits   Limits   // each zero field is its default
	Timeouts Timeouts // likewise
	Log      *slog.Logger
	Now      func() time.Time // nil is time.Now

	// TLSReports tells domains that ask for it how TLS with their servers went, once a
	// day (RFC 8460): how often, not for whom.
	TLSReports bool

	testOnlyRouter func(*router)
}

// Limits bounds what a Worker does at a time, and how long it tries.
type Limits struct {
	Destinations   int           // domains at a time; 64
	PerDestination int           // connections to one; 10
	Lease          time.Duration // renewed at a third of it; 1 min, which mail waits when a node dies
	Poll           time.Duration // between two looks for work, beside hints; 5 s
	Idle           time.Duration // that a connection is kept for the next message; 30 s
	Attempt        time.Duration // for one message to one server; 1 h
	MaxAge         time.Duration // after which a message comes back; 48 h
	Stop           time.Duration // for messages under way when the worker stops; 10 s
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Destinations, 64)
	orDefault(&l.PerDestination, 10)
	orDefault(&l.Lease, time.Minute)
	orDefault(&l.Poll, 5*time.Second)
	orDefault(&l.Idle, 30*time.Second)
	orDefault(&l.Attempt, time.Hour)
	orDefault(&l.MaxAge, 48*time.Hour)
	orDefault(&l.Stop, 10*time.Second)
	return l
}

// router makes the router that the options describe.
func (o *Options) router() (*router, error) {
	d, err := newDialer(o.Proxy, o.ProxyAll, o.Timeouts.Connect)
	if err != nil {
		return nil, err
	}
	if o.ProxyAll && o.Proxy == "" {
		return nil, errors.New("queue: Options.ProxyAll needs Options.Proxy")
	}
	r := &router{
		resolver: o.Resolver, dialer: d, hello: o.Hostname, level: o.TLS, tls: o.Roots, relay: o.RelayHost,
		literals: o.Literals, port: o.Port, usable: public, timeouts: o.Timeouts,
	}
	if o.Private {
		r.usable = netip.Addr.IsValid
	}
	if o.ProxyAll {
		r.resolver = o.Resolver.through(d.proxy)
	}
	policies := o.Policies
	if policies == nil {
		policies = r.transport()
	}
	r.sts = newPolicies(r.resolver, policies, o.Now)
	if o.TLSReports {
		r.tally = &tlsTally{now: o.Now}
		r.sts.tally = r.tally
	}
	if o.testOnlyRouter != nil {
		o.testOnlyRouter(r)
	}
	return r, nil
}
