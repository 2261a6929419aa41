package queue

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

// A zone is a DNS server on loopback, for tests.
type zone struct {
	address string

	mu      sync.Mutex
	records map[string][]dns.RR // by name
	broken  map[string]bool     // names for which it says SERVFAIL
	plain   map[string]bool     // names that it does not vouch for
	signed  bool                // it validates
	short   bool                // it truncates over UDP
	asked   []string
}

// newZone starts a server that knows the records given, in the form of zone files.
func newZone(tb testing.TB, records ...string) *zone {
	tb.Helper()
	z := &zone{records: map[string][]dns.RR{}, broken: map[string]bool{}, plain: map[string]bool{}}
	z.add(tb, records...)
	ln, packets := listenBoth(tb)
	z.address = ln.Addr().String()
	z.serve(tb, &dns.Server{PacketConn: packets, Handler: z})
	z.serve(tb, &dns.Server{Listener: ln, Handler: z})
	return z
}

// listenBoth returns listeners for TCP and UDP on one port. Another test may have
// the second of the pair.
func listenBoth(tb testing.TB) (net.Listener, net.PacketConn) {
	tb.Helper()
	for range 50 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", ln.Addr().String())
		if err == nil {
			return ln, packets
		}
		ln.Close()
	}
	tb.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

func (z *zone) serve(tb testing.TB, s *dns.Server) {
	tb.Helper()
	ready, ended := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	go func() {
		defer close(ended)
		_ = s.ActivateAndServe() // its end is that of the test
	}()
	<-ready
	tb.Cleanup(func() {
		s.Shutdown()
		<-ended
	})
}

func (z *zone) add(tb testing.TB, records ...string) {
	tb.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			tb.Fatal(err)
		}
		name := strings.ToLower(rr.Header().Name)
		z.records[name] = append(z.records[name], rr)
	}
}

// change alters the zone while it answers.
func (z *zone) change(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

// ServeDNS implements dns.Handler.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name := strings.ToLower(q.Question[0].Name)
	z.asked = append(z.asked, name+" "+dns.TypeToString[q.Question[0].Qtype])
	m := new(dns.Msg).SetReply(q)
	m.AuthenticatedData = z.signed && q.AuthenticatedData && !z.plain[name]
	switch {
	case z.broken[name]:
		m.Rcode = dns.RcodeServerFailure
	case z.records[name] == nil:
		m.Rcode = dns.RcodeNameError
	case z.short && w.LocalAddr().Network() == "udp":
		m.Truncated = true
	default:
		z.answer(m, name, q.Question[0].Qtype)
	}
	_ = w.WriteMsg(m)
}

func (z *zone) answer(m *dns.Msg, name string, kind uint16) {
	for _, rr := range z.records[name] {
		if rr.Header().Rrtype == kind {
			m.Answer = append(m.Answer, rr)
		}
		if alias, ok := rr.(*dns.CNAME); ok && kind != dns.TypeCNAME && len(m.Answer) < 20 {
			m.Answer = append(m.Answer, rr)
			z.answer(m, alias.Target, kind)
		}
	}
}

// questions returns what was asked since the last call.
func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := z.asked
	z.asked = nil
	return asked
}

func (z *zone) resolver(tb testing.TB) *Resolver {
	tb.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	r, err := NewResolver([]string{z.address}, z.signed)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// A network is where the servers of a test are: their real addresses by those in
// DNS. Elsewhere, connections are refused, or get no answer.
type network struct {
	servers map[string]string // "192.0.2.1:25" to a listener's address
	silent  map[string]bool

	mu    sync.Mutex // held for what changes while it is used
	dials int
}

// set puts a server in a place, or "" for none.
func (n *network) set(place, server string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.servers[place] = server; server == "" {
		delete(n.servers, place)
	}
}

// dialled returns how many connections were tried.
func (n *network) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

func (n *network) at(place string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	server, ok := n.servers[place]
	return server, ok
}

// dial implements dialFunc.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if n.silent[ap.Addr().String()] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	to, ok := n.at(ap.String())
	if !ok {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to)
}
