package mailbox

import (
	"context"
	"io"

	"github.com/restante/restante/mailbox/seal"
)

// Store is the contract of what is kept. All its methods are safe for
// concurrent use.
//
// Each method is one transaction: it happens whole or not at all, and a method
// that changed something returns nil only when the change would survive a power
// cut. Cancelling ctx stops the waiting, not a change already begun: its outcome
// is then unknown to this caller, the error is ctx.Err(), and what the call was
// given must be left as it is. A failed commit is ErrUnknown.
//
// An error that says what stands in the way, such as ErrExists, is given when that
// has been committed: whoever looks then finds it.
//
// UIDs and mod-sequences are allotted in the transaction from the mailbox's own
// row, so that nobody can see a UID before all smaller ones. Every change of an
// account also raises Account.Change in the same transaction.
//
// Everything a Store is given is a number, a MAC or ciphertext, except the
// flags, days and padded sizes that docs/threat-model.md lists.
type Store interface {
	AccountStore
	AddressStore
	HiddenStore
	MailboxStore
	MessageStore
	PageStore
	QueueStore
	MetadataStore
	RotationStore
	PushStore
	HouseStore
	CensusStore

	// ID returns the identity the store was made with. Sealed parts bind it.
	ID() seal.StoreID

	// Watch calls hint after each commit with the accounts it touched. The
	// call is made by the writer: it must return at once. Hints can be lost
	// (another node, a reconnect); Account.Change and Changes are the truth. No
	// accounts at all say that hints may have been lost: any may have changed.
	// stop ends the calls and returns after the last one did.
	Watch(hint func([]AccountID)) (stop func())

	// Close waits for running transactions and closes the store. Later calls
	// return ErrClosed.
	Close() error
}

// AccountStore keeps accounts, their addresses and credentials.
type AccountStore interface {
	// CreateAccount makes an account with one address, its credentials and its
	// INBOX. It returns ErrExists if the address is taken, or was retired.
	CreateAccount(ctx context.Context, a NewAccount) error

	// Account returns ErrNoAccount if there is none.
	Account(ctx context.Context, id AccountID) (Account, error)

	// Accounts calls f for each account, in order of id, in several reads.
	Accounts(ctx context.Context, f func(Account) error) error

	// Lookup finds the account of an address by its MAC, or ErrNoAccount. It
	// returns the address's Entry with it.
	Lookup(ctx context.Context, mac seal.AddressMAC) (Account, error)

	// Addresses lists the addresses of an account, oldest first.
	Addresses(ctx context.Context, id AccountID) ([]Address, error)

	// SetState enables or disables an account.
	SetState(ctx context.Context, id AccountID, s AccountState) error

	// RemoveAccount deletes the account and everything it owns.
	RemoveAccount(ctx context.Context, id AccountID) error

	// Credentials lists the credentials of an account.
	Credentials(ctx context.Context, id AccountID) ([]Credential, error)

	// ReplaceCredentials removes the credentials in drop and adds those in
	// add, at once. When key is not nil it also replaces the account's key
	// (a new generation), and the entries of its addresses, which name the key:
	// what is sealed to the old one stays as it is. It returns ErrGone if one in
	// drop is no longer there, key is not the next generation, its addresses
	// are not those of the account, or one in add is sealed to another key than the
	// account has then: somebody else was faster. Keys of former generations are
	// deleted with a new one; Rotate keeps them.
	ReplaceCredentials(ctx context.Context, id AccountID, drop []CredentialID, add []Credential, key *KeyChange) error
}

// MailboxStore keeps the mailbox tree, subscriptions and keyword dictionary of
// an account. Names are opaque: a MAC for equality and ciphertext for reading. A name
// that says to which generation of the account's key it is sealed is not written if
// the account has another by then: the error is ErrGone.
type MailboxStore interface {
	// Mailboxes lists every mailbox of the account by id.
	Mailboxes(ctx context.Context, id AccountID) ([]Mailbox, error)

	// Mailbox returns one mailbox as it is now, or ErrNoMailbox.
	Mailbox(ctx context.Context, id AccountID, mbox MailboxID) (Mailbox, error)

	// CreateMailbox returns ErrExists if the account has a mailbox with that
	// name MAC or special use, ErrLimit if it has max mailboxes already. The UIDVALIDITY is
	// above that of every mailbox the account ever had, and at least
	// m.UIDValidity.
	CreateMailbox(ctx context.Context, id AccountID, m NewMailbox, max int) (Mailbox, error)

	// DeleteMailbox removes a mailbox and its messages, ErrInbox for INBOX.
	DeleteMailbox(ctx context.Context, id AccountID, mbox MailboxID) error

	// RenameMailboxes gives new names to several mailboxes (a mailbox and
	// those below it) at once; ErrExists if one is taken.
	RenameMailboxes(ctx context.Context, id AccountID, names []Rename) error

	// Subscriptions lists subscribed names, which need not be mailboxes.
	Subscriptions(ctx context.Context, id AccountID) ([]SealedName, error)

	// SetSubscription adds or removes a subscription; both are idempotent.
	// Adding more than max is ErrLimit.
	SetSubscription(ctx context.Context, id AccountID, n SealedName, on bool, max int) error

	// Keywords lists the account's keyword dictionary.
	Keywords(ctx context.Context, id AccountID) ([]Keyword, error)

	// AddKeyword returns the dictionary's entry for the name, new or old. When
	// all MaxKeywords are taken it frees one that no message carries, else
	// ErrLimit.
	AddKeyword(ctx context.Context, id AccountID, n SealedName) (Keyword, error)

	// TakeRecent returns the lowest UID that no read-write session has been
	// told of, and marks all present ones as told (RFC 3501, 2.3.2).
	TakeRecent(ctx context.Context, id AccountID, mbox MailboxID) (UID, error)
}

// MessageStore keeps messages.
type MessageStore interface {
	// CreateBody begins a sealed body of exactly size bytes. The body becomes
	// part of the store only through Accept; until then it is swept away if
	// the process dies.
	CreateBody(ctx context.Context, id AccountID, blob seal.BlobID, size int64) (BodyWriter, error)

	// Accept stores all deliveries and puts all of out into the queue, or none,
	// and gives each delivery its UID. A delivery whose DeliveryID the account has
	// seen within DedupDays is not stored again: its receipt is that of the first,
	// with Duplicate set. Errors: ErrNoAccount, ErrDisabled, ErrNoMailbox,
	// ErrOverQuota, ErrFull, and ErrGone if the account has another key by now than
	// that of the delivery's Generation. The bodies belong to the store afterwards, whatever
	// the outcome.
	Accept(ctx context.Context, ds []Delivery, out ...Outbound) ([]Receipt, error)

	// Replace stores a delivery, as Accept does, and expunges a message of the same
	// account, both or neither. The room of the message is the delivery's to use.
	// Errors: as Accept, and ErrGone also if the message is no longer there.
	Replace(ctx context.Context, mbox MailboxID, uid UID, d Delivery) (Receipt, error)

	// Changes returns what happened in a mailbox after since, as one
	// consistent snapshot. since 0 gives all messages, and no Vanished.
	Changes(ctx context.Context, id AccountID, mbox MailboxID, since ModSeq) (Changes, error)

	// Messages returns the messages of the set that exist, ascending, at most
	// limit of them.
	Messages(ctx context.Context, id AccountID, mbox MailboxID, set []UIDRange, limit int) ([]Message, error)

	// Unwrapped returns the messages at stage 0, and those sealed to a former key of
	// the account, whose UID is above after, ascending, at most limit of them. It
	// costs little when there are none.
	Unwrapped(ctx context.Context, id AccountID, mbox MailboxID, after UID, limit int) ([]Message, error)

	// SmallBodies returns, by blob, those bodies of a set's messages that take no
	// more to read than their rows: none of them is above 64 KiB. The others have
	// to be opened. Whoever calls it bounds the set by the sizes of its messages.
	SmallBodies(ctx context.Context, id AccountID, mbox MailboxID, set []UIDRange) (map[seal.BlobID][]byte, error)

	// OpenBody returns ErrGone if there is no such body.
	OpenBody(ctx context.Context, id AccountID, blob seal.BlobID) (BodyReader, error)

	// StoreFlags changes the flags of the messages of a set. Messages whose
	// flags don't change keep their mod-sequence; the others share a new one.
	StoreFlags(ctx context.Context, id AccountID, mbox MailboxID, c FlagChange) (FlagResult, error)

	// Copy copies messages of one mailbox to another, or moves them, in order
	// of UID. It calls reseal for each with its new place, inside the
	// transaction: reseal must be quick and must not use the store. It may be
	// called again for all of them, if the transaction is; it is not called once
	// Copy has returned, for which Copy waits whatever ctx says. A message of the
	// set that is gone is left out; an error of reseal undoes the whole. Errors:
	// ErrNoMailbox, ErrOverQuota, ErrFull, and ErrGone if reseal has sealed a message
	// to another generation, which is not that of the account's key.
	Copy(ctx context.Context, id AccountID, c CopyRequest, reseal Reseal) (CopyResult, error)

	// Expunge deletes messages and remembers that they vanished. One call keeps
	// others from writing for as long as it takes: the limit is there for those
	// that may be of many.
	Expunge(ctx context.Context, id AccountID, mbox MailboxID, r ExpungeRequest) (Expunged, error)

	// Rewrap replaces the key and envelope of messages that are still at stage
	// 0, or of a generation before that of the new key; the others, and messages
	// that are gone, are left as they are. It changes no mod-sequence. The error is
	// ErrGone for a generation that is not that of the account's key: the key of
	// another may be dropped.
	Rewrap(ctx context.Context, id AccountID, mbox MailboxID, rows []Rewrapped) error
}

// BodyWriter takes a sealed body on its way into the store.
type BodyWriter interface {
	io.Writer

	// Commit makes the bytes durable where the transaction won't. It fails if
	// fewer or more than the announced bytes were written.
	Commit() error

	// Discard removes what was written. It may be called after Commit, and
	// does nothing once Accept has taken the body.
	Discard()
}

// BodyReader reads a sealed body, any range of it, without reading the rest.
type BodyReader interface {
	io.ReaderAt
	io.Closer

	// Size is the number of sealed bytes.
	Size() int64
}
