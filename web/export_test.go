package web

import (
	"strconv"
	"time"

	"github.com/restante/restante/mailbox"
)

// Seams for the tests in package web_test.

// What is not exported, for tests of its own. They are variables because a function
// whose name begins with Test is taken for a test.
var (
	TestOnlyZeroBits = func(ticket, work string) int { return proof{ticket, work}.zeroBits() }
	TestOnlyWork     = findWork
)

// findWork does the work for a ticket.
func findWork(ticket string, bits int) string {
	for n := 0; ; n++ {
		p := proof{ticket, strconv.Itoa(n)}
		if p.zeroBits() >= bits {
			return p.work
		}
	}
}

// TestOnlyOffer asks for a ticket.
func (g *Signup) TestOnlyOffer(peer mailbox.Peer) (ticket string, wait time.Duration, never bool, bits int) {
	o := g.offer(peer)
	return o.Ticket, o.Wait, o.Never, o.Bits
}

// TestOnlySweep does what Serve does from time to time.
func (s *Server) TestOnlySweep() { s.visits.sweep() }

// TestOnlyVisits counts the people who are logged in.
func (s *Server) TestOnlyVisits() int {
	s.visits.mu.Lock()
	defer s.visits.mu.Unlock()
	return len(s.visits.all)
}
