package mailbox

import (
	"context"

	"github.com/restante/restante/internal/addr"
)

// Session is an owner's open door to an account: it holds the keys. Sessions of
// one account share what they can. All methods are safe for concurrent use; after
// Close, and after Revoked, they return ErrClosed.
type Session struct{}

// Close ends the session. The keys are forgotten soon after the account's last
// one. It may be called twice.
func (x *Session) Close() { panic("soon") }

// Account returns whose session it is.
func (x *Session) Account() AccountID { panic("soon") }

// Addresses lists the account's addresses: those it may send as.
func (x *Session) Addresses(ctx context.Context) ([]addr.Address, error) { panic("soon") }

// Usage returns the account's quota and what it uses of it.
func (x *Session) Usage(ctx context.Context) (quota, used Quota, err error) { panic("soon") }

// Revoked is closed when the account was disabled or removed, or the credential
// that opened the session replaced: at once by this process, within half a minute
// by another. The session must be closed then.
func (x *Session) Revoked() <-chan struct{} { panic("soon") }

// Notify has f called after each change of the account, by whichever session or
// delivery. The call is made by the store's writer: f must return at once, and
// must not call the session. Hints can be lost between nodes. stop ends the
// calls; one that is under way may still end after it.
func (x *Session) Notify(f func()) (stop func()) { panic("soon") }
