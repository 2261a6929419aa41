package mailbox

import (
	"context"
	"errors"
	"fmt"
)

// expungeBatch is how many messages one transaction deletes. 500 hold up other
// writers for some 20 ms; a mailbox of 50,000 at once would do it for seconds.
const expungeBatch = 500

// Expunge deletes the messages of the set that carry Deleted, or all of the set. It
// does so some at a time: if it fails, some may be gone. Errors: ErrNoMailbox.
func (x *Session) Expunge(ctx context.Context, mbox MailboxID, set []UIDRange, all bool) (Expunged, error) {
	own, err := x.use()
	if err != nil {
		return Expunged{}, err
	}
	if x.Keeps() {
		e, err := x.hide(ctx, own, mbox, set, all)
		if err != nil {
			return Expunged{}, fmt.Errorf("expunge: %w", err)
		}
		return e, nil
	}
	r := ExpungeRequest{Set: set, Need: Deleted}
	if all {
		r.Need = 0
	}
	e, err := own.svc.expunge(ctx, own.id, mbox, r)
	if err != nil {
		return Expunged{}, fmt.Errorf("expunge: %w", err)
	}
	return e, nil
}

// expunge deletes messages in as many transactions as it takes, and returns all of
// them, also with an error.
func (s *Service) expunge(ctx context.Context, id AccountID, mbox MailboxID, r ExpungeRequest) (Expunged, error) {
	r.Limit = expungeBatch
	var all Expunged
	for {
		some, err := s.store.Expunge(ctx, id, mbox, r)
		if err != nil {
			return all, err
		}
		all.UIDs = append(all.UIDs, some.UIDs...)
		all.ModSeq = some.ModSeq
		if len(some.UIDs) < expungeBatch {
			return all, nil
		}
		r.Set = after(r.Set, some.UIDs[len(some.UIDs)-1])
	}
}

// deleteMailbox deletes a mailbox after it has emptied it. If it fails, the mailbox
// may be there with some of its messages. Errors: ErrInbox, ErrNoMailbox.
func (s *Service) deleteMailbox(ctx context.Context, id AccountID, mbox MailboxID) error {
	if mbox == Inbox {
		return ErrInbox
	}
	if _, err := s.expunge(ctx, id, mbox, ExpungeRequest{Set: AllUIDs()}); err != nil {
		return err
	}
	return s.store.DeleteMailbox(ctx, id, mbox)
}

// empty deletes all messages of an account, some at a time. A mailbox that is
// deleted meanwhile is none to empty.
func (s *Service) empty(ctx context.Context, id AccountID) error {
	boxes, err := s.store.Mailboxes(ctx, id)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if b.Messages == 0 {
			continue
		}
		_, err := s.expunge(ctx, id, b.ID, ExpungeRequest{Set: AllUIDs()})
		if err != nil && !errors.Is(err, ErrNoMailbox) {
			return err
		}
	}
	return nil
}

// expungeSealedBefore deletes the messages of a mailbox that are sealed to an older
// key than that of the generation. What came since then stays.
func (s *Service) expungeSealedBefore(ctx context.Context, id AccountID, mbox MailboxID, generation uint32) error {
	for set := AllUIDs(); len(set) > 0; {
		batch, err := s.store.Messages(ctx, id, mbox, set, fetchBatch)
		if err != nil || len(batch) == 0 {
			return err
		}
		var old []UIDRange
		for i := range batch {
			if batch[i].Generation < generation {
				old = append(old, UIDRange{batch[i].UID, batch[i].UID})
			}
		}
		if _, err := s.expunge(ctx, id, mbox, ExpungeRequest{Set: old}); err != nil {
			return err
		}
		set = after(set, batch[len(batch)-1].UID)
	}
	return nil
}
