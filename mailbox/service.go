package mailbox

import (
	"context"
	"log/slog"
	"runtime"
	"time"

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
	Limits       Limits       // each zero field is its default
	TempDir      string       // for spool files, which are sealed; "" is os.TempDir
	Log          *slog.Logger // nil discards

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
	Logins        int           // logins remembered while their account has sessions; 10,000
}

func (l Limits) withDefaults() Limits {
	d := Limits{
		SpoolMemory: 64 << 20, SpoolDisk: 4 << 30, PasswordRuns: runtime.NumCPU(), PasswordQueue: 64,
		Mailboxes: 1000, Subscriptions: 1000, Linger: 30 * time.Second, IdleTables: 256, Throttled: 10_000, Logins: 10_000,
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
}

// New returns a Service above o.Store. The Store stays the caller's: it is
// closed after the Service.
func New(o Options) (*Service, error) {
	panic("soon")
}

// Close ends every session, waits for work in the background and forgets all
// keys. Later calls return ErrClosed.
func (s *Service) Close() error { panic("soon") }
