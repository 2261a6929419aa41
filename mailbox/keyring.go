package mailbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restante/restante/mailbox/seal"
)

// keyring holds the open accounts of this process: those with a session, or with
// one until a moment ago.
type keyring struct {
	secret [32]byte // of this process, for tokens
	max    int      // tokens

	mu     sync.RWMutex
	owners map[AccountID]*owner
	logins map[loginToken]login
}

// loginToken recognises a login that was good before: a MAC of address and secret
// under a key of this process.
type loginToken [sha256.Size]byte

// login is what a token stands for: a credential, as it was then.
type login struct {
	account    AccountID
	credential CredentialID
	kind       CredentialKind
	verifier   seal.Verifier
}

// among reports whether the credential is still there, and still the same.
func (l login) among(rows []Credential) bool {
	return slices.ContainsFunc(rows, func(c Credential) bool {
		return c.ID == l.credential && hmac.Equal(c.Verifier, l.verifier[:])
	})
}

// owner is one open account: its keys, and what its sessions share.
type owner struct {
	svc    *Service
	id     AccountID
	sealer seal.Owner
	keys   *seal.Keys
	epoch  atomic.Uint64 // raised when a hint says that the account has changed
	change atomic.Uint64 // of the account, when its row was last read

	observers observers
	tables    tables
	wrapping  wrapping

	words   atomic.Pointer[dictionary]
	wordsMu sync.Mutex // held while words is replaced

	// Guarded by keyring.mu.
	sessions  map[*Session]struct{}
	idleSince time.Time
	checked   time.Time // when its credentials were last seen to be as they were
	checkedAt uint64    // epoch at that time
	seen      Day       // for which day the store knows that it is in use

	rootMu sync.Mutex
	root   seal.Root
	past   past // its roots as root; its keys never change
	wiped  bool

	followed atomic.Bool // nothing is sealed to a former key any more
}

func newKeyring(maxLogins int) *keyring {
	r := &keyring{max: maxLogins, owners: map[AccountID]*owner{}, logins: map[loginToken]login{}}
	_, _ = rand.Read(r.secret[:]) // never fails (crypto/rand)
	return r
}

func (r *keyring) token(mac seal.AddressMAC, secret string) loginToken {
	h := hmac.New(sha256.New, r.secret[:])
	h.Write(mac[:])
	h.Write([]byte(secret))
	return loginToken(h.Sum(nil))
}

// find returns the open account that a token belongs to, if any.
func (r *keyring) find(t loginToken) (*owner, login) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	l, ok := r.logins[t]
	if !ok {
		return nil, login{}
	}
	return r.owners[l.account], l
}

// open gives the owner of a root a session, and remembers the login.
func (r *keyring) open(s *Service, keys *seal.Keys, root *seal.Root, p past, c Credential, t loginToken) (*Session, error) {
	sealer := keys.Owner()
	l := login{account: AccountID(sealer.Account), credential: c.ID, kind: c.Kind}
	copy(l.verifier[:], c.Verifier)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.closed() {
		return nil, ErrClosed
	}
	own := r.owners[l.account]
	if own == nil || own.sealer.Generation != sealer.Generation {
		own = newOwner(s, keys, root, p)
		r.owners[l.account] = own
	}
	if len(r.logins) < r.max {
		r.logins[t] = l
	}
	return r.joinLocked(own, l), nil
}

// join gives an open account one more session. It returns nil if the account was
// closed meanwhile.
func (r *keyring) join(own *owner, l login) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owners[own.id] != own {
		return nil
	}
	return r.joinLocked(own, l)
}

func (r *keyring) joinLocked(own *owner, l login) *Session {
	x := &Session{own: own, login: l, revoked: make(chan struct{})}
	own.sessions[x] = struct{}{}
	// The credential was read before; it may have been replaced since then.
	own.checked = time.Time{}
	return x
}

// leave takes a session out. The keys linger for the next one.
func (r *keyring) leave(x *Session, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(x.own.sessions, x)
	if len(x.own.sessions) > 0 {
		return
	}
	x.own.idleSince = now
	if r.owners[x.own.id] != x.own {
		x.own.wipe() // it was revoked, and this was its last session
	}
}

// drop forgets an account's keys, and ends what sessions it has.
func (r *keyring) drop(own *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(own)
}

func (r *keyring) dropLocked(own *owner) {
	for x := range own.sessions {
		x.revoke()
	}
	if r.owners[own.id] == own {
		delete(r.owners, own.id)
		for t, l := range r.logins {
			if l.account == own.id {
				delete(r.logins, t)
			}
		}
	}
	own.wipe()
}

// inUse reports whether an account has sessions.
func (r *keyring) inUse(own *owner) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(own.sessions) > 0
}

// hint tells the open ones among the accounts that they have changed; without any
// accounts, all of them. It is called by the store's writer.
func (r *keyring) hint(ids []AccountID) {
	if len(ids) == 0 {
		for _, own := range r.list() {
			own.changed()
		}
		return
	}
	for _, id := range ids {
		if own := r.get(id); own != nil {
			own.changed()
		}
	}
}

// get returns an open account, or nil.
func (r *keyring) get(id AccountID) *owner {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.owners[id]
}

func newOwner(s *Service, keys *seal.Keys, root *seal.Root, p past) *owner {
	if p.email != nil {
		keys.SetEmailKey(*p.email)
	}
	sealer := keys.Owner()
	own := &owner{
		svc: s, id: AccountID(sealer.Account), sealer: sealer, keys: keys, root: *root, past: p,
		sessions: map[*Session]struct{}{},
	}
	own.epoch.Store(1)
	own.words.Store(&dictionary{})
	return own
}

// changed is called after every change of the account.
func (own *owner) changed() {
	own.epoch.Add(1)
	own.observers.call()
}

// privateKey expands the key that opens arriving mail. It fails once the root is
// forgotten.
func (own *owner) privateKey() (seal.PrivateKey, error) {
	own.rootMu.Lock()
	defer own.rootMu.Unlock()
	if own.wiped {
		return seal.PrivateKey{}, ErrClosed
	}
	return own.root.PrivateKey(), nil
}

// formerPrivateKey is privateKey of a former generation.
func (own *owner) formerPrivateKey(f *former) (seal.PrivateKey, error) {
	own.rootMu.Lock()
	defer own.rootMu.Unlock()
	if own.wiped {
		return seal.PrivateKey{}, ErrClosed
	}
	return f.root.PrivateKey(), nil
}

func (own *owner) wipe() {
	own.rootMu.Lock()
	defer own.rootMu.Unlock()
	own.wiped = true
	own.root.Wipe()
	own.past.wipe()
}

// observers are the functions of Session.Notify. Calling them takes no lock.
type observers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*func()]
}

func (o *observers) add(f func()) (remove func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &f
	list := append(slices.Clone(o.all()), p)
	o.list.Store(&list)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		list := slices.DeleteFunc(slices.Clone(o.all()), func(q *func()) bool { return p == q })
		o.list.Store(&list)
	}
}

func (o *observers) all() []*func() {
	if list := o.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (o *observers) call() {
	for _, f := range o.all() {
		(*f)()
	}
}
