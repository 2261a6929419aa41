package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// # Reports on TLS (RFC 8460)
//
// A domain can ask to hear each day whether TLS with its servers came about. What it
// is told are counts of connections by server and kind of failure: nothing of who
// wrote to whom, and no address of a machine. The counts are in memory only, those of
// each node its own, and those of a day in which it was stopped may be lost.
//
// tlstally.go counts, tlsreport.go writes the report, tlspost.go sends it.

// The kinds of policy that connections are held to (RFC 8460, 4.4).
const (
	policyDANE = "tlsa"
	policySTS  = "sts"
	policyNone = "no-policy-found"
)

// A tlsPolicy is what a domain said of TLS with its servers when we connected.
type tlsPolicy struct {
	kind string
	text []string // the policy, line by line, or the TLSA records
	mx   []string // the servers that it names
}

// policyOf is the one of a domain's policies that counts.
func policyOf(host string, policy *stsPolicy, pins []*dns.TLSA, state pinning) tlsPolicy {
	switch {
	case state == usablePins:
		p := tlsPolicy{kind: policyDANE, mx: []string{host}}
		for _, t := range pins {
			p.text = append(p.text, fmt.Sprintf("%d %d %d %s", t.Usage, t.Selector, t.MatchingType, strings.ToLower(t.Certificate)))
		}
		return p
	case state == unusablePins, state == unknownPins:
		return tlsPolicy{kind: policyDANE, mx: []string{host}}
	case policy != nil && policy.mode != stsNone:
		return tlsPolicy{kind: policySTS, text: policy.lines(), mx: policy.names}
	}
	return tlsPolicy{kind: policyNone}
}

func (p tlsPolicy) equal(q tlsPolicy) bool {
	return p.kind == q.kind && slices.Equal(p.text, q.text) && slices.Equal(p.mx, q.mx)
}

var errPinsUnusable = errors.New("queue: none of the domain's TLSA records can be used")

// tlsResults are the names of failures (RFC 8460, 4.3). What is not here says nothing
// of TLS and is not counted.
var tlsResults = []struct {
	err    error
	result string
}{
	{errNoTLS, "starttls-not-supported"},
	{errCertName, "certificate-host-mismatch"},
	{errCertExpired, "certificate-expired"},
	{errCertificate, "certificate-not-trusted"},
	{errCertPin, "validation-failure"},
	{errHandshake, "validation-failure"},
	{errInjected, "validation-failure"},
	{errSTSName, "validation-failure"},
	{errTLSLookup, "dnssec-invalid"},
	{errPinsUnusable, "tlsa-invalid"},
	{errPolicyFetch, "sts-policy-fetch-error"},
	{errPolicyCert, "sts-webpki-invalid"},
	{errPolicy, "sts-policy-invalid"},
}

// A tlsFailure is one kind of failure of one server.
type tlsFailure struct{ result, host string }

// A policyCount is what came of the connections held to one policy.
type policyCount struct {
	policy tlsPolicy
	good   int
	bad    map[tlsFailure]int
}

// A tlsDay is what came of the connections to one domain on one day.
type tlsDay struct {
	domain string
	start  time.Time
	due    time.Time // when to report it
	counts []*policyCount
}

// The bounds of what is counted: whoever owns many domains or servers must not be able
// to fill our memory. What is beyond is not counted.
const (
	maxTLSDays     = 10000
	maxTLSPolicies = 8
	maxTLSFailures = 50
)

// A tlsTally counts. It is safe for concurrent use; a nil one counts nothing.
type tlsTally struct {
	now func() time.Time

	mu   sync.Mutex
	days map[string]*tlsDay // by domain and day
}

// note counts one connection to a host of a domain: a success if err is nil. An error
// that says nothing of TLS is not counted.
func (t *tlsTally) note(domain, host string, policy tlsPolicy, err error) {
	if t == nil || isOnion(domain) || strings.HasPrefix(domain, "[") {
		return
	}
	f := tlsFailure{host: host}
	if err != nil {
		if f.result = tlsResult(err); f.result == "" {
			return
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	day := t.day(domain)
	if day == nil {
		return
	}
	c := day.count(policy)
	switch {
	case c == nil:
	case err == nil:
		c.good++
	case c.bad[f] > 0 || len(c.bad) < maxTLSFailures:
		c.bad[f]++
	}
}

func tlsResult(err error) string {
	for _, r := range tlsResults {
		if errors.Is(err, r.err) {
			return r.result
		}
	}
	return ""
}

// reportSpread is the time after midnight within which reports go out, each at a
// moment of its own (RFC 8460, 4.1).
const reportSpread = 4 * time.Hour

// day returns today's counts of a domain, or nil if there are too many domains.
func (t *tlsTally) day(domain string) *tlsDay {
	start := t.now().UTC().Truncate(24 * time.Hour)
	key := start.Format(time.DateOnly) + " " + domain
	if d := t.days[key]; d != nil || len(t.days) >= maxTLSDays {
		return d
	}
	if t.days == nil {
		t.days = map[string]*tlsDay{}
	}
	t.days[key] = &tlsDay{domain: domain, start: start, due: start.Add(24*time.Hour + rand.N(reportSpread))}
	return t.days[key]
}

func (d *tlsDay) count(policy tlsPolicy) *policyCount {
	for _, c := range d.counts {
		if c.policy.equal(policy) {
			return c
		}
	}
	if len(d.counts) >= maxTLSPolicies {
		return nil
	}
	c := &policyCount{policy: policy, bad: map[tlsFailure]int{}}
	d.counts = append(d.counts, c)
	return c
}

// take removes and returns the days that are due.
func (t *tlsTally) take() (due []*tlsDay) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, d := range t.days {
		if !now.Before(d.due) {
			due = append(due, d)
			delete(t.days, key)
		}
	}
	return due
}

// giveUpReport is how long after its day a report is tried (RFC 8460, 4.1).
const giveUpReport = 24 * time.Hour

// putBack has a report tried again an hour later, unless it has been tried for a day.
func (t *tlsTally) putBack(d *tlsDay) {
	d.due = t.now().Add(time.Hour)
	if d.due.Sub(d.start) > 24*time.Hour+giveUpReport {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.days[d.start.Format(time.DateOnly)+" "+d.domain] = d
}

// An observer counts what comes of the connections to one host.
type observer struct {
	need   need
	host   string
	policy tlsPolicy
	tally  *tlsTally
}

func (o *observer) note(err error) {
	if !o.need.report {
		o.tally.note(o.need.domain, o.host, o.policy, err)
	}
}

// handshake counts what came of one. Where mail is sent to servers that prove nothing,
// a domain with an MTA-STS policy is told whether the proof was there.
func (o *observer) handshake(c *client, config *tls.Config, err error) {
	if o == nil || o.tally == nil {
		return
	}
	secure, ok := c.link.conn.(*tls.Conn)
	if err == nil && ok && o.policy.kind == policySTS && !c.verified {
		err = unproved(secure.ConnectionState().PeerCertificates, config)
	}
	o.note(err)
}

// unproved returns why certificates are no proof, or nil if they are.
func unproved(chain []*x509.Certificate, config *tls.Config) error {
	others := x509.NewCertPool()
	for _, cert := range chain[1:] {
		others.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: config.RootCAs, Intermediates: others, DNSName: config.ServerName})
	if err != nil {
		return tlsError(err)
	}
	return nil
}
