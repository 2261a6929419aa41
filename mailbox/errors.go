package mailbox

import "errors"

// The outcomes that callers tell apart. A protocol turns each of them into a
// reply in one place (mta/reply.go, imapd/status.go, web/status.go); a new one
// needs a row in all of these and a case in storetest.
var (
	// ErrAuth: no such account, or the secret does not open it. The two are
	// one error so that nobody learns which addresses exist.
	ErrAuth = errors.New("mailbox: authentication failed")

	// ErrThrottled: too many failures of late; try again later.
	ErrThrottled = errors.New("mailbox: too many attempts, try again later")

	// ErrBusy: the relay is at a limit of its own (memory-hard password
	// checks, spool, connections); the same request may succeed later.
	ErrBusy = errors.New("mailbox: the relay is busy, try again later")

	// ErrMayNot: the device password is not good for this.
	ErrMayNot = errors.New("mailbox: this device may not do that")

	// ErrDisabled: the operator has disabled the account.
	ErrDisabled = errors.New("mailbox: account is disabled")

	// ErrNoAccount: no account with that id or address.
	ErrNoAccount = errors.New("mailbox: no such account")

	// ErrNoMailbox: no mailbox of that name or id in the account.
	ErrNoMailbox = errors.New("mailbox: no such mailbox")

	// ErrExists: the address, mailbox or credential is there already.
	ErrExists = errors.New("mailbox: it exists already")

	// ErrName: the name can't be a mailbox's (or an account's) name.
	ErrName = errors.New("mailbox: this name can't be used")

	// ErrInbox: INBOX can't be deleted.
	ErrInbox = errors.New("mailbox: INBOX can't be deleted")

	// ErrHasChildren: the mailbox has mailboxes below it.
	ErrHasChildren = errors.New("mailbox: it has mailboxes below it")

	// ErrOverQuota: the account has no room for the message.
	ErrOverQuota = errors.New("mailbox: quota exceeded")

	// ErrTooLarge: the message is larger than the relay takes.
	ErrTooLarge = errors.New("mailbox: message is too large")

	// ErrLimit: a bounded number of things (keywords, mailboxes, addresses)
	// is used up.
	ErrLimit = errors.New("mailbox: limit reached")

	// ErrRefused: the gate refused the message. The gate's own error, which
	// says why in words for a person, is wrapped beside it.
	ErrRefused = errors.New("mailbox: message refused")

	// ErrGone: the message, its body or the credential is no longer there.
	ErrGone = errors.New("mailbox: message is gone")

	// ErrFull: the disk is full. Nothing was changed.
	ErrFull = errors.New("mailbox: storage is full")

	// ErrUnknown: a commit was attempted and its outcome can't be told. The
	// request may be repeated with the same delivery id.
	ErrUnknown = errors.New("mailbox: outcome unknown, repeat the request")

	// ErrClosed: the store or service is closing.
	ErrClosed = errors.New("mailbox: closed")

	// ErrCorrupt: stored data does not open or does not fit together. The
	// error that wraps it names the row; wrong bytes are never returned.
	ErrCorrupt = errors.New("mailbox: stored data is damaged")
)
