// Package imapd is the IMAP server: IMAP4rev2 (RFC 9051), IMAP4rev1 (RFC 3501)
// and their extensions, over the sessions of package mailbox.
//
//	s := imapd.New(imapd.Options{Service: service, TLS: config, Gate: gate})
//	err := s.Serve(ctx, listener)
//
// Each connection has one goroutine at a time. It waits for the first byte of a command
// with no buffer held, reads the command's arguments, checks that the connection
// is in a state for it, and calls the command's method; commands.go has the
// table, and each family of commands has a file. What a command answers is
// gathered and sent when the client has nothing more in the pipe.
//
// What a client knows of its mailbox is a list of UIDs and a mod-sequence
// (view.go). At the end of each command, and during IDLE whenever the account
// changes, the server compares that with the mailbox's shared table and tells the
// difference; nothing is queued for a connection, so that a client which does not
// read costs no more than one that does.
//
// Errors become answers in one place, status.go. The text of an unknown error
// never leaves the process.
package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// Options is what a Server is made of. Service is needed; the zero value of
// everything else is a documented default.
type Options struct {
	Service *mailbox.Service

	// TLS is offered by STARTTLS on connections that do not have it yet. nil
	// offers none.
	TLS *tls.Config

	// OfferBinding names SCRAM-SHA-256-PLUS among the ways to log in. It is taken in
	// any case; but clients that know the name and can't do it fail over it, such as
	// NeoMutt 20220429 with GNU SASL.
	OfferBinding bool

	// InsecureAuth lets clients log in without TLS. For tests on loopback.
	InsecureAuth bool

	// Gate judges what clients append; nil accepts everything.
	Gate mailbox.Gate

	// Peer gives the token of a connection's network; nil means that no
	// connection is counted by network.
	Peer func(net.Conn) mailbox.Peer

	// Index narrows searches for texts; nil has them open every message.
	Index Index

	// Shared are METADATA entries of the server, by their names in lower case:
	// what every client may know of the relay.
	Shared map[string]string

	// NewAlias makes addresses for owners who ask by METADATA; nil has no entry for
	// that.
	NewAlias NewAlias

	// Secrets has the entries of METADATA by which the owner's program sets a new
	// password and revokes those of devices.
	Secrets bool

	// Chatmail tells Delta Chat that the account is on a relay for such programs.
	Chatmail bool

	// Push says that something wakes devices by their push tokens: they are kept,
	// and clients are told to give them.
	Push bool

	Limits Limits
	Log    *slog.Logger // nil discards
}

// Limits bounds what a connection can take. Each zero field is its default.
type Limits struct {
	Line        int           // bytes of a command without streamed literals, logged in; 1 MiB
	LineBefore  int           // the same before login; 40 KiB, for ID at its largest
	Message     int64         // of APPEND, told as APPENDLIMIT; 31,457,280
	PerAccount  int           // connections of one account; 200
	Logins      int           // failed logins of a connection; 5
	BadCommands int           // in a row that can't be understood; 10, and half of it before login
	Commands    int           // a second on average, faster clients are held back; no limit
	Greeting    time.Duration // from connecting to login; 1 min
	Idle        time.Duration // without a command, but for IDLE; 35 min
	KeepAlive   time.Duration // between signs of life during IDLE; 4 min
	Progress    time.Duration // without progress in the midst of a command; 1 min
	InProgress  time.Duration // between two signs of life of a command that takes long; 15 s
	Stop        time.Duration // that connections get to end when the server does; 10 s
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Line, 1<<20)
	orDefault(&l.LineBefore, 40<<10)
	orDefault(&l.Message, 31_457_280)
	orDefault(&l.PerAccount, 200)
	orDefault(&l.Logins, 5)
	orDefault(&l.BadCommands, 10)
	orDefault(&l.Greeting, time.Minute)
	orDefault(&l.Idle, 35*time.Minute)
	orDefault(&l.KeepAlive, 4*time.Minute)
	orDefault(&l.Progress, time.Minute)
	orDefault(&l.InProgress, 15*time.Second)
	orDefault(&l.Stop, 10*time.Second)
	return l
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Server serves IMAP. Its methods are safe for concurrent use.
type Server struct {
	o       Options
	recents recents
	counts  counters

	mu       sync.Mutex
	accounts map[mailbox.AccountID]int // connections logged in
}

// New returns a Server.
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Peer == nil {
		o.Peer = func(net.Conn) mailbox.Peer { return "" }
	}
	return &Server{o: o, accounts: map[mailbox.AccountID]int{}, recents: recents{last: map[place]*toldTo{}}}
}

// Serve serves the connections of ln until ctx ends. Then it closes ln, tells
// each client BYE, gives the connections Limits.Stop to end, closes those that
// are left, and returns nil. When ln fails it ends likewise, with that error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(running, func() { ln.Close() })()
	var conns sync.WaitGroup
	for {
		c, err := ln.Accept()
		if err == nil {
			conns.Add(1)
			go s.start(running, c, conns.Done)
			continue
		}
		stopped := ctx.Err() != nil
		cancel()
		conns.Wait()
		if stopped {
			return nil
		}
		return fmt.Errorf("accept: %w", err)
	}
}

// ServeConn serves one connection to its end and closes it. A *tls.Conn has done
// its handshake. When ctx ends, the client is told BYE. Serve needs less memory: it
// has no goroutine that waits for the end.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) {
	done := make(chan struct{})
	s.start(ctx, nc, func() { close(done) })
	<-done
}

// start serves a connection, as conn.serve does.
func (s *Server) start(ctx context.Context, nc net.Conn, ended func()) {
	c := newConn(ctx, s, nc)
	unhook := context.AfterFunc(ctx, func() { c.stop(s.o.Limits.Stop) })
	c.serve(func() {
		unhook()
		ended()
	})
}

// errTooMany is the answer to a login beyond Limits.PerAccount.
var errTooMany = errors.New("too many connections of this account")

// enter counts a connection of an account, until leave.
func (s *Server) enter(id mailbox.AccountID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[id] >= s.o.Limits.PerAccount {
		return errTooMany
	}
	s.accounts[id]++
	return nil
}

func (s *Server) leave(id mailbox.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[id]--; s.accounts[id] == 0 {
		delete(s.accounts, id)
	}
}
