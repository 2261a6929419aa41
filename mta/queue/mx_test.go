package queue

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func TestExchangers(t *testing.T) {
	t.Parallel()
	z := newZone(t,
		"plain.example. MX 20 b.example.", "plain.example. MX 10 A.Example.", "plain.example. MX 20 b.example.",
		"implicit.example. A 192.0.2.1",
		"null.example. MX 0 .",
		"loop.example. MX 10 mail.here.example.", "loop.example. MX 20 worse.example.",
		"backup.example. MX 5 main.example.", "backup.example. MX 10 mail.here.example.", "backup.example. MX 10 equal.example.",
		"alias.example. CNAME plain.example.",
		"odd.example. MX 10 192.0.2.1.", "odd.example. MX 20 bad\\032name.example.",
		"broken.example. MX 10 a.example.",
		"circle.example. CNAME circle.example.",
	)
	z.change(func() { z.broken["broken.example."] = true })
	r := z.resolver(t)
	for _, c := range []struct {
		domain, want string
		err          error
	}{
		{domain: "plain.example", want: "a.example b.example"},
		{domain: "implicit.example", want: "implicit.example"},
		{domain: "null.example", err: errNullMX},
		{domain: "loop.example", err: errMXLoop},
		{domain: "backup.example", want: "main.example"},
		{domain: "alias.example", want: "a.example b.example"},
		{domain: "odd.example", err: errNoHost},
		{domain: "broken.example", err: errDNS},
		{domain: "nothing.example", err: errNoName},
		{domain: "circle.example", want: "circle.example"},
	} {
		got, err := r.exchangers(t.Context(), c.domain, "mail.here.example")
		if strings.Join(got.names, " ") != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %v and %v, want %q and %v", c.domain, got.names, err, c.want, c.err)
		}
	}
}

// TestEqualPreference: servers of one preference share the load.
func TestEqualPreference(t *testing.T) {
	t.Parallel()
	first := map[string]bool{}
	for range 200 {
		var records []dns.RR
		for _, name := range []string{"a.example.", "b.example.", "c.example."} {
			records = append(records, &dns.MX{Preference: 10, Mx: name})
		}
		names, err := order(records, "")
		if err != nil {
			t.Fatal(err)
		}
		first[names[0]] = true
	}
	if len(first) != 3 {
		t.Errorf("of three equal servers, the first is always one of %v", first)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	z := newZone(t,
		"both.example. A 192.0.2.1", "both.example. A 192.0.2.2", "both.example. AAAA 2001:db8::1",
		"inside.example. A 127.0.0.1", "inside.example. A 10.0.0.1", "inside.example. AAAA ::1", "inside.example. AAAA fe80::1",
		"inside.example. AAAA ::ffff:127.0.0.1", "inside.example. A 100.64.0.1", "inside.example. A 0.0.0.0", "inside.example. AAAA fd00::1",
		"many.example. A 192.0.2.1",
		"alias.example. CNAME both.example.",
	)
	for range 20 {
		z.add(t, "many.example. A 192.0.2.9")
	}
	z.change(func() { z.broken["broken.example."] = true })
	r := z.resolver(t)
	for _, c := range []struct {
		name string
		want []string
		err  error
	}{
		{"both.example", []string{"2001:db8::1", "192.0.2.1", "192.0.2.2"}, nil},
		{"alias.example", []string{"2001:db8::1", "192.0.2.1", "192.0.2.2"}, nil},
		{"inside.example", nil, errNoHost},
		{"nothing.example", nil, errNoHost},
		{"broken.example", nil, errDNS},
	} {
		h, err := r.addresses(t.Context(), c.name, public)
		var got []string
		for _, ip := range h.addresses {
			got = append(got, ip.String())
		}
		if !cmp.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: got %v and %v, want %v and %v", c.name, got, err, c.want, c.err)
		}
	}
	if h, err := r.addresses(t.Context(), "many.example", public); err != nil || len(h.addresses) != maxAddresses {
		t.Errorf("got %d addresses and %v, want %d", len(h.addresses), err, maxAddresses)
	}
}

// TestResolver: truncated answers are asked for again by TCP, a server that fails
// is followed by the next, and DNSSEC is believed only where that was asked for.
func TestResolver(t *testing.T) {
	t.Parallel()
	z := newZone(t, "a.example. A 192.0.2.1")
	z.change(func() { z.short, z.signed = true, true })
	closed := listen(t)
	closed.Close()
	for _, c := range []struct {
		name    string
		servers []string
		trust   bool
	}{
		{"truncated", []string{z.address}, false},
		{"trusted", []string{z.address}, true},
		{"first server is down", []string{closed.Addr().String(), z.address}, true},
	} {
		r, err := NewResolver(c.servers, c.trust)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.lookup(t.Context(), "a.example", dns.TypeA)
		if err != nil || len(got.records) != 1 || got.secure != c.trust {
			t.Errorf("%s: got %v and %v, want one record, secure %v", c.name, got, err, c.trust)
		}
	}
	if _, err := NewResolver([]string{"127.0.0.1"}, false); err == nil {
		t.Error("a resolver without a port was taken")
	}
	if _, err := NewResolver(nil, false); err == nil {
		t.Error("no resolver was taken for one")
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		domain string
		want   netip.Addr
	}{
		{"[192.0.2.1]", netip.MustParseAddr("192.0.2.1")},
		{"[IPv6:2001:db8::1]", netip.MustParseAddr("2001:db8::1")},
		{"there.example", netip.Addr{}},
		{"192.0.2.1", netip.Addr{}},
	} {
		got, ok := literal(c.domain)
		if got != c.want || ok != c.want.IsValid() {
			t.Errorf("%s: got %v and %v, want %v", c.domain, got, ok, c.want)
		}
	}
}
