package mailbox

import (
	"context"

	"github.com/restante/restante/mailbox/seal"
)

// AddressStore is what a store keeps of the addresses that an account has besides
// its first, of what addresses publish, and of whom accounts don't want to hear.
// Methods that change an account return ErrNoAccount if there is none.
type AddressStore interface {
	// AddAddress gives an account one more address. Errors: ErrExists if it is
	// taken, or was and has been given up; ErrLimit if the account has max of them
	// already, or ever had the number ever.
	AddAddress(ctx context.Context, id AccountID, a Address, max, ever int) error

	// RetireAddress takes an address from an account, with what it publishes.
	// Nobody gets it again, and whose it was is forgotten. Errors: ErrGone if it
	// is not the account's, ErrLimit if it is the last one.
	RetireAddress(ctx context.Context, id AccountID, mac seal.AddressMAC) error

	// SetEntry replaces the entry of an address. The error is ErrGone if the
	// address is not the account's, or has another entry than old.
	SetEntry(ctx context.Context, id AccountID, mac seal.AddressMAC, old, entry []byte) error

	// Publish replaces what an address of the account publishes. Errors: ErrGone
	// if the address is not the account's, ErrExists if another address publishes
	// under the same hash or the same fingerprint.
	Publish(ctx context.Context, id AccountID, p Published) error

	// Unpublish takes away what an address of the account publishes, if anything.
	Unpublish(ctx context.Context, id AccountID, mac seal.AddressMAC) error

	// PublishedBy lists what the addresses of an account publish, in no order.
	PublishedBy(ctx context.Context, id AccountID) ([]Published, error)

	// FindPublished returns what is published under a hash, and by whom, or
	// ErrNoAccount. What a disabled account has published is not found.
	FindPublished(ctx context.Context, wkd seal.WKDMAC) (AccountID, Published, error)

	// Block adds a sender to those whom the account doesn't want to hear, and
	// does nothing if he is one already. The error is ErrLimit if there are max.
	Block(ctx context.Context, id AccountID, b Blocked, max int) error

	// Unblock takes a sender away, if he is among them.
	Unblock(ctx context.Context, id AccountID, mac seal.SenderMAC) error

	// BlockedBy lists the senders whom an account doesn't want to hear, in no order.
	BlockedBy(ctx context.Context, id AccountID) ([]Blocked, error)

	// Blocks reports whether one of two senders is among them.
	Blocks(ctx context.Context, id AccountID, one, other seal.SenderMAC) (bool, error)

	// SetDays sets the owner's own term of a mailbox, 0 for none. The error is
	// ErrNoMailbox if there is no such mailbox.
	SetDays(ctx context.Context, id AccountID, mbox MailboxID, days int) error

	// Spend remembers a token until a day is over, or for good if that is 0. The error
	// is ErrExists if it was spent before.
	Spend(ctx context.Context, token SpentToken, last Day) error

	// GiveBack forgets a token that Spend remembered.
	GiveBack(ctx context.Context, token SpentToken) error
}

// Published is a certificate that an address publishes.
type Published struct {
	MAC         seal.AddressMAC
	WKD         seal.WKDMAC
	Fingerprint seal.FingerprintMAC
	Cert        []byte // sealed under the relay key
}

// Blocked is a sender whom an account doesn't want to hear.
type Blocked struct {
	MAC    seal.SenderMAC
	Sealed []byte // for the owner

	// Generation is, when it is written, that of the key it is sealed to; 0 is not
	// compared, and another than the account's is ErrGone.
	Generation uint32
}

// SpentToken is a hash of what was worth one account: a sign-up token, or a ticket.
type SpentToken [32]byte
