package mailbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox/seal"
)

// Options is what a Service is made of. Store, Key and Domain are needed; the
// zero value of everything else is a documented default.
type Options struct {
	Store  Store
	Key    *seal.RelayKey // of that store
	Domain string         // primary domain: a login without a domain is at this one

	DefaultQuota Quota        // of new accounts; zero is no bound
	Folders      []NewFolder  // of new accounts, besides INBOX; nil is DefaultFolders
	Passwords    seal.Params  // costs of new chosen passwords; zero is seal.DefaultParams
	Terms        Terms        // how long mail and accounts stay (KeepTerms); zero is for ever
	Limits       Limits       // each zero field is its default
	TempDir      string       // for spool files, which are sealed; "" is os.TempDir
	Log          *slog.Logger // nil discards

	// SignUp decides whether a login with an address that no account has, and
	// with a password of its own, makes the account: nil does, ErrAuth is an
	// ordinary failed login, and ErrThrottled asks to try again later. It is
	// called from many goroutines. A nil SignUp never makes one.
	SignUp func(FirstLogin) error

	// Remind, if not nil, is called when an account that nobody uses has 14 days
	// left, and 3, for a push message to its devices. It must return at once.
	Remind func(id AccountID, daysLeft int)

	// Space, if not nil, says how much room the store has. The service looks at it
	// now and then, and takes no accounts or mail while there is too little.
	Space func(context.Context) (Space, error)

	// Arrived, if not nil, is called for each account that got mail, once that is
	// durable. It must return at once.
	Arrived func(id AccountID)

	// Operator is the address of who is told what the relay has to say, such as that
	// its disk is nearly full. The zero Address is postmaster at Domain.
	Operator addr.Address

	// Now is the clock, and Wait waits for d or until ctx ends, with ctx's
	// error then. nil is real time.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// NewFolder is a mailbox that accounts are made with.
type NewFolder struct {
	Name string
	Use  SpecialUse
}

// DefaultFolders returns the mailboxes that a new account has besides INBOX.
func DefaultFolders() []NewFolder {
	return []NewFolder{{"Archive", UseArchive}, {"Drafts", UseDrafts}, {"Junk", UseJunk}, {"Sent", UseSent}, {"Trash", UseTrash}}
}

// Limits bounds what a Service holds and does at a time.
type Limits struct {
	SpoolMemory   int64         // bytes of small messages being received; 64 MiB
	SpoolDisk     int64         // bytes of large ones, in sealed files; 4 GiB
	PasswordRuns  int           // Argon2id runs at a time; the number of CPUs
	PasswordQueue int           // logins waiting for one of these; 64, more get ErrBusy
	Mailboxes     int           // of an account; 1000
	Subscriptions int           // of an account; 1000
	Linger        time.Duration // how long keys and tables outlive their last session; 30 s
	IdleTables    int           // tables kept although no session has the mailbox open; 256
	Throttled     int           // accounts and networks whose failures are remembered; 10,000
	Queue         int           // messages that wait to go to other relays; 200,000, more get ErrFull
	Logins        int           // logins remembered while their account has sessions; 10,000
	PublicKeys    int           // parsed keys of accounts that get mail; 1,000, of some 9 KB each
}

func (l Limits) withDefaults() Limits {
	d := Limits{
		SpoolMemory: 64 << 20, SpoolDisk: 4 << 30, PasswordRuns: runtime.NumCPU(), PasswordQueue: 64,
		Mailboxes: 1000, Subscriptions: 1000, Linger: 30 * time.Second, IdleTables: 256, Throttled: 10_000, Logins: 10_000, PublicKeys: 1000, Queue: 200_000,
	}
	orDefault(&l.SpoolMemory, d.SpoolMemory)
	orDefault(&l.SpoolDisk, d.SpoolDisk)
	orDefault(&l.PasswordRuns, d.PasswordRuns)
	orDefault(&l.PasswordQueue, d.PasswordQueue)
	orDefault(&l.Mailboxes, d.Mailboxes)
	orDefault(&l.Subscriptions, d.Subscriptions)
	orDefault(&l.Linger, d.Linger)
	orDefault(&l.IdleTables, d.IdleTables)
	orDefault(&l.Throttled, d.Throttled)
	orDefault(&l.Logins, d.Logins)
	orDefault(&l.PublicKeys, d.PublicKeys)
	orDefault(&l.Queue, d.Queue)
	return l
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Service is the domain's rules above a Store: it knows the relay key, takes
// messages in, checks credentials, and gives each logged-in owner a Session.
// It is safe for concurrent use.
type Service struct {
	o     Options
	store Store
	key   *seal.RelayKey
	log   *slog.Logger
	now   func() time.Time

	spoolMemory, spoolDisk *budget
	stretch                *turnstile
	rewraps                *turnstile
	throttle               *throttle
	ring                   *keyring
	publics                *publicKeys
	recall                 *recall
	firsts                 singleflight.Group // first logins, by address MAC
	idleTables             atomic.Int64
	calendar               calendar
	debug                  debugging
	sweeping               sync.Mutex // one sweep at a time
	scrub                  scrubbing  // of sweep
	expiry                 expiry
	space                  space
	room                   queueRoom
	counts                 counters

	done   context.Context // ends with the service
	cancel context.CancelFunc
	unhook func()
	workMu sync.Mutex // held while work begins
	work   sync.WaitGroup
}

// New returns a Service above o.Store. The Store stays the caller's: it is
// closed after the Service.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Key == nil || o.Domain == "" {
		return nil, errors.New("mailbox: a service needs a store, its relay key and a domain")
	}
	o = o.withDefaults()
	if _, err := seal.PasswordKDF(o.Passwords); err != nil {
		return nil, err
	}
	s := &Service{
		o: o, store: o.Store, key: o.Key, log: o.Log, now: o.Now,
		spoolMemory: newBudget(o.Limits.SpoolMemory),
		spoolDisk:   newBudget(o.Limits.SpoolDisk),
		stretch:     newTurnstile(o.Limits.PasswordRuns, o.Limits.PasswordQueue),
		rewraps:     newTurnstile(1, math.MaxInt),
		throttle:    newThrottle(o.Limits.Throttled, o.Now, o.Wait),
		ring:        newKeyring(o.Limits.Logins),
		publics:     newPublicKeys(o.Limits.PublicKeys),
		expiry:      expiry{crowded: make(chan AccountID, 1024)},
		space:       space{wake: make(chan struct{}, 1)},
	}
	s.recall = newRecall(s.now)
	s.store = noting{o.Store, &s.recall.changes}
	s.done, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.calendar.last, err = s.store.Calendar(s.done); err != nil {
		return nil, fmt.Errorf("mailbox: read calendar: %w", err)
	}
	s.expiry.idle = s.calendar.last
	s.unhook = s.store.Watch(s.ring.hint)
	s.background(s.keepHouse)
	return s, nil
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	orDefault(&o.Passwords, seal.DefaultParams)
	if o.Folders == nil {
		o.Folders = DefaultFolders()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = pause.For
	}
	return o
}

// Close ends every session, waits for work in the background and forgets all
// keys. Later calls return ErrClosed.
func (s *Service) Close() error {
	s.workMu.Lock()
	s.cancel()
	s.workMu.Unlock()
	s.unhook()
	for _, own := range s.ring.list() {
		s.forget(own)
	}
	s.work.Wait()
	return nil
}

func (s *Service) closed() bool { return s.done.Err() != nil }

// background runs f until it returns; its context ends with the service, and Close
// waits for it.
func (s *Service) background(f func(context.Context)) {
	s.workMu.Lock()
	defer s.workMu.Unlock()
	if !s.closed() {
		s.work.Go(func() { f(s.done) })
	}
}
