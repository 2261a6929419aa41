package mailbox

import (
	"context"
	"fmt"
	"time"
)

// The days before its end on which the owner of an account that nobody uses is
// reminded of it: by a push message, if his devices take any, and at his next login.
const (
	firstReminder  = 14
	secondReminder = 3
)

// retire removes an account that nobody has used for the term, or sees to it that
// its owner is reminded. from is the day of the last look.
func (s *Service) retire(ctx context.Context, row Account, from, day Day) (gone bool, err error) {
	if s.o.Terms.Idle == 0 || row.State != Active { // one that is disabled is the operator's affair
		return false, nil
	}
	term, err := s.idleTerm(ctx, row, day)
	if err != nil {
		return false, err
	}
	left := row.Seen + term - day
	if left > 0 {
		if then := left + day - from; s.o.Remind != nil && reminded(then, left) {
			s.o.Remind(row.ID, int(left))
		}
		return false, nil
	}
	if own := s.ring.get(row.ID); own != nil {
		return false, nil // its session will be noted
	}
	if row, err = s.store.Account(ctx, row.ID); err != nil || row.Seen+term > day {
		return false, err // somebody came meanwhile, at another node
	}
	if err := s.RemoveAccount(ctx, row.ID); err != nil {
		return false, err
	}
	s.log.Info("removed an account that nobody used", "account", row.ID, "days", int64(day-row.Seen))
	return true, nil
}

// idleTerm returns after how many days without use an account goes. It looks into the
// account only when its end may be near.
func (s *Service) idleTerm(ctx context.Context, row Account, day Day) (Day, error) {
	t := s.o.Terms
	if short := Day(t.Idle); row.Seen+short-day > firstReminder || t.Kept <= t.Idle {
		return short, nil
	}
	boxes, err := s.store.Mailboxes(ctx, row.ID)
	if err != nil {
		return 0, err
	}
	return Day(t.idleDays(newHolding(row, boxes, nil).keepsBackup())), nil
}

// reminded reports whether the days left have come down to one of the reminders.
func reminded(before, left Day) bool {
	return before > firstReminder && left <= firstReminder || before > secondReminder && left <= secondReminder
}

// alert is what the owner of an account is told at login, if it was about to end.
func (t Terms) alert(row *Account, day Day) string {
	unused := day - row.Seen
	if t.Idle == 0 || row.Seen == 0 || Day(t.Idle)-unused > firstReminder {
		return ""
	}
	text := fmt.Sprintf("Nobody has used this account for %d days. After %d days without a login an account is deleted with all its mail", unused, t.Idle)
	if t.Kept > t.Idle {
		text += fmt.Sprintf(", or after %d if a gateway keeps its backup there", t.Kept)
	}
	return text + "."
}

// Alert is what the owner should be told first, in one line; "" is nothing.
func (x *Session) Alert() string { return x.alert }

// seenBatch is how many accounts are marked in one transaction.
const seenBatch = 500

// markSeen notes which accounts are in use, each once a day.
func (s *Service) markSeen(ctx context.Context, now time.Time) {
	if s.o.Terms.Idle == 0 || now.Before(s.expiry.seenAgain) {
		return
	}
	day := s.today()
	open := s.ring.where(func(own *owner) bool { return own.seen != day && (own.seen == 0 || len(own.sessions) > 0) })
	for len(open) > 0 {
		some := open[:min(seenBatch, len(open))]
		open = open[len(some):]
		ids := make([]AccountID, len(some))
		for i, own := range some {
			ids[i] = own.id
		}
		if err := s.store.MarkSeen(ctx, ids, day); err != nil {
			s.expiry.seenAgain = now.Add(time.Minute)
			s.complain(ctx, "note that accounts are in use", 0, err)
			return
		}
		s.ring.seen(some, day)
	}
}

// seen remembers that accounts were marked.
func (r *keyring) seen(owners []*owner, day Day) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, own := range owners {
		own.seen = day
	}
}
