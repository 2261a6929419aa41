package mta

import "sync/atomic"

// Stats counts what a Server has done with messages since it was made. It names
// nobody.
type Stats struct {
	Submission, Exchange Outcomes
}

// Outcomes counts messages by what became of them at the end of DATA or BDAT.
type Outcomes struct {
	Kept     int64 // durable, here or in the queue
	Gated    int64 // refused because they are not encrypted (523)
	Refused  int64 // refused for good for another reason (5xx)
	Deferred int64 // told to come back (4xx)
}

// counters are the Outcomes of one role while they are counted.
type counters struct{ kept, gated, refused, deferred atomic.Int64 }

// count takes the outcome of one message.
func (c *counters) count(err error) {
	if err == nil {
		c.kept.Add(1)
		return
	}
	switch code := replyTo(err, outcomes).code; {
	case code == gateCode:
		c.gated.Add(1)
	case code >= 500:
		c.refused.Add(1)
	default:
		c.deferred.Add(1)
	}
}

func (c *counters) read() Outcomes {
	return Outcomes{Kept: c.kept.Load(), Gated: c.gated.Load(), Refused: c.refused.Load(), Deferred: c.deferred.Load()}
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	return Stats{Submission: s.counts[submission].read(), Exchange: s.counts[exchange].read()}
}
