package imapd

import "sync/atomic"

// Stats counts what a Server does. It names nobody.
type Stats struct {
	Sessions int64 // logged in now
	Accounts int64 // that they belong to
	Commands int64 // since the Server was made
	Messages int64 // whose bodies were sent, wholly or in part, since then
}

type counters struct{ commands, messages atomic.Int64 }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	st := Stats{Commands: s.counts.commands.Load(), Messages: s.counts.messages.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.accounts {
		st.Sessions += int64(n)
		st.Accounts++
	}
	return st
}
