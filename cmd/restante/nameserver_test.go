//go:build linux

package main

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// nameServer answers from the zones that were loaded.
type nameServer struct {
	address string

	mu      sync.Mutex
	records []dns.RR
	asked   []string
}

// questions lists the names that were asked for.
func (n *nameServer) questions() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	n := &nameServer{}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = packets.LocalAddr().String()
	server := &dns.Server{PacketConn: packets, Handler: n}
	ended := make(chan struct{})
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe() // its end is that of the test
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return n
}

// load adds a zone file. It must be one.
func (n *nameServer) load(t *testing.T, zone string) {
	t.Helper()
	p := dns.NewZoneParser(strings.NewReader(zone), "", "")
	n.mu.Lock()
	defer n.mu.Unlock()
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		n.records = append(n.records, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("%v in\n%s", err, zone)
	}
}

// ServeDNS implements dns.Handler.
func (n *nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	n.asked = append(n.asked, strings.ToLower(q.Question[0].Name))
	known := false
	for _, rr := range n.records {
		if !strings.EqualFold(rr.Header().Name, q.Question[0].Name) {
			continue
		}
		known = true
		if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m) // who asked will ask again
}
