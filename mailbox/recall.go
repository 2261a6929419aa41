package mailbox

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// recall keeps for rowKept what every mail asks of the directory: whose the
// recipient's address is, whether he wants to hear the sender, and which addresses the
// sender has. A change of these by this process ends it at once; one by another node
// is seen when the time is over. Nothing is kept of what is not there.
type recall struct {
	changes atomic.Uint64 // of the directory, by this process
	rows    shelf[seal.AddressMAC, found]
	own     shelf[AccountID, []addr.Address]
	blocks  shelf[seal.SenderMAC, bool]
}

// found is what an address stands for, and when that was read.
type found struct {
	row     Account
	options AddressOptions
	read    time.Time
}

// recalled bounds each kind of what is kept; a row is some 2 KB.
const recalled = 4096

func newRecall(now func() time.Time) *recall {
	r := &recall{}
	r.rows = shelf[seal.AddressMAC, found]{changes: &r.changes, now: now}
	r.own = shelf[AccountID, []addr.Address]{changes: &r.changes, now: now}
	r.blocks = shelf[seal.SenderMAC, bool]{changes: &r.changes, now: now}
	return r
}

// shelf keeps what was read, of one kind. It is safe for concurrent use, and what it
// gives out must not be changed.
type shelf[K comparable, V any] struct {
	changes *atomic.Uint64
	now     func() time.Time

	mu   sync.Mutex
	kept map[K]shelved[V]
}

type shelved[V any] struct {
	value  V
	read   time.Time
	change uint64 // how many changes there had been before it was read
}

// forget forgets what is too old. Addresses of people who are gone are nobody's business.
func (r *recall) forget() {
	r.rows.forget()
	r.own.forget()
	r.blocks.forget()
}

func (s *shelf[K, V]) forget() {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.kept, func(_ K, v shelved[V]) bool {
		age := now.Sub(v.read)
		return age < 0 || age >= rowKept
	})
}

// get returns what is kept under k, or else what read returns.
func (s *shelf[K, V]) get(k K, read func() (V, error)) (V, error) {
	change, now := s.changes.Load(), s.now()
	if v, ok := s.find(k); ok && v.change == change {
		if age := now.Sub(v.read); 0 <= age && age < rowKept {
			return v.value, nil
		}
	}
	v, err := read()
	if err == nil {
		s.keep(k, shelved[V]{v, now, change})
	}
	return v, err
}

func (s *shelf[K, V]) find(k K) (shelved[V], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.kept[k]
	return v, ok
}

// keep keeps a value, and clears the shelf when it is full: most of it is old then.
func (s *shelf[K, V]) keep(k K, v shelved[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil || len(s.kept) >= recalled {
		s.kept = map[K]shelved[V]{}
	}
	s.kept[k] = v
}

// recentRow is byAddress as it was up to rowKept ago; for an account that is nearly
// full, as it is.
func (s *Service) recentRow(ctx context.Context, mac seal.AddressMAC) (found, error) {
	fresh := false
	read := func() (found, error) {
		fresh = true
		at := s.now()
		row, options, err := s.byAddress(ctx, mac)
		return found{row, options, at}, err
	}
	f, err := s.recall.rows.get(mac, read)
	if err == nil && !fresh && f.row.tight() {
		return read()
	}
	return f, err
}

// An account is nearly full when a moment's mail could fill it.
const (
	momentBytes    = 32 << 20
	momentMessages = 1000
)

// tight reports whether the account is nearly full.
func (a *Account) tight() bool {
	q := a.Quota
	return q.Bytes > 0 && q.Bytes-a.Used.Bytes < momentBytes || q.Messages > 0 && q.Messages-a.Used.Messages < momentMessages
}

// A noting store counts the changes of the directory that go through it.
type noting struct {
	Store
	changes *atomic.Uint64
}

// CreateAccount implements Store.
func (n noting) CreateAccount(ctx context.Context, a NewAccount) error {
	defer n.changes.Add(1)
	return n.Store.CreateAccount(ctx, a)
}

// SetState implements Store.
func (n noting) SetState(ctx context.Context, id AccountID, state AccountState) error {
	defer n.changes.Add(1)
	return n.Store.SetState(ctx, id, state)
}

// RemoveAccount implements Store.
func (n noting) RemoveAccount(ctx context.Context, id AccountID) error {
	defer n.changes.Add(1)
	return n.Store.RemoveAccount(ctx, id)
}

// ReplaceCredentials implements Store.
func (n noting) ReplaceCredentials(ctx context.Context, id AccountID, drop []CredentialID, add []Credential, key *KeyChange) error {
	defer n.changes.Add(1)
	return n.Store.ReplaceCredentials(ctx, id, drop, add, key)
}

// Rotate implements Store.
func (n noting) Rotate(ctx context.Context, id AccountID, key *KeyChange, reseal func(*Belongings) error) error {
	defer n.changes.Add(1)
	return n.Store.Rotate(ctx, id, key, reseal)
}

// AddAddress implements Store.
func (n noting) AddAddress(ctx context.Context, id AccountID, a Address, most, ever int) error {
	defer n.changes.Add(1)
	return n.Store.AddAddress(ctx, id, a, most, ever)
}

// RetireAddress implements Store.
func (n noting) RetireAddress(ctx context.Context, id AccountID, mac seal.AddressMAC) error {
	defer n.changes.Add(1)
	return n.Store.RetireAddress(ctx, id, mac)
}

// SetEntry implements Store.
func (n noting) SetEntry(ctx context.Context, id AccountID, mac seal.AddressMAC, old, entry []byte) error {
	defer n.changes.Add(1)
	return n.Store.SetEntry(ctx, id, mac, old, entry)
}

// Block implements Store.
func (n noting) Block(ctx context.Context, id AccountID, b Blocked, most int) error {
	defer n.changes.Add(1)
	return n.Store.Block(ctx, id, b, most)
}

// Unblock implements Store.
func (n noting) Unblock(ctx context.Context, id AccountID, mac seal.SenderMAC) error {
	defer n.changes.Add(1)
	return n.Store.Unblock(ctx, id, mac)
}
