package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// MaxDebug is for how long an account can be debugged at a time.
const MaxDebug = 24 * time.Hour

// debugging is which accounts the operator has asked to be told more of. It lives in
// memory only, and ends by itself.
type debugging struct {
	any atomic.Bool // there are some: sessions ask for each command
	mu  sync.Mutex
	all map[AccountID]time.Time // until when
}

// Debug has the sessions of an account log their commands, without what these are
// about, for d from now; 0 ends it. It says in the log when it begins and when it
// ends. Errors: ErrNoAccount, and ErrName for a time that is longer than MaxDebug.
func (s *Service) Debug(ctx context.Context, id AccountID, d time.Duration) error {
	if _, err := s.store.Account(ctx, id); err != nil {
		return fmt.Errorf("debug account: %w", err)
	}
	if d < 0 || d > MaxDebug {
		return fmt.Errorf("debug account: %w: not a time up to %v", ErrName, MaxDebug)
	}
	s.debug.mu.Lock()
	defer s.debug.mu.Unlock()
	if s.debug.all == nil {
		s.debug.all = map[AccountID]time.Time{}
	}
	s.debug.all[id] = s.now().Add(d)
	s.debug.any.Store(true)
	if d > 0 {
		s.log.Warn("an account's commands are logged by the operator's wish", "account", id, "minutes", int(d.Minutes()))
	}
	return nil
}

// endDebug forgets what has ended, and says so.
func (s *Service) endDebug(now time.Time) {
	if !s.debug.any.Load() {
		return
	}
	s.debug.mu.Lock()
	defer s.debug.mu.Unlock()
	for id, until := range s.debug.all {
		if !now.Before(until) {
			delete(s.debug.all, id)
			s.log.Warn("an account's commands are logged no more", "account", id)
		}
	}
	s.debug.any.Store(len(s.debug.all) > 0)
}

// Debugged reports whether the operator has asked to see the session's commands in
// the log. What they are about must not be in it all the same.
func (x *Session) Debugged() bool {
	d := &x.own.svc.debug
	if !d.any.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	until, ok := d.all[x.own.id]
	return ok && x.own.svc.now().Before(until)
}
