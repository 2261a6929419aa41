package mailbox

import (
	"errors"
	"sync/atomic"
)

// Stats counts what a Service has done since it was made. It names nobody.
type Stats struct {
	Logins  int64 // that were let in
	Refused int64 // logins with a wrong secret or user name
	Busy    int64 // logins that were put off, because too many wait
	Kept    int64 // messages, once for each recipient here
	Sent    int64 // messages put into the queue, once for each recipient elsewhere
}

type counters struct{ logins, refused, busy, kept, sent atomic.Int64 }

// login counts a try to log in.
func (c *counters) login(err error) {
	switch {
	case err == nil:
		c.logins.Add(1)
	case errors.Is(err, ErrAuth):
		c.refused.Add(1)
	case errors.Is(err, ErrBusy), errors.Is(err, ErrThrottled):
		c.busy.Add(1)
	}
}

// Stats returns the counts so far.
func (s *Service) Stats() Stats {
	c := &s.counts
	return Stats{Logins: c.logins.Load(), Refused: c.refused.Load(), Busy: c.busy.Load(), Kept: c.kept.Load(), Sent: c.sent.Load()}
}
