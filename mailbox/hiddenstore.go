package mailbox

import "context"

// HiddenStore keeps what a device that may not expunge has removed for itself: the
// messages stay for all others.
type HiddenStore interface {
	// Hide notes for a device which messages of a set are in a state. What is Gone
	// stays so. Messages that are not there are left out, and when one goes, what
	// is noted of it goes as well. It is a change of the account, if it changes
	// anything. Errors: ErrNoAccount.
	Hide(ctx context.Context, id AccountID, device CredentialID, mbox MailboxID, set []UIDRange, to HiddenState) error

	// Hidden lists what a device has noted of the messages of a mailbox, by UID.
	Hidden(ctx context.Context, id AccountID, device CredentialID, mbox MailboxID) ([]Hidden, error)
}

// HiddenState is what a message is to one device.
type HiddenState int

// The states of a message for one device.
const (
	Shown  HiddenState = iota // as it is for others; it is not kept
	Marked                    // it has the flag Deleted
	Gone                      // it was expunged
)

// Hidden is a message that is something else to one device than to the others.
type Hidden struct {
	UID   UID
	State HiddenState // Marked or Gone
}
