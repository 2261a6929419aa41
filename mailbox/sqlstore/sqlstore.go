// Package sqlstore keeps the mail: it fulfils the contract mailbox.Store on
// SQLite.
//
// One goroutine writes. Requests queue for it, and all that wait go into one
// transaction, so that sixty senders share one wait for the disk; one that fails
// is undone alone and spoils nothing for the others (writer.go).
// Readers have connections of their own, read the last committed state, and
// never wait for the writer.
//
// A request is answered after COMMIT with synchronous=FULL: what was answered
// survives a power cut. Bodies over 64 KiB are files; such a file is synced and
// named, and its folder synced, before the row that names it exists, and is
// removed after the commit that drops the last reference. Files that a crash
// left over are swept up.
//
// The text of each query stands once, beside the method that uses it, and is
// the same for every dialect; what differs stands in sqlite.go. Placeholders are
// numbered in the order they first appear, since that is how the drivers bind.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// Options says where a store is and how it works.
type Options struct {
	// Path is the SQLite file. It is made with its folder if missing.
	Path string

	// URL, if not empty, is a database on PostgreSQL instead, which several nodes
	// may have open: postgres://user@host/database. It may name several hosts, of
	// which the primary is used, and what libpq knows as parameters. A host that
	// is not this machine must prove its name, unless sslmode says otherwise.
	URL string

	// PasswordFile holds the password for URL, if the server asks for one.
	PasswordFile string

	// RequireSync has a store on PostgreSQL refuse a server that confirms a commit
	// before a standby has it, with ErrNotSynchronous. It is also the operator's
	// word that only such a standby is promoted: a new timeline then loses
	// nothing, and UIDVALIDITYs stay as they are.
	RequireSync bool

	// HintBus, if not empty, is a NATS server by which the nodes of a store on
	// PostgreSQL tell each other of commits, instead of by the database:
	// nats://host:4222 or tls://host:4222. Which accounts change, by number, can be
	// read there. HintBusCredentials is a file that proves who we are to it.
	HintBus            string
	HintBusCredentials string

	// Objects says where the large bodies of a store on PostgreSQL are. The default is
	// the database. Once a store has had any, it needs to know where.
	Objects *ObjectOptions

	// BodyDir is the folder of the bodies too large for the database, which no
	// other store may use. The default is Path with ".bodies" added.
	BodyDir string

	// KeyCheck returns what the relay key makes of the store's identity
	// (seal.RelayKey.Check). The first Open keeps it; a later one with another
	// key fails with ErrWrongKey.
	KeyCheck func(seal.StoreID) seal.KeyCheck

	// Log takes what an operator must know. nil discards it.
	Log *slog.Logger

	// Now is the clock, time.Now by default. Several goroutines call it.
	Now func() time.Time

	// Readers is how many reads run at once; the default is 8. Each may cost
	// 2 MiB of cache.
	Readers int

	// TxTimeout bounds one transaction of the writer; the default is 30 s. A
	// request that meets it is undone and fails with mailbox.ErrBusy.
	TxTimeout time.Duration

	// SweepEvery is the time between two sweeps of leftovers; the default is
	// half an hour, so that nothing deleted stays in a file for an hour. The first
	// one runs at Open.
	SweepEvery time.Duration

	// Reserve is the size of a file beside an SQLite store that takes up room until
	// the disk is full, and then leaves it to what makes room, such as deletions. It
	// is made when there is room for several of it. The default is none.
	Reserve int64

	// CopyOf has a new store take the identity of another, as its copy, and be
	// Arriving. KeyCheck is that store's by default.
	CopyOf *Store

	// Places are what the store may be for; the default is Served alone. A store
	// that is opened with any is nobody else's meanwhile, and is not swept.
	Places []Place

	// Program is the name and version of the program. It is kept with a schema that
	// the program has made, and told to an older one that does not know the schema.
	Program string

	// CheckOnClose makes Close return what CheckConsistency finds. For tests.
	CheckOnClose bool

	// maxBatch bounds the requests of one transaction. Benchmarks set it to 1.
	maxBatch int

	// bySweepOnly leaves the sweeps to whoever calls Sweep: the first one, which Open
	// starts, may otherwise run at any moment. For tests that look into the files.
	bySweepOnly bool

	// space is diskSpace. Tests of what happens without room replace it.
	space func(path string) (free, size int64, err error)

	careless careless
}

func (o *Options) setDefaults() error {
	if (o.Path == "") == (o.URL == "") {
		return errors.New("give it either a path or a URL")
	}
	if o.Objects != nil && o.URL == "" {
		return errors.New("only a store on PostgreSQL has bodies in an object store")
	}
	if o.KeyCheck == nil && o.CopyOf != nil {
		o.KeyCheck = o.CopyOf.opts.KeyCheck
	}
	if o.KeyCheck == nil {
		return errors.New("no key check given: without one, a relay with another key would write to the store")
	}
	if o.BodyDir == "" {
		o.BodyDir = o.Path + ".bodies"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Readers <= 0 {
		o.Readers = 8
	}
	if o.TxTimeout <= 0 {
		o.TxTimeout = 30 * time.Second
	}
	if o.SweepEvery <= 0 {
		o.SweepEvery = 30 * time.Minute
	}
	if o.maxBatch <= 0 {
		o.maxBatch = 256
	}
	if o.space == nil {
		o.space = diskSpace
	}
	return nil
}

// Store is a mailbox.Store in an SQLite file. Only one process can have it open.
type Store struct {
	opts    Options
	id      seal.StoreID
	engine  engine
	large   largeBodies
	files   *bodyFiles // of SQLite
	readers *readerPool
	writer  *writer
	watch   watchers
	reserve *reserve
	counts  counters

	// running is held for reading by each call and for writing by Close.
	running sync.RWMutex
	closed  bool

	stopSweeper func()
}

var _ mailbox.Store = (*Store)(nil)

// Open opens a store and makes it if there is none. Errors: ErrLocked,
// ErrWrongKey, ErrNewer, ErrPlace.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.setDefaults(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{opts: o, reserve: newReserve(&o), stopSweeper: func() {}}
	s.engine = newEngine(s)
	if err := s.open(ctx); err != nil {
		s.release()
		return nil, fmt.Errorf("open store: %w", err)
	}
	go s.writer.loop()
	if o.Places == nil && !o.bySweepOnly {
		s.startSweeper()
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.engine.prepare(ctx); err != nil {
		return err
	}
	var err error
	if s.writer, err = openWriter(ctx, s); err != nil {
		return err
	}
	if err := s.upgrade(ctx); err != nil {
		return err
	}
	if err := s.takeIdentity(ctx); err != nil {
		return err
	}
	if s.id, err = identify(ctx, s.writer.on.conn, s.opts.KeyCheck); err != nil {
		return err
	}
	if err := s.checkPlace(ctx); err != nil {
		return err
	}
	s.readers = newPool(s.engine, reads, s.opts.Readers, s.opts.URL == "")
	return s.engine.ready(ctx)
}

// release gives back whatever open took.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(append(errs, s.engine.close())...)
}

// ID implements mailbox.Store.
func (s *Store) ID() seal.StoreID { return s.id }

// Close implements mailbox.Store. Readers of bodies stay usable.
func (s *Store) Close() error {
	s.stopSweeper()
	s.running.Lock()
	defer s.running.Unlock()
	if s.closed {
		return mailbox.ErrClosed
	}
	s.closed = true
	s.writer.stop()
	var check error
	if s.opts.CheckOnClose {
		check = s.checkConsistency(context.Background())
	}
	if err := errors.Join(check, s.release()); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// enter begins a call, which must call leave when it returned nil. Calls don't
// nest: Close waiting between the two would stop both for ever.
func (s *Store) enter() error {
	s.running.RLock()
	if s.closed {
		s.running.RUnlock()
		return mailbox.ErrClosed
	}
	return nil
}

func (s *Store) leave() { s.running.RUnlock() }

func (s *Store) today() mailbox.Day { return mailbox.DayOf(s.opts.Now()) }
