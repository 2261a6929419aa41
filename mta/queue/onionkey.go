package queue

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// # Keys of onion services
//
// Nobody may ask DNS about a name that ends in .onion (RFC 7686, 2), so that a
// relay that is reachable only there can't publish its DKIM keys in it. It shows
// them at a path of its web server instead, and the network vouches for who answers:
// the name is the hash of the service's key.

// KeyPath is where a relay shows the record of a DKIM key. The selector follows.
const KeyPath = "/.well-known/restante/dkim/"

const (
	onionTimeout = 30 * time.Second // circuits take their time
	maxKeyRecord = 4096
	keyInfix     = "._domainkey."
)

// Through returns a Resolver that also finds the DKIM keys of onion services, through
// the SOCKS5 proxy at this address. With all, it asks its servers that way as well,
// by TCP.
func (r *Resolver) Through(socks string, all bool) (*Resolver, error) {
	d, err := newDialer(socks, all, onionTimeout)
	if err != nil {
		return nil, fmt.Errorf("queue: SOCKS proxy: %w", err)
	}
	if d.proxy == nil {
		return nil, errNoProxy
	}
	through := *r
	if all {
		through = *r.through(d.proxy)
	}
	through.onions = &http.Client{
		Transport:     &http.Transport{DialContext: d.proxy, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       onionTimeout,
	}
	return &through, nil
}

// onionKey asks an onion service for the record that would be under a name. Errors:
// errNoName for every other kind of record, and where there is no proxy or no such
// key; errDNS.
func (r *Resolver) onionKey(ctx context.Context, name string) (string, error) {
	selector, domain, ok := strings.Cut(strings.TrimSuffix(name, "."), keyInfix)
	if !ok || r.onions == nil || strings.ContainsAny(selector, "/?#%") {
		return "", errNoName
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+domain+KeyPath+selector, nil)
	if err != nil {
		return "", errNoName
	}
	answer, err := r.onions.Do(request)
	if err != nil {
		return "", errDNS
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeyRecord+1))
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return "", errNoName
	case err != nil || answer.StatusCode != http.StatusOK || len(text) > maxKeyRecord:
		return "", errDNS
	}
	return strings.TrimSpace(string(text)), nil
}
