package listen

import "sync/atomic"

// Stats counts the connections of a Listener since it was made. It names nobody.
type Stats struct {
	Open     int64 // now, those in a handshake included
	Accepted int64 // taken in, whatever came of them
	Refused  int64 // by a limit, or because they came from no trusted proxy
	Broken   int64 // whose handshake or PROXY header failed
}

type counters struct{ accepted, refused, broken atomic.Int64 }

// Stats returns the counts so far.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	open := len(l.conns)
	l.mu.Unlock()
	return Stats{
		Open: int64(open), Accepted: l.counters.accepted.Load(), Refused: l.counters.refused.Load(), Broken: l.counters.broken.Load(),
	}
}
