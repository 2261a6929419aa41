package queue

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// A world is a router with the DNS, the network and the policy host that it sees.
type world struct {
	*router
	zone    *zone
	network *network
}

func newWorld(t testing.TB, signed bool, records ...string) *world {
	t.Helper()
	w := &world{zone: newZone(t, records...), network: &network{servers: map[string]string{}, silent: map[string]bool{}}}
	w.zone.change(func() { w.zone.signed = signed })
	r := w.zone.resolver(t)
	_, roots := certificate(t)
	w.router = &router{
		resolver: r, sts: newPolicies(r, nil, time.Now), hello: "mail.here.example", tls: roots, port: 25, usable: public,
		dialer:   &dialer{direct: w.network.dial, timeout: 200 * time.Millisecond},
		timeouts: Timeouts{}.withDefaults(),
	}
	return w
}

// try connects and says what came of it.
func (w *world) try(t *testing.T, n need) (*client, error) {
	t.Helper()
	c, err := w.connect(t.Context(), n)
	if err == nil {
		t.Cleanup(c.close)
	}
	return c, err
}

func there() need { return need{domain: "there.example"} }

// TestFallback: servers are tried in order, each at all its addresses, until one
// works.
func TestFallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false,
		"there.example. MX 10 mx2.there.example.", "there.example. MX 20 mx.there.example.",
		"mx2.there.example. A 192.0.2.1", "mx2.there.example. AAAA 2001:db8::1",
		"mx.there.example. A 192.0.2.2", "mx.there.example. AAAA 2001:db8::2")
	w.network.silent["2001:db8::2"] = true
	if _, err := w.try(t, there()); !errors.Is(err, errNotThere) && !errors.Is(err, errNoAnswer) {
		t.Errorf("nobody is there: got %v", err)
	}
	w.network.servers["192.0.2.2:25"] = newSink(t).address
	c, err := w.try(t, there())
	if err != nil || !c.verified {
		t.Fatalf("got %v and %v, want a verified connection to the last address", c, err)
	}
}

// TestTLSWanted: what a server must prove, and what happens when it can't.
func TestTLSWanted(t *testing.T) {
	t.Parallel()
	noTLS := func(s *smtp.Server) { s.TLSConfig = nil }
	for _, c := range []struct {
		name         string
		level        TLSLevel
		need         need
		host         string // of the MX record
		change       func(*smtp.Server)
		want         error
		tls, checked bool
	}{
		{name: "verified", host: "mx.there.example", tls: true, checked: true},
		{name: "other name", host: "else.there.example", want: errCertName},
		{name: "no TLS", host: "mx.there.example", change: noTLS, want: errNoTLS},
		{name: "encrypted", level: TLSEncrypted, host: "else.there.example", tls: true},
		{name: "encrypted, no TLS", level: TLSEncrypted, host: "mx.there.example", change: noTLS, want: errNoTLS},
		{name: "opportunistic", level: TLSOpportunistic, host: "else.there.example", tls: true},
		{name: "opportunistic, no TLS", level: TLSOpportunistic, host: "mx.there.example", change: noTLS},
		{name: "required", level: TLSOpportunistic, need: need{domain: "there.example", requireTLS: true}, host: "else.there.example", want: errCertName},
		{name: "self-signed relay", need: need{domain: "_there.example"}, host: "else.there.example", tls: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.need.domain == "" {
				c.need = there()
			}
			w := newWorld(t, false, fmt.Sprintf("%s. MX 10 %s.", c.need.domain, c.host), c.host+". A 192.0.2.1")
			w.level = c.level
			if c.change == nil {
				c.change = func(*smtp.Server) {}
			}
			w.network.servers["192.0.2.1:25"] = newSink(t, c.change).address
			got, err := w.try(t, c.need)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && (got.secure != c.tls || got.verified != c.checked) {
				t.Errorf("got TLS %v, verified %v, want %v and %v", got.secure, got.verified, c.tls, c.checked)
			}
		})
	}
}

// TestOpportunisticHandshake: a server whose TLS is broken gets mail without it,
// on a new connection, where no more is asked for.
func TestOpportunisticHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false, "there.example. A 192.0.2.1")
	s := newSink(t, func(s *smtp.Server) {
		s.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}
	})
	w.network.servers["192.0.2.1:25"] = s.address
	if _, err := w.try(t, there()); !errors.Is(err, errHandshake) {
		t.Errorf("by default: got %v, want errHandshake", err)
	}
	w.level = TLSOpportunistic
	c, err := w.try(t, there())
	if err != nil || c.secure {
		t.Fatalf("opportunistic: got %v and %v, want a connection without TLS", c, err)
	}
}

func TestSTSEnforced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode string
		want error
	}{{"enforce", errSTSName}, {"testing", nil}, {"none", nil}} {
		w := newWorld(t, false, "there.example. MX 10 mx2.there.example.", "mx2.there.example. A 192.0.2.1", `_mta-sts.there.example. TXT "v=STSv1; id=1"`)
		h := newPolicyHost(t, strings.Replace(goodPolicy, "enforce", c.mode, 1))
		w.sts = newPolicies(w.resolver, h.transport(t), time.Now)
		w.network.servers["192.0.2.1:25"] = newSink(t).address
		if _, err := w.try(t, there()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.mode, err, c.want)
		}
	}
}

// TestDANE: TLSA records decide, where DNSSEC vouches for all the answers.
func TestDANE(t *testing.T) {
	t.Parallel()
	pair, err := testCertificate()
	if err != nil {
		t.Fatal(err)
	}
	key, whole := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo), sha512.Sum512(pair.Leaf.Raw)
	pinKey, pinWhole, exact := hex.EncodeToString(key[:]), hex.EncodeToString(whole[:]), hex.EncodeToString(pair.Leaf.Raw)
	other := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name    string
		host    string
		tlsa    []string
		plain   string // a name that DNSSEC does not vouch for
		level   TLSLevel
		want    error
		checked bool
	}{
		{name: "key of a server without a good certificate", host: "else.there.example", tlsa: []string{"3 1 1 " + pinKey}, checked: true},
		{name: "certificate by SHA-512", host: "else.there.example", tlsa: []string{"3 0 2 " + pinWhole}, checked: true},
		{name: "certificate itself", host: "else.there.example", tlsa: []string{"3 0 0 " + exact}, checked: true},
		{name: "one of several", host: "else.there.example", tlsa: []string{"3 1 1 " + other, "3 1 1 " + pinKey}, checked: true},
		{name: "another key", host: "mx.there.example", tlsa: []string{"3 1 1 " + other}, level: TLSOpportunistic, want: errCertPin},
		{name: "authority", host: "mx.there.example", tlsa: []string{"2 1 1 " + pinKey}, checked: true},
		{name: "authority, another name", host: "else.there.example", tlsa: []string{"2 1 1 " + pinKey}, want: errCertName},
		{name: "unusable", host: "else.there.example", tlsa: []string{"1 1 1 " + other}, level: TLSOpportunistic},
		{name: "unusable beside usable", host: "mx.there.example", tlsa: []string{"0 0 1 " + pinKey, "3 1 1 " + other}, want: errCertPin},
		{name: "unsigned TLSA", host: "mx.there.example", tlsa: []string{"3 1 1 " + other}, plain: "_25._tcp.mx.there.example.", checked: true},
		{name: "unsigned address", host: "mx.there.example", tlsa: []string{"3 1 1 " + other}, plain: "mx.there.example.", checked: true},
		{name: "unsigned MX", host: "mx.there.example", tlsa: []string{"3 1 1 " + other}, plain: "there.example.", checked: true},
		{name: "none", host: "mx.there.example", checked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, true, "there.example. MX 10 "+c.host+".", c.host+". A 192.0.2.1")
			for _, data := range c.tlsa {
				w.zone.add(t, "_25._tcp."+c.host+". TLSA "+data)
			}
			w.zone.change(func() { w.zone.plain[c.plain] = true })
			w.resolver = w.zone.resolver(t)
			w.level = c.level
			w.network.servers["192.0.2.1:25"] = newSink(t).address
			got, err := w.try(t, there())
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && (!got.secure || got.verified != c.checked) {
				t.Errorf("got TLS %v, verified %v, want TLS, verified %v", got.secure, got.verified, c.checked)
			}
		})
	}
}

// TestDANEUnknown: when TLSA records can't be read, who interferes must not get
// the mail (RFC 7672, 2.1.2).
func TestDANEUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true, "there.example. MX 10 mx.there.example.", "mx.there.example. A 192.0.2.1")
	w.zone.change(func() { w.zone.broken["_25._tcp.mx.there.example."] = true })
	w.resolver = w.zone.resolver(t)
	w.network.servers["192.0.2.1:25"] = newSink(t).address
	if _, err := w.try(t, there()); !errors.Is(err, errTLSLookup) {
		t.Errorf("got %v, want errTLSLookup", err)
	}
}

func TestUnreachableDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false, "inside.example. MX 10 localhost.example.", "localhost.example. A 127.0.0.1", "text.example. TXT hello")
	for _, c := range []struct {
		domain string
		want   error
	}{
		{"inside.example", errNoHost},
		{"nothing.example", errNoName},
		{"text.example", errNoName},
		{"[192.0.2.1]", errLiteral},
		{"abc.onion", errNoProxy},
	} {
		if _, err := w.try(t, need{domain: c.domain}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.domain, err, c.want)
		}
	}
	for _, q := range w.zone.questions() {
		if strings.Contains(q, "onion") || strings.Contains(q, "[") {
			t.Errorf("the resolver was asked for %q", q)
		}
	}
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.literals = true
	w.network.servers["192.0.2.1:25"] = newSink(t).address
	if c, err := w.try(t, need{domain: "[192.0.2.1]"}); err != nil || !c.secure {
		t.Errorf("got %v and %v, want a connection with TLS", c, err)
	}
	if _, err := w.try(t, need{domain: "[127.0.0.1]"}); !errors.Is(err, errLiteral) {
		t.Errorf("loopback: got %v, want errLiteral", err)
	}
}

// TestRelayHost: everything goes to the relay host, with a login and a certificate
// that is checked, and nobody else is asked.
func TestRelayHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		port     int
		host     string
		password string
		want     string
	}{
		{"STARTTLS", 587, "relayhost.example", "secret", ""},
		{"TLS from the first byte", 465, "relayhost.example", "secret", ""},
		{"wrong password", 587, "relayhost.example", "wrong", "queue: the login refused with 535 5.7.8"},
		{"wrong certificate", 587, "else.example", "secret", errCertName.Error()},
		{"wrong certificate, TLS", 465, "else.example", "secret", errCertName.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, false, c.host+". A 10.0.0.1")
			w.level = TLSOpportunistic
			w.relay = &RelayHost{Name: c.host, Port: c.port, User: "here", Password: c.password}
			s := newSink(t)
			to := s.address
			if c.port == implicitTLS {
				to = tlsListener(t, s)
			}
			w.network.servers["10.0.0.1:"+strconv.Itoa(c.port)] = to
			cl, err := w.try(t, there())
			if got := fmt.Sprint(err); err != nil && got != c.want || err == nil && (c.want != "" || !cl.verified) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			for _, q := range w.zone.questions() {
				if !strings.HasPrefix(q, c.host) {
					t.Errorf("the resolver was asked for %q", q)
				}
			}
		})
	}
}

// tlsListener makes a sink speak TLS from the first byte, at the address returned.
func tlsListener(t *testing.T, s *sink) string {
	t.Helper()
	ln := listen(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(tls.NewListener(ln, s.TLSConfig)) // its end is that of the test
	}()
	t.Cleanup(func() {
		ln.Close()
		<-ended
	})
	return ln.Addr().String()
}

// TestOnion: mail to an onion service goes through the proxy alone, which gets the
// name, and no resolver ever hears of it.
func TestOnion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	p := newSocks(t, map[string]string{"abc.onion:25": newSink(t).address})
	d, err := newDialer(p.Address, false, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	d.direct = func(context.Context, string, string) (net.Conn, error) {
		t.Error("something was reached without the proxy")
		return nil, errUnreachable
	}
	w.dialer = d
	if _, err := w.try(t, need{domain: "abc.onion"}); err != nil {
		t.Error(err)
	}
	if _, err := w.try(t, need{domain: "def.onion"}); !errors.Is(err, errProxy) {
		t.Errorf("a name that the proxy does not know: got %v, want errProxy", err)
	}
	if want := []string{"abc.onion:25", "def.onion:25"}; !slices.Equal(p.Asked(), want) {
		t.Errorf("the proxy was asked for %v, want %v", p.Asked(), want)
	}
	if got := w.zone.questions(); len(got) > 0 {
		t.Errorf("the resolver was asked for %v", got)
	}
}

// TestProxyForAll: with the proxy for everything, DNS goes through it as well.
func TestProxyForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false, "there.example. MX 10 mx.there.example.", "mx.there.example. A 192.0.2.1")
	p := newSocks(t, map[string]string{"192.0.2.1:25": newSink(t).address, w.zone.address: w.zone.address})
	d, err := newDialer(p.Address, true, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	d.direct = nil
	w.dialer, w.resolver = d, w.resolver.through(d.proxy)
	w.sts.resolver = w.resolver
	if _, err := w.try(t, there()); err != nil {
		t.Error(err)
	}
	if got := p.Asked(); !slices.Contains(got, "192.0.2.1:25") || !slices.Contains(got, w.zone.address) {
		t.Errorf("the proxy was asked for %v, want the resolver and the server among them", got)
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8::1": true, "127.0.0.1": false, "::1": false, "10.1.2.3": false, "192.168.0.1": false,
		"169.254.169.254": false, "fe80::1": false, "fd00::1": false, "0.0.0.0": false, "224.0.0.1": false, "100.100.0.1": false, "255.255.255.255": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
