package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// sweepEvery is how often the service looks for what has to end.
	sweepEvery = time.Second
	// recheckAfter is within which time a credential that another node has
	// replaced stops opening sessions here, and within which idling clients learn
	// of what it has changed, hint or no hint (DESIGN §8.8).
	recheckAfter = 25 * time.Second
	// recheckHinted is the same after a hint. A hint doesn't say what changed,
	// and most are about mail.
	recheckHinted = 5 * time.Second
)

// keepHouse sweeps until ctx ends.
func (s *Service) keepHouse(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sweep(ctx)
		}
	}
}

// sweep forgets keys and tables whose last user went long enough ago, and what was
// kept of the directory, and checks that the credentials behind open sessions are
// still there.
func (s *Service) sweep(ctx context.Context) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	now := s.now()
	s.lookAtSpace(ctx, now)
	s.endDebug(now)
	s.recall.forget()
	for _, own := range s.ring.stale(now.Add(-s.o.Limits.Linger)) {
		s.forget(own)
		s.scrub.closed(now)
	}
	s.scrub.run(now)
	for _, own := range s.ring.list() {
		own.tables.sweep(now.Add(-s.o.Limits.Linger))
	}
	s.markSeen(ctx, now)
	for _, own := range s.ring.due(now) {
		if err := s.check(ctx, own); err != nil && ctx.Err() == nil {
			s.log.Error("check credentials of open sessions", "account", own.id, "error", err)
		}
	}
}

// stale lists the accounts that have had no session since then.
func (r *keyring) stale(since time.Time) []*owner {
	return r.where(func(own *owner) bool { return len(own.sessions) == 0 && !own.idleSince.After(since) })
}

// due lists the accounts whose sessions should be checked.
func (r *keyring) due(now time.Time) []*owner {
	return r.where(func(own *owner) bool {
		age := now.Sub(own.checked)
		return len(own.sessions) > 0 && (age >= recheckAfter || age >= recheckHinted && own.checkedAt != own.epoch.Load())
	})
}

func (r *keyring) list() []*owner { return r.where(func(*owner) bool { return true }) }

func (r *keyring) where(wanted func(*owner) bool) []*owner {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []*owner
	for _, own := range r.owners {
		if wanted(own) {
			list = append(list, own)
		}
	}
	return list
}

// recheck ends the sessions of an account that may not go on, after a change of
// this process's own making.
func (s *Service) recheck(ctx context.Context, id AccountID) error {
	own := s.ring.get(id)
	if own == nil {
		return nil
	}
	return s.check(ctx, own)
}

// check ends the sessions of an account that was disabled, removed given new keys,
// or is to get some, and those whose credential is gone. It also makes up for hints that were
// lost.
func (s *Service) check(ctx context.Context, own *owner) error {
	epoch := own.epoch.Load()
	row, rows, err := s.credentialsOf(ctx, own.id)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return fmt.Errorf("read credentials: %w", err)
	}
	if err != nil || row.State != Active || row.RotateDue || row.Key.Generation != own.sealer.Generation {
		s.forget(own)
		return nil
	}
	if own.change.Swap(uint64(row.Change)) != uint64(row.Change) {
		own.changed()
		epoch++ // this is no reason to check again
	}
	s.ring.checked(own, rows, s.now(), epoch)
	return nil
}

// checked ends the sessions and forgets the logins whose credential is not among
// rows.
func (r *keyring) checked(own *owner, rows []Credential, now time.Time, epoch uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := range own.sessions {
		if !x.login.among(rows) {
			x.revoke()
		}
	}
	for t, l := range r.logins {
		if l.account == own.id && !l.among(rows) {
			delete(r.logins, t)
		}
	}
	own.checked, own.checkedAt = now, epoch
}

// forget drops an account's keys and tables, and ends its sessions.
func (s *Service) forget(own *owner) {
	s.ring.drop(own)
	own.tables.clear()
}
