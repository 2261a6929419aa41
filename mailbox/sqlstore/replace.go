package sqlstore

import (
	"context"

	"github.com/restante/restante/mailbox"
)

// Replace implements mailbox.Store. The message goes first, so that its room can be
// used again.
func (s *Store) Replace(ctx context.Context, mbox mailbox.MailboxID, uid mailbox.UID, d mailbox.Delivery) (mailbox.Receipt, error) {
	in := intake{ds: []mailbox.Delivery{d}}
	old := mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: uid, High: uid}}}
	err := s.take(ctx, "replace", &in, func(t *tx) error {
		if _, err := t.mailbox(d.Account, mbox); err != nil {
			return err
		}
		es, err := t.doomed(d.Account, mbox, old)
		if err != nil {
			return err
		}
		if len(es) == 0 {
			return mailbox.ErrGone
		}
		_, err = t.expunge(d.Account, mbox, es)
		return err
	})
	if err != nil {
		return mailbox.Receipt{}, err
	}
	return in.receipts[0], nil
}
