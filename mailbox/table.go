package mailbox

import "context"

// Table is what all sessions that have a mailbox open know of its messages: UID,
// flags and mod-sequence of each. It is safe for concurrent use.
type Table struct{}

// View is a mailbox at one moment. It never changes and costs nothing to keep: its
// UIDs are shared with the table until a message vanishes.
type View struct {
	UIDs    []UID   // ascending; read only
	Mailbox Mailbox // the row at that moment
}

// Open returns the table of a mailbox, up to date. Each Open needs a Close.
// Errors: ErrNoMailbox.
func (x *Session) Open(ctx context.Context, mbox MailboxID) (*Table, error) { panic("soon") }

// Close says that this user of the table has done with it.
func (t *Table) Close() { panic("soon") }

// Refresh brings the table up to date. It reads the store only when the account
// has changed since the last time, or half a minute has passed. The error is
// ErrNoMailbox when the mailbox was deleted.
func (t *Table) Refresh(ctx context.Context) error { panic("soon") }

// View returns the mailbox as of the last Refresh.
func (t *Table) View() View { panic("soon") }

// Row returns a message as of the last Refresh; false if there is none.
func (t *Table) Row(uid UID) (Row, bool) { panic("soon") }

// Rows appends the messages of the set to dst.
func (t *Table) Rows(dst []Row, set []UIDRange) []Row { panic("soon") }

// ChangedSince returns the messages whose mod-sequence is above m, by UID.
func (t *Table) ChangedSince(m ModSeq) []Row { panic("soon") }
