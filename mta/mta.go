// Package mta takes mail in by SMTP: from the relay's own users (submission,
// RFC 6409) and from other servers for them (MX, RFC 5321).
//
//	server, err := mta.New(mta.Options{Service: service, Domains: domains, TLS: config, Gate: gate, Log: log})
//	group.Go(func() error { return server.ServeSubmission(ctx, listener) })
//	group.Go(func() error { return server.ServeMX(ctx, other) })
//
// A message takes one way, whether it came by DATA or BDAT: its lines are
// checked (lines.go), its header is rewritten so that nothing that identifies a
// person stays but what delivery needs (header.go), the gate judges it, and the
// mailbox service seals it to each recipient. "250" is said when it is durable
// for all of them, and not before.
//
// A message from another server has to come from where it says: the domain of its
// author must vouch for it (origin.go, dkimverify.go), and no network or domain may
// bring more than its measure (tempo.go). Postmaster and abuse are the operator's
// (postmaster.go).
//
// What is promised to the people who write:
//
//   - The address and name of a client are never stored, logged or repeated.
//   - Only TLS carries a login. Only an account's own addresses can be senders,
//     and nobody else can use them from outside.
//   - A message is taken whole or refused with a reason that says what to do.
//   - No error text of this process leaves it: what is not foreseen in reply.go
//     is a 451 with a reference into the log.
//
// The engine is github.com/emersion/go-smtp. It is behind one adapter in two
// halves: wire.go is the connection as the engine sees it, adapter.go the
// session. They hold what the engine lacks, each with its reason. Commands have
// a file each: auth.go, mail.go, rcpt.go, data.go. Decisions are pure functions
// in policy.go.
//
// Offered are STARTTLS (RFC 3207), AUTH with SCRAM, PLAIN and LOGIN (4954), SIZE
// (1870), PIPELINING (2920), 8BITMIME (6152), SMTPUTF8 (6531), CHUNKING (3030),
// ENHANCEDSTATUSCODES (2034), LIMITS (9422), and REQUIRETLS (8689), which
// delivery into a mailbox here fulfils and which goes on to other servers. What is
// asked about reports (DSN, 3461) goes on to them as well.
//
// Mail from our users to other domains is signed once (dkimsign.go) and put into
// the queue in the transaction that stores it for recipients here.
package mta

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox"
)

// Options is what a Server is made of. Service and Domains are needed; the zero
// value of everything else is a documented default.
type Options struct {
	Service *mailbox.Service

	// Domains are those whose addresses are ours, the primary one first.
	Domains []string
	// Hostname is how the server names itself; "" is the primary domain.
	Hostname string

	// TLS is the configuration for STARTTLS on listeners whose connections are
	// not TLS already. Without it no STARTTLS is offered there, and a submission
	// listener lets nobody log in.
	TLS *tls.Config

	// Gate judges each message after its header was rewritten; nil accepts all.
	Gate mailbox.Gate

	// OfferBinding names SCRAM-SHA-256-PLUS among the ways to log in. It is taken in
	// any case; but clients that know the name and can't do it fail over it, such as
	// NeoMutt 20220429 with GNU SASL.
	OfferBinding bool

	// Operator is the account that gets mail to postmaster and abuse; without one
	// such mail is refused. OperatorClear lets it come in clear from other servers.
	Operator      addr.Address
	OperatorClear bool

	// OwnersClear lets mail come in clear from other servers to addresses whose
	// owners have chosen that.
	OwnersClear bool

	// Remote takes mail from our users for other domains as well. It is put into
	// the queue, on which somebody must work (package mta/queue).
	Remote bool

	// Sign returns the DKIM-Signature fields to put before a message that leaves,
	// for the domain of its author; nil signs nothing.
	Sign func(domain string, message io.Reader) ([]byte, error)

	// Origin is what mail from other servers has to prove; the zero value wants a
	// DKIM signature of the author's domain.
	Origin Origin
	// Resolver is asked for what proves it; nil is net.DefaultResolver.
	Resolver Resolver
	// ClientIP returns the address of a connection, for SPF alone; nil knows none.
	ClientIP func(net.Conn) (netip.Addr, bool)

	// Peer names the network of a connection as the listener gave it, for the
	// throttling of logins. nil is one network without a limit.
	Peer func(net.Conn) mailbox.Peer

	// Wait holds back replies to clients that are refused too often; nil waits for
	// that time or until ctx ends.
	Wait func(ctx context.Context, d time.Duration) error

	Limits Limits           // each zero field is its default
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // the clock for Date fields; nil is time.Now
}

// Limits bounds what a connection may do, and how long it may take.
type Limits struct {
	MaxMessage    int64 // bytes of a message; 31,457,280
	MaxRecipients int   // of a transaction; 100
	MaxLine       int   // bytes of a line of a message, with CRLF; 2000
	AuthAttempts  int   // failed logins of a connection, the last of which ends it; 3
	MaxErrors     int   // permanent errors since the last message kept; 20, one more ends the connection
	MaxCommands   int   // in a minute, without a message kept; 1000, one more ends the connection
	PerNetwork    int   // messages in a minute that other servers bring from one network; 3000
	PerDomain     int   // likewise in the name of one organization; 6000

	HandshakeTimeout time.Duration // for TLS; 10 s
	LoginTimeout     time.Duration // from connection to AUTH, at submission; 2 min
	IdleTimeout      time.Duration // from a reply to the next command; 5 min (RFC 5321, 4.5.3.2.7)
	ProgressTimeout  time.Duration // for each 512 bytes inside a command or message; 2 min
	WriteTimeout     time.Duration // for sending replies; 1 min
	StopTimeout      time.Duration // for messages under way when the server stops; 10 s
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.MaxMessage, 31457280)
	orDefault(&l.MaxRecipients, 100)
	orDefault(&l.MaxLine, 2000)
	orDefault(&l.AuthAttempts, 3)
	orDefault(&l.MaxErrors, 20)
	orDefault(&l.MaxCommands, 1000)
	orDefault(&l.PerNetwork, 3000)
	orDefault(&l.PerDomain, 6000)
	orDefault(&l.HandshakeTimeout, 10*time.Second)
	orDefault(&l.LoginTimeout, 2*time.Minute)
	orDefault(&l.IdleTimeout, 5*time.Minute)
	orDefault(&l.ProgressTimeout, 2*time.Minute)
	orDefault(&l.WriteTimeout, time.Minute)
	orDefault(&l.StopTimeout, 10*time.Second)
	return l
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Server takes mail in. It is safe for concurrent use.
type Server struct {
	o       Options
	domains []string
	noticed noticed // of which users, that subjects are lost
	tempo   *tempo
	counts  map[role]*counters
}

// New returns a Server. The error names the option at fault.
func New(o Options) (*Server, error) {
	if o.Service == nil {
		return nil, errors.New("mta: Options.Service is needed")
	}
	s := &Server{o: o, counts: map[role]*counters{submission: {}, exchange: {}}}
	for _, d := range o.Domains {
		a, err := addr.Parse("postmaster@" + d)
		if err != nil {
			return nil, errors.New("mta: Options.Domains has something that is not a domain")
		}
		s.domains = append(s.domains, a.Domain())
	}
	if len(s.domains) == 0 {
		return nil, errors.New("mta: Options.Domains is needed")
	}
	s.o.Limits = o.Limits.withDefaults()
	if o.Hostname == "" {
		s.o.Hostname = s.domains[0]
	}
	if o.Log == nil {
		s.o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		s.o.Now = time.Now
	}
	if o.Wait == nil {
		s.o.Wait = pause.For
	}
	s.tempo = newTempo(s.o.Limits, s.o.Now, s.o.Wait)
	if o.Peer == nil {
		s.o.Peer = noPeer
	}
	if o.Resolver == nil {
		s.o.Resolver = net.DefaultResolver
	}
	if o.ClientIP == nil {
		s.o.ClientIP = noIP
	}
	return s, nil
}

func noPeer(net.Conn) mailbox.Peer { return "" }

func noIP(net.Conn) (netip.Addr, bool) { return netip.Addr{}, false }

// ServeSubmission takes mail from users who log in, on connections of ln that
// are TLS (port 465) or not yet (587). It closes ln when ctx ends, lets messages
// under way come to their end for up to Limits.StopTimeout, closes the
// connections that are left, and returns nil. Any other end of ln is an error.
func (s *Server) ServeSubmission(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, submission)
}

// ServeMX takes mail from other servers for the accounts of this one (port 25).
// It ends as ServeSubmission does.
func (s *Server) ServeMX(ctx context.Context, ln net.Listener) error {
	return s.serve(ctx, ln, exchange)
}
