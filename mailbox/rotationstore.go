package mailbox

import "context"

// RotationStore gives accounts new keys without touching their messages, which follow
// one by one (MessageStore.Rewrap).
type RotationStore interface {
	// Rotate gives an account another key, and anew all that it has sealed besides
	// messages: at once, or not at all. It calls reseal inside the transaction with
	// what there is, to be changed in place: reseal must be quick, must not use the
	// store, and may be called again. It is not called once Rotate has returned, for
	// which Rotate waits whatever ctx says. RequestRotation is done with by it. Errors: as
	// AccountStore.ReplaceCredentials with a key, and that of reseal.
	Rotate(ctx context.Context, id AccountID, key *KeyChange, reseal func(*Belongings) error) error

	// RequestRotation sets Account.RotateDue, or takes it back.
	RequestRotation(ctx context.Context, id AccountID, due bool) error

	// FormerKeys lists the keys of former generations that are kept.
	FormerKeys(ctx context.Context, id AccountID) ([]FormerKey, error)

	// DropFormerKeys deletes the keys of those former generations to which no message
	// is sealed any more, and returns how many are left. That of generation 0 stays.
	DropFormerKeys(ctx context.Context, id AccountID) (left int, err error)
}

// FormerKey is a secret of a former generation, sealed to the present one.
type FormerKey struct {
	Generation uint32
	Sealed     []byte
}

// Belongings is what an account has sealed to its owner, but for messages. Each row is
// found again by what in it is not sealed: a credential by its ID, a mailbox by its
// number, a blocked sender by the MAC. The other lists are replaced whole.
type Belongings struct {
	Credentials   []Credential // of which Wrapped, Label and Public are written
	Mailboxes     []Rename
	Subscriptions []SealedName
	Keywords      []Keyword
	Entries       []PlacedAnnotation
	Blocked       []Blocked
	Former        []FormerKey
}

// PlacedAnnotation is an annotation and where it belongs; 0 is the account itself.
type PlacedAnnotation struct {
	Mailbox MailboxID
	Annotation
}
