package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// stsMode is what a domain wants of senders (RFC 8461, 3.2).
type stsMode int

const (
	stsNone stsMode = iota
	stsTesting
	stsEnforce
)

// A stsPolicy is what a domain publishes about its mail servers.
type stsPolicy struct {
	mode   stsMode
	names  []string // patterns
	maxAge time.Duration
}

// The bounds of a policy (RFC 8461, 3.2 and 3.3).
const (
	maxPolicy     = 64 << 10
	maxPolicyAge  = 31557600 * time.Second
	policyTimeout = time.Minute
	maxPolicyMX   = 100
	maxPolicies   = 10000 // that are remembered
)

// matches reports whether a policy names a host. A pattern's star is one label
// (RFC 8461, 4.1).
func (p *stsPolicy) matches(host string) bool {
	return slices.ContainsFunc(p.names, func(pattern string) bool {
		suffix, wild := strings.CutPrefix(pattern, "*.")
		if !wild {
			return host == pattern
		}
		label, rest, _ := strings.Cut(host, ".")
		return label != "" && rest == suffix
	})
}

var (
	errPolicy      = errors.New("queue: the domain's MTA-STS policy is not one")
	errPolicyFetch = errors.New("queue: the domain's MTA-STS policy can't be fetched")
	errPolicyCert  = errors.New("queue: the host of the domain's MTA-STS policy has a bad certificate")
)

// parsePolicy reads a policy file. Fields that are not known are skipped.
func parsePolicy(text string) (*stsPolicy, error) {
	p := &stsPolicy{}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if !ok || key != "mx" && seen[key] {
			continue // of several, the first counts
		}
		seen[key] = true
		if err := p.set(key, value); err != nil {
			return nil, err
		}
	}
	if !seen["version"] || !seen["mode"] || !seen["max_age"] || p.mode != stsNone && len(p.names) == 0 {
		return nil, errPolicy
	}
	return p, nil
}

func (p *stsPolicy) set(key, value string) error {
	switch key {
	case "version":
		if value != "STSv1" {
			return errPolicy
		}
	case "mode":
		mode, ok := map[string]stsMode{"none": stsNone, "testing": stsTesting, "enforce": stsEnforce}[value]
		if !ok {
			return errPolicy
		}
		p.mode = mode
	case "max_age":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return errPolicy
		}
		p.maxAge = min(time.Duration(n)*time.Second, maxPolicyAge)
	case "mx":
		if len(p.names) == maxPolicyMX {
			return errPolicy
		}
		p.names = append(p.names, strings.ToLower(strings.TrimSuffix(value, ".")))
	}
	return nil
}

// policies finds and remembers the policies of domains. It is safe for concurrent
// use.
type policies struct {
	resolver *Resolver
	tally    *tlsTally // nil counts nothing
	client   *http.Client
	now      func() time.Time

	mu    sync.Mutex
	known map[string]knownPolicy
}

// A knownPolicy is one with the id under which the domain announced it.
type knownPolicy struct {
	*stsPolicy
	id    string
	until time.Time
}

// newPolicies returns one that fetches with the transport given, or that of the
// standard library. It follows no redirects (RFC 8461, 3.3).
func newPolicies(r *Resolver, transport http.RoundTripper, now func() time.Time) *policies {
	client := &http.Client{
		Transport: transport, Timeout: policyTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &policies{resolver: r, client: client, now: now, known: map[string]knownPolicy{}}
}

// of returns the policy that holds for a domain, or nil. What was learnt before
// holds until its time is over, even if it can't be read again (RFC 8461, 5.1).
func (s *policies) of(ctx context.Context, domain string) *stsPolicy {
	known := s.remembered(domain)
	id, err := s.announced(ctx, domain)
	if err != nil || id == "" || known.stsPolicy != nil && known.id == id {
		return known.stsPolicy
	}
	p, err := s.fetch(ctx, domain)
	if err != nil {
		s.tally.note(domain, "mta-sts."+domain, tlsPolicy{kind: policySTS}, err)
		return known.stsPolicy
	}
	s.remember(domain, knownPolicy{p, id, s.now().Add(p.maxAge)})
	return p
}

// allows reports whether a domain's policy, if it has one in mode enforce, names the
// host.
func (s *policies) allows(ctx context.Context, domain, host string) bool {
	p := s.of(ctx, domain)
	return p == nil || p.mode != stsEnforce || p.matches(host)
}

func (s *policies) remembered(domain string) knownPolicy {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[domain]
	if s.now().After(k.until) {
		return knownPolicy{}
	}
	return k
}

// remember keeps a policy. When there are too many, those that are over go, and
// then any: whoever owns many domains must not be able to fill our memory.
func (s *policies) remember(domain string, k knownPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxPolicies {
		for d, old := range s.known {
			if s.now().After(old.until) || len(s.known) >= maxPolicies {
				delete(s.known, d)
			}
		}
	}
	s.known[domain] = k
}

// announced returns the id in the domain's TXT record, "" if it has none (RFC
// 8461, 3.1).
func (s *policies) announced(ctx context.Context, domain string) (string, error) {
	found, err := s.resolver.lookup(ctx, "_mta-sts."+domain, dns.TypeTXT)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, rr := range found.records {
		text := strings.Join(rr.(*dns.TXT).Txt, "")
		if fields := strings.Split(text, ";"); strings.TrimSpace(fields[0]) == "v=STSv1" {
			ids = append(ids, idOf(fields[1:]))
		}
	}
	if len(ids) != 1 {
		return "", nil
	}
	return ids[0], nil
}

func idOf(fields []string) string {
	for _, f := range fields {
		if id, ok := strings.CutPrefix(strings.TrimSpace(f), "id="); ok {
			return id
		}
	}
	return ""
}

// fetchError tells a policy host with a bad certificate from one that is not there.
func fetchError(err error) error {
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) {
		return errPolicyCert
	}
	return errPolicyFetch
}

// lines is the policy as it is quoted in reports on TLS.
func (p *stsPolicy) lines() []string {
	mode := map[stsMode]string{stsNone: "none", stsTesting: "testing", stsEnforce: "enforce"}[p.mode]
	lines := []string{"version: STSv1", "mode: " + mode}
	for _, name := range p.names {
		lines = append(lines, "mx: "+name)
	}
	return append(lines, fmt.Sprintf("max_age: %d", int(p.maxAge.Seconds())))
}

// fetch reads the policy of a domain over HTTPS, whose certificate is always
// checked.
func (s *policies) fetch(ctx context.Context, domain string) (*stsPolicy, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return nil, errPolicy
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fetchError(err)
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode != http.StatusOK || kind != "text/plain" {
		return nil, errPolicyFetch
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPolicy+1))
	if err != nil || len(text) > maxPolicy {
		return nil, errPolicy
	}
	return parsePolicy(string(text))
}
