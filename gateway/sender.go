package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

const (
	retryFirst = 10 * time.Second
	retryMost  = 5 * time.Minute
	// giveUpAfter is how long a mail is tried (RFC 5321, 4.5.4.1 asks for four days at least).
	giveUpAfter = 5 * 24 * time.Hour
)

// retryAfter returns how long to wait after so many attempts without success.
func retryAfter(attempts int) time.Duration {
	d := retryFirst
	for range attempts - 1 {
		if d *= 2; d >= retryMost {
			return retryMost
		}
	}
	return d
}

// sender hands what is in the outbox to the provider.
type sender struct {
	box    *outbox
	submit func(ctx context.Context, from addr.Address, to []addr.Address, msg io.Reader) error
	report func(ctx context.Context, item Outgoing) error // tells the user of parts that are lost
	now    func() time.Time
	log    *slog.Logger
	wake   chan struct{}
	all    atomic.Bool // the next round tries all, due or not
}

// retry makes the sender try everything at once: the provider can be reached again.
func (s *sender) retry() {
	s.all.Store(true)
	s.kick()
}

// kick makes the sender look at the outbox at once.
func (s *sender) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends, then returns nil. Errors are those of the vault.
func (s *sender) run(ctx context.Context) error {
	for {
		next, err := s.round(ctx, s.all.Swap(false))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("send mail: %w", err)
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// round tries every mail that is due, or every mail, and returns how long nothing
// will be.
func (s *sender) round(ctx context.Context, all bool) (time.Duration, error) {
	items, err := s.box.list()
	if err != nil {
		return 0, err
	}
	next := time.Hour // somebody's clock may be set, so it is looked at from time to time
	for _, item := range items {
		if wait := item.Next.Sub(s.now()); wait > 0 && !all {
			next = min(next, wait)
			continue
		}
		if err := s.try(ctx, &item); err != nil {
			return 0, err
		}
		if !item.done() {
			next = min(next, item.Next.Sub(s.now()))
		}
	}
	return max(next, 0), nil
}

// done reports whether nothing is left to try.
func (o *Outgoing) done() bool {
	for _, p := range o.Parts {
		if !p.settled() {
			return false
		}
	}
	return true
}

// try sends what is left of one mail and keeps the outcome. What the provider has
// taken is marked before the next part is tried.
func (s *sender) try(ctx context.Context, item *Outgoing) error {
	for i := range item.Parts {
		p := &item.Parts[i]
		if p.settled() {
			continue
		}
		err := s.send(ctx, item.From, *p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		item.settle(p, err, s.now())
		if err := s.box.save(*item); err != nil {
			return err
		}
	}
	if !item.done() {
		item.Attempts++
		item.Next = s.now().Add(retryAfter(item.Attempts))
		s.log.Warn("mail is still in the outbox", "id", item.ID, "attempts", item.Attempts)
		return s.box.save(*item)
	}
	return s.finish(ctx, *item)
}

// settle notes the outcome of sending a part.
func (o *Outgoing) settle(p *Part, err error, now time.Time) {
	var refused *Refusal
	switch {
	case err == nil:
		p.Done = true
		return
	case errors.As(err, &refused):
		p.Lost = refused.Error()
	case errors.Is(err, errInClear):
		p.Lost = err.Error()
	case now.Sub(o.Accepted) >= giveUpAfter:
		p.Lost = "it could not be handed to the provider for five days: " + err.Error()
	}
	o.Trouble = err.Error()
}

func (s *sender) send(ctx context.Context, sender string, p Part) error {
	from, err := addr.Parse(sender)
	if err != nil {
		return fmt.Errorf("%w: a sender in the outbox", vault.ErrDamaged)
	}
	to, err := p.recipients()
	if err != nil {
		return err
	}
	blob, err := s.box.vault.OpenBlob(outgoKind, p.Blob)
	if err != nil {
		return err
	}
	err = checkLeaving(blob.Section(0, blob.Size()))
	if err == nil {
		err = s.submit(ctx, from, to, blob.Section(0, blob.Size()))
	}
	return errors.Join(err, blob.Close())
}

// finish removes a mail of which every part is settled. If one is lost the user is
// told first; a crash in between tells them twice, and never not at all.
func (s *sender) finish(ctx context.Context, item Outgoing) error {
	for _, p := range item.Parts {
		if p.Lost == "" {
			continue
		}
		s.log.Warn("mail could not be sent", "id", item.ID)
		if err := s.report(ctx, item); err != nil {
			return err
		}
		break
	}
	return s.box.drop(item)
}
