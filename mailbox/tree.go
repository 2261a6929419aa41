package mailbox

import "context"

// Folder is a name in the account's mailbox tree, as its owner knows it. Levels
// of the hierarchy are separated by '/'.
type Folder struct {
	Name       string
	ID         MailboxID // 0: subscribed, but there is no such mailbox
	Use        SpecialUse
	Subscribed bool
	Mailbox    Mailbox // its row, unless ID is 0
}

// Folders lists all mailboxes and subscriptions, INBOX first, the others by name.
// A mailbox whose name is damaged goes by a name made of its id.
func (x *Session) Folders(ctx context.Context) ([]Folder, error) { panic("soon") }

// Folder finds a mailbox by name, or ErrNoMailbox. INBOX is found in any case,
// also as the first part of a longer name (RFC 9051, 5.1).
func (x *Session) Folder(ctx context.Context, name string) (Folder, error) { panic("soon") }

// Status returns the row of a mailbox as it is now, or ErrNoMailbox.
func (x *Session) Status(ctx context.Context, name string) (Mailbox, error) { panic("soon") }

// Create makes a mailbox; a '/' at the end of the name is ignored. Names above it
// need not exist. Errors: ErrName, ErrExists, and ErrLimit when the account has
// too many mailboxes or one for that use already.
func (x *Session) Create(ctx context.Context, name string, use SpecialUse) (Mailbox, error) {
	panic("soon")
}

// Delete removes a mailbox and its messages. Mailboxes below it stay. Errors:
// ErrNoMailbox, ErrInbox.
func (x *Session) Delete(ctx context.Context, name string) error { panic("soon") }

// Rename gives a mailbox and all below it a new name. Renaming INBOX makes a new
// mailbox and moves the messages of INBOX into it (RFC 9051, 6.3.6). Errors:
// ErrNoMailbox, ErrExists, ErrName.
func (x *Session) Rename(ctx context.Context, from, to string) error { panic("soon") }

// Subscribe adds or removes a subscription, of a name that need not exist.
// Errors: ErrName, ErrLimit.
func (x *Session) Subscribe(ctx context.Context, name string, on bool) error { panic("soon") }
