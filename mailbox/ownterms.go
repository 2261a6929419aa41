package mailbox

import (
	"context"
	"fmt"
	"slices"
)

// MaxDays is the longest term that an owner can set.
const MaxDays = 3650

// MailboxTerm is how long mail stays in one mailbox, in days; 0 is for ever.
type MailboxTerm struct {
	Mailbox MailboxID
	Name    string
	Days    int // what holds
	Relay   int // the relay's own term
	Own     int // the owner's
}

// MailboxTerms lists how long mail stays in each mailbox of the account, in the order
// of a listing. The mailbox in which devices keep what is theirs is not among them.
func (x *Session) MailboxTerms(ctx context.Context) ([]MailboxTerm, error) {
	own, err := x.manager()
	if err != nil {
		return nil, fmt.Errorf("list terms: %w", err)
	}
	folders, err := own.mailboxes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list terms: %w", err)
	}
	t := own.svc.o.Terms
	var list []MailboxTerm
	for _, f := range folders {
		if f.Use != UseRestante {
			list = append(list, MailboxTerm{f.ID, f.Name, t.days(&f.Mailbox), t.relayDays(&f.Mailbox), f.Mailbox.Days})
		}
	}
	slices.SortFunc(list, func(a, b MailboxTerm) int { return inOrder(a.Name, b.Name) })
	return list, nil
}

// SetMailboxDays sets the owner's own term of a mailbox, 0 for none. It can only be
// shorter than the relay's: of two terms, the shorter one holds. Errors: ErrAuth if
// the session may not manage the account, ErrName for a term below 0 or above MaxDays,
// ErrNoMailbox.
func (x *Session) SetMailboxDays(ctx context.Context, mbox MailboxID, days int) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("set term: %w", err)
	}
	if days < 0 || days > MaxDays {
		return fmt.Errorf("set term: %w: not a number of days", ErrName)
	}
	if err := own.svc.store.SetDays(ctx, own.id, mbox, days); err != nil {
		return fmt.Errorf("set term: %w", err)
	}
	return nil
}
