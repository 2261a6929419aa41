package mailbox

import "context"

// HouseStore is what a store keeps for the expiry of mail and accounts.
type HouseStore interface {
	// Ages lists all messages of an account, in no order.
	Ages(ctx context.Context, id AccountID) ([]Aged, error)

	// MarkSeen notes that accounts were in use on a day, and leaves alone those
	// that were on a later one or are no longer there. It is no change of the
	// accounts, and gives no hint.
	MarkSeen(ctx context.Context, ids []AccountID, day Day) error

	// Calendar returns the day that SetCalendar set last, 0 if it never did.
	Calendar(ctx context.Context) (Day, error)

	// SetCalendar keeps a day, earlier or later than the one before.
	SetCalendar(ctx context.Context, day Day) error
}

// Aged is what of a message decides how long it stays.
type Aged struct {
	Mailbox MailboxID
	UID     UID
	Flags   Flags
	Size    int64 // padded
	Day     Day   // of arrival in the account
	Saved   Day   // in this mailbox
}
