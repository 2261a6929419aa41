package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// lookEvery is how often the terms are carried out.
const lookEvery = time.Hour

// expiry is what the service remembers of carrying out its terms.
type expiry struct {
	mu   sync.Mutex // held by carryOut
	aged Day        // the day for which all mail was judged by its age
	idle Day        // the day for which all accounts were judged by their use

	tidied Day // the day on which the store was tidied last

	crowded chan AccountID // accounts that a delivery made too full

	seenAgain time.Time // of keepHouse: when to try again to note which accounts are in use
}

// Terms returns how long the service keeps mail and accounts.
func (s *Service) Terms() Terms { return s.o.Terms }

// Outlook says what an account will lose next. Errors: ErrNoAccount.
func (s *Service) Outlook(ctx context.Context, id AccountID) (Outlook, error) {
	row, err := s.store.Account(ctx, id)
	if err != nil {
		return Outlook{}, fmt.Errorf("outlook: %w", err)
	}
	h, err := s.holding(ctx, row)
	if err != nil {
		return Outlook{}, fmt.Errorf("outlook: %w", err)
	}
	return h.outlook(s.o.Terms), nil
}

func (s *Service) holding(ctx context.Context, row Account) (*holding, error) {
	boxes, err := s.store.Mailboxes(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	mail, err := s.store.Ages(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	return newHolding(row, boxes, mail), nil
}

// KeepTerms carries out the terms until ctx ends, and returns nil then: once an hour
// for all accounts, and soon for those that are too full and get mail. Several nodes
// may do it on one store. Without it nothing goes.
func (s *Service) KeepTerms(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	s.carryOut(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.carryOut(ctx)
		case <-s.space.wake:
			s.carryOut(ctx)
		case id := <-s.expiry.crowded:
			s.makeRoom(ctx, id)
		}
	}
}

// carryOut looks at all accounts. What fails is tried again an hour later.
func (s *Service) carryOut(ctx context.Context) {
	s.expiry.mu.Lock()
	defer s.expiry.mu.Unlock()
	day, err := s.lookAtCalendar(ctx)
	if err != nil {
		s.complain(ctx, "look at the calendar", 0, err)
		return
	}
	whole := true
	err = s.store.Accounts(ctx, func(row Account) error {
		if err := s.carryOutFor(ctx, row, day); err != nil {
			whole = false
			s.complain(ctx, "expire", row.ID, err)
		}
		return ctx.Err()
	})
	if err != nil {
		s.complain(ctx, "expire", 0, err)
		return
	}
	if whole {
		s.expiry.aged, s.expiry.idle = day, day
	}
	if s.expiry.tidied != day {
		s.tidy(ctx, day)
	}
}

// keptExpunges is how many ranges of expunged UIDs a mailbox remembers. A client
// whose knowledge is older gets the whole list (RFC 7162, 3.2.5.2).
const keptExpunges = 1000

// tidy forgets, once a day, what nobody will ask for again. A store that can't
// forget expunges remembers them all.
func (s *Service) tidy(ctx context.Context, day Day) {
	err := s.store.ExpirePushTokens(ctx, day-PushDays+1)
	if t, ok := s.o.Store.(interface {
		TrimVanished(ctx context.Context, keep int) error
	}); ok && err == nil {
		err = t.TrimVanished(ctx, keptExpunges)
	}
	if err != nil {
		s.complain(ctx, "tidy the store", 0, err)
		return
	}
	s.expiry.tidied = day
}

func (s *Service) carryOutFor(ctx context.Context, row Account, day Day) error {
	if s.expiry.idle != day {
		if gone, err := s.retire(ctx, row, s.expiry.idle, day); gone || err != nil {
			return err
		}
	}
	if row.Used.Messages == 0 || s.expiry.aged == day && !row.crowded(s.o.Terms.High) {
		return nil
	}
	return s.expire(ctx, row, day)
}

// expire deletes what of an account is overdue, and then what makes room.
func (s *Service) expire(ctx context.Context, row Account, day Day) error {
	h, err := s.holding(ctx, row)
	if err != nil {
		return err
	}
	if err := s.delete(ctx, row.ID, h.overdue(s.o.Terms, day)); err != nil {
		return err
	}
	if !row.crowded(s.o.Terms.High) {
		return nil
	}
	if row, err = s.store.Account(ctx, row.ID); err != nil {
		return err
	}
	if h, err = s.holding(ctx, row); err != nil {
		return err
	}
	return s.delete(ctx, row.ID, h.crowdedOut(s.o.Terms))
}

func (s *Service) delete(ctx context.Context, id AccountID, list []doomed) error {
	for _, d := range list {
		_, err := s.expunge(ctx, id, d.mbox, ExpungeRequest{Set: d.set, Spare: d.spare})
		if err != nil && !errors.Is(err, ErrNoMailbox) {
			return err
		}
	}
	return nil
}

// noteCrowded has room made soon in an account to which mail comes although it is
// too full. If too many are waiting, the next hour is soon enough.
func (s *Service) noteCrowded(row *Account) {
	if !row.crowded(s.o.Terms.High) {
		return
	}
	select {
	case s.expiry.crowded <- row.ID:
	default:
	}
}

// makeRoom looks at one account that was too full a moment ago.
func (s *Service) makeRoom(ctx context.Context, id AccountID) {
	row, err := s.store.Account(ctx, id)
	if err == nil && row.crowded(s.o.Terms.High) {
		err = s.expire(ctx, row, s.today())
	}
	if err != nil && !errors.Is(err, ErrNoAccount) {
		s.complain(ctx, "make room", id, err)
	}
}

// complain logs what went wrong, unless it is that the service ends.
func (s *Service) complain(ctx context.Context, what string, id AccountID, err error) {
	if ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		s.log.Error(what, "account", id, "error", err)
	}
}
