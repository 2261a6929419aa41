package mailbox

import "context"

// PageStore keeps pages. A page is a copy of what the rows of a run of messages
// hold sealed, so that a listing reads and opens one thing instead of many. It can
// be done without at any time, and is gone as soon as one of its messages is, or the
// account has another key.
type PageStore interface {
	// Pages returns the pages of a mailbox from low to high, ascending, at most
	// limit of them.
	Pages(ctx context.Context, id AccountID, mbox MailboxID, low, high PageNumber, limit int) ([]Page, error)

	// Unpaged returns the numbers, ascending, of pages that are not there and might
	// be: no message can be added to what they are of any more, it is least messages
	// or more, and all of them are at stage 1. It looks at each message of the
	// mailbox. Errors: ErrNoMailbox.
	Unpaged(ctx context.Context, id AccountID, mbox MailboxID, least int) ([]PageNumber, error)

	// AddPages adds pages, or puts them in the place of others. One that messages
	// can still be added to, or that is not of as many as there are (some have gone
	// meanwhile), is left out. It is no change of the account. Errors:
	// ErrNoMailbox, and ErrGone for one sealed to another key than the account's.
	AddPages(ctx context.Context, id AccountID, mbox MailboxID, pages []Page) error
}

// PageNumber says of which UIDs a page is: those that have it in common but for
// their last PageBits bits.
type PageNumber uint32

// PageBits is how many bits of a UID tell the messages of a page apart.
const PageBits = 6

// PageOf returns the number of the page that a message belongs to.
func PageOf(uid UID) PageNumber { return PageNumber(uid >> PageBits) }

// UIDs returns the range that a page is of.
func (n PageNumber) UIDs() UIDRange {
	low := UID(n) << PageBits
	return UIDRange{Low: max(low, 1), High: low | (1<<PageBits - 1)}
}

// Page is a run of messages, sealed.
type Page struct {
	Number   PageNumber
	Messages int // how many
	Sealed   []byte

	// Generation is, when it is written, that of the key it is sealed to; 0 is not
	// compared.
	Generation uint32
}
