package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/restante/restante/internal/addr"
)

// Session is an owner's open door to an account: it holds the keys. Sessions of
// one account share what they can. All methods are safe for concurrent use; after
// Close, and after Revoked, they return ErrClosed.
type Session struct {
	own     *owner
	login   login
	alert   string
	ended   atomic.Bool
	leave   sync.Once
	revoked chan struct{}
	once    sync.Once // closes revoked
	after   observers // of AfterRevoked
}

// Close ends the session. The keys are forgotten soon after the account's last
// one. It may be called twice.
func (x *Session) Close() {
	x.ended.Store(true)
	x.leave.Do(func() { x.own.svc.ring.leave(x, x.own.svc.now()) })
}

func (x *Session) revoke() {
	x.ended.Store(true)
	x.once.Do(func() {
		close(x.revoked)
		x.after.call()
	})
}

// use returns what the session works with, unless it has ended.
func (x *Session) use() (*owner, error) {
	if x.ended.Load() {
		return nil, ErrClosed
	}
	return x.own, nil
}

// Account returns whose session it is.
func (x *Session) Account() AccountID { return x.own.id }

// Addresses lists the account's addresses, oldest first: those it may send as.
func (x *Session) Addresses(ctx context.Context) ([]addr.Address, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	return own.svc.addresses(ctx, own.id)
}

// RecentAddresses is Addresses as they were up to two seconds ago. The list must not
// be changed.
func (x *Session) RecentAddresses(ctx context.Context) ([]addr.Address, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	return own.svc.recall.own.get(own.id, func() ([]addr.Address, error) { return own.svc.addresses(ctx, own.id) })
}

// ChangeCount counts the changes of the account that this process has heard of. A caller
// who reads it before something of the account can tell by it whether to read again.
func (x *Session) ChangeCount() uint64 { return x.own.epoch.Load() }

// Usage returns the account's quota and what it uses of it.
func (x *Session) Usage(ctx context.Context) (quota, used Quota, err error) {
	own, err := x.use()
	if err != nil {
		return Quota{}, Quota{}, err
	}
	row, err := own.svc.store.Account(ctx, own.id)
	if err != nil {
		return Quota{}, Quota{}, fmt.Errorf("read quota: %w", err)
	}
	return row.Quota, row.Used, nil
}

// Revoked is closed when the account was disabled or removed, or the credential
// that opened the session replaced: at once by this process, within half a minute
// by another. The session must be closed then.
func (x *Session) Revoked() <-chan struct{} { return x.revoked }

// AfterRevoked has f called once when Revoked is closed, at once if it is
// already: for those who would need a goroutine to wait for the channel. f must
// return at once, and must not call the session. stop prevents a call that has
// not begun.
func (x *Session) AfterRevoked(f func()) (stop func()) {
	f = sync.OnceFunc(f)
	stop = x.after.add(f)
	select {
	case <-x.revoked:
		f()
	default: // revoke closes the channel first, and calls f then
	}
	return stop
}

// Notify has f called after each change of the account, by whichever session or
// delivery. The call is made by the store's writer: f must return at once, and
// must not call the session. Hints can be lost between nodes. stop ends the
// calls; one that is under way may still end after it.
func (x *Session) Notify(f func()) (stop func()) { return x.own.observers.add(f) }
