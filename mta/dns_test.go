package mta

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
)

// A zone answers for DNS: texts by name, and addresses by name. Names that are not
// there do not exist, but for those that can't be asked.
type zone struct {
	txt    map[string][]string
	hosts  map[string]string
	broken []string

	mu    sync.Mutex
	asked []string
}

func (z *zone) ask(name string, known bool) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = append(z.asked, name)
	if slices.Contains(z.broken, name) {
		return &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	if !known {
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return nil
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	records, ok := z.txt[name]
	return records, z.ask(name, ok)
}

func (z *zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, z.ask(name, false)
}

func (z *zone) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	ip, ok := z.hosts[name]
	return []net.IPAddr{{IP: net.ParseIP(ip)}}, z.ask(name, ok)
}

func (z *zone) LookupAddr(_ context.Context, ip string) ([]string, error) {
	return nil, z.ask(ip, false)
}

var _ Resolver = (*zone)(nil)

// questions returns what was asked for so far.
func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.asked)
}

// publish puts the records of keys into the zone.
func (z *zone) publish(tb testing.TB, k *DKIMKeys, domains ...string) {
	tb.Helper()
	records, err := k.Records()
	if err != nil {
		tb.Fatal(err)
	}
	if z.txt == nil {
		z.txt = map[string][]string{}
	}
	for _, d := range domains {
		for _, r := range records {
			z.txt[r.Name+"."+d] = []string{r.Value}
		}
	}
}
