package mailbox

import (
	"context"

	"github.com/restante/restante/mailbox/seal"
)

// MetadataStore keeps what owners note beside their mailboxes (RFC 5464).
type MetadataStore interface {
	// Metadata lists the notes of a mailbox, or with mailbox 0 those of the
	// account itself, in no order.
	Metadata(ctx context.Context, id AccountID, mbox MailboxID) ([]Annotation, error)

	// SetMetadata adds notes, replaces those of the same MAC, and removes those
	// that have nothing Sealed, all at once. They go with their mailbox. Errors:
	// ErrNoMailbox, and ErrLimit if the account would have more than max of them.
	SetMetadata(ctx context.Context, id AccountID, mbox MailboxID, notes []Annotation, max int) error
}

// Annotation is an entry of METADATA as the store knows it.
type Annotation struct {
	MAC    []byte // of its name and mailbox
	Sealed []byte // name and value

	// Generation is, when it is written, that of the key it is sealed to; 0 is not
	// compared, and another than the account's is ErrGone.
	Generation uint32
}

// PushStore keeps the push tokens of devices: what it takes to wake them. They are
// sealed to the relay, which uses them while their owner is away. No change of them
// is a change of the account.
type PushStore interface {
	// AddPushToken adds a token, or gives one that is there a new day and content.
	// If the account has more than max of them then, the oldest go. Errors:
	// ErrNoAccount.
	AddPushToken(ctx context.Context, id AccountID, t PushTokenRow, max int) error

	// PushTokens lists the tokens of an account, the newest first.
	PushTokens(ctx context.Context, id AccountID) ([]PushTokenRow, error)

	// DropPushToken removes a token. It may be gone already.
	DropPushToken(ctx context.Context, id AccountID, mac seal.TokenMAC) error

	// ExpirePushTokens removes the tokens of all accounts that were added before a
	// day and not again since.
	ExpirePushTokens(ctx context.Context, before Day) error
}

// PushTokenRow is a push token as the store knows it.
type PushTokenRow struct {
	MAC    seal.TokenMAC
	Sealed []byte
	Day    Day // on which it was added last
}
