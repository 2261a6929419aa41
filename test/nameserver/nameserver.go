// Package nameserver is a small DNS server for tests, on loopback. It answers from zone
// files, and notes what it was asked:
//
//	n := nameserver.Start(t)
//	n.Load(t, "$ORIGIN here.test.\n@ 60 MX 10 mx\n")
//	… ask n.Address …
//	n.Asked() // "here.test.", …
package nameserver

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server is a running server. It is safe for concurrent use.
type Server struct {
	Address string // host:port, by UDP

	mu        sync.Mutex
	records   []dns.RR
	asked     []string
	validates bool
}

// Start runs a server until the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Address: packets.LocalAddr().String()}
	engine := &dns.Server{PacketConn: packets, Handler: s}
	started, ended := make(chan struct{}), make(chan struct{})
	engine.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(ended)
		_ = engine.ActivateAndServe() // its end is that of the test
	}()
	<-started
	tb.Cleanup(func() {
		_ = engine.Shutdown()
		<-ended
	})
	return s
}

// Load adds the records of a zone file. It must be one.
func (s *Server) Load(tb testing.TB, zone string) {
	tb.Helper()
	records := Parse(tb, zone)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, records...)
}

// Parse returns the records of a zone file. It must be one.
func Parse(tb testing.TB, zone string) (records []dns.RR) {
	tb.Helper()
	p := dns.NewZoneParser(strings.NewReader(zone), "", "")
	for rr, more := p.Next(); more; rr, more = p.Next() {
		records = append(records, rr)
	}
	if err := p.Err(); err != nil {
		tb.Fatalf("%v in\n%s", err, zone)
	}
	return records
}

// Records returns all that was loaded.
func (s *Server) Records() []dns.RR {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Validate makes the server say that it has checked its answers with DNSSEC.
func (s *Server) Validate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.validates = true
}

// Asked returns the names that were asked for, in small letters, in order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

var _ dns.Handler = (*Server)(nil)

// ServeDNS implements dns.Handler. Who asks for something else gets the alias (CNAME) of
// the name, as resolvers give it.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	s.asked = append(s.asked, strings.ToLower(name))
	m := new(dns.Msg).SetReply(q)
	m.AuthenticatedData = s.validates
	m.Rcode = dns.RcodeNameError
	for _, rr := range s.records {
		if !strings.EqualFold(rr.Header().Name, name) {
			continue
		}
		m.Rcode = dns.RcodeSuccess
		if t := rr.Header().Rrtype; t == kind || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	_ = w.WriteMsg(m) // who asked asks again
}
