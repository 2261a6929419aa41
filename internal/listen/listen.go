// Package listen opens the sockets of a relay and hands over only connections
// that are ready to speak: counted, limited, and through their TLS handshake.
//
// A [Listener] is a net.Listener, so that an SMTP engine can serve it, and has
// a Serve method of its own for servers that are a function of a connection.
// With TLS, what it hands over is a *tls.Conn whose handshake is done; engines
// that look for that type find it outermost. The handshake runs on a goroutine
// of its own, which ends before the connection is handed over: accepting never
// waits for a slow peer, and the goroutine that serves the connection has not
// grown its stack by a handshake. A peer that has not finished when
// HandshakeTimeout is over is cut off.
//
// # Who is there
//
// Throttles need to know whether two connections come from one place, and
// nothing else does. [PeerOf] gives a [Peer], a token that can be compared and
// that says nothing: it is a keyed hash of the network (/24 for IPv4, /48 for
// IPv6) under a key that this process made up and never writes down. RemoteAddr
// of a connection is empty, and the errors of its reads and writes name no
// address, so that no log can have one by accident. [ClientIP] is for the SPF
// check alone (RFC 7208, 4.1).
//
// # Certificates
//
// [TLS] serves the certificate files of the operator and takes up new ones
// while running, or keeps a small certification authority of its own in the
// data folder where there are none.
//
// # Stopping
//
// [Listener.Close] stops accepting; [Listener.Stop] also gives the open
// connections StopTimeout to end, and then closes those that are left.
package listen

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Network says what the address of a connection is worth.
type Network string

const (
	// IP: the peer's address is the client's.
	IP Network = "ip"
	// Proxy: each connection comes from a trusted proxy and begins with a
	// PROXY protocol header, version 1 or 2, which names the client.
	Proxy Network = "proxy"
	// Shared: all clients come from one address, as behind an onion service or
	// on loopback, so that no limit per network can be just.
	Shared Network = "shared"
)

// Defaults of Options, used where a field is zero.
const (
	DefaultMaxConns         = 20000
	DefaultMaxPerNetwork    = 200
	DefaultMaxHandshakes    = 500
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultStopTimeout      = 10 * time.Second
	DefaultKeepAlive        = 5 * time.Minute
)

// Options are the settings of one listener.
type Options struct {
	// Name tells listeners apart in the log, such as "imaps".
	Name string

	// Network says what the peer's address is worth; empty means IP.
	Network Network

	// SharedLoopback takes connections from this machine for those of many, as
	// they are when an onion service brings them: no limit per network applies to
	// them, and they have no address.
	SharedLoopback bool

	// TrustedProxies are the addresses from which a Proxy listener takes
	// connections. All others are closed unread.
	TrustedProxies []netip.Prefix

	// TLS makes the listener speak TLS from the first byte; nil means plain.
	TLS *tls.Config

	// MaxConns bounds the open connections, those in a handshake included.
	// A connection over the bound is closed at once.
	MaxConns int

	// MaxPerNetwork bounds the open connections from one network. It has no
	// effect on a Shared listener.
	MaxPerNetwork int

	// MaxHandshakes bounds the connections in a handshake. Over the bound, the
	// one that has been at it longest is closed: an attacker has to keep making
	// connections as fast as honest clients finish theirs.
	MaxHandshakes int

	// HandshakeTimeout bounds PROXY header and TLS handshake together.
	HandshakeTimeout time.Duration

	// StopTimeout is how long Stop waits for connections to end.
	StopTimeout time.Duration

	// KeepAlive is the silence after which TCP probes whether the peer is still
	// there. A short one costs phones their battery.
	KeepAlive time.Duration

	// Log gets a line when peers are refused, at most one a minute, and Debug
	// lines about handshakes. Nil discards them.
	Log *slog.Logger

	// Now is the clock that paces the log; nil means time.Now.
	Now func() time.Time
}

// withDefaults fills in the fields that are zero.
func (o Options) withDefaults() Options {
	orDefault(&o.Network, IP)
	orDefault(&o.MaxConns, DefaultMaxConns)
	orDefault(&o.MaxPerNetwork, DefaultMaxPerNetwork)
	orDefault(&o.MaxHandshakes, DefaultMaxHandshakes)
	orDefault(&o.HandshakeTimeout, DefaultHandshakeTimeout)
	orDefault(&o.StopTimeout, DefaultStopTimeout)
	orDefault(&o.KeepAlive, DefaultKeepAlive)
	orDefault(&o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Listener accepts connections and makes them ready. Its methods may be
// called from any goroutine.
type Listener struct {
	ln    net.Listener
	opts  Options
	ready chan net.Conn  // unbuffered: from the handshakes to Accept
	done  chan struct{}  // closed by Close
	wg    sync.WaitGroup // the accept loop and the handshakes

	mu         sync.Mutex
	started    bool // the accept loop runs
	closed     bool
	err        error // why accepting ended, if not by Close
	conns      map[*conn]struct{}
	empty      chan struct{} // closed when closed and no connection is left
	perNetwork map[Peer]int
	pending    list.List // of *conn, those in a handshake, oldest first

	refusals *refusals
	counters counters
}

var _ net.Listener = (*Listener)(nil)

// advise adds what to do about a port that can't be had.
func advise(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: stop the program that has it (`ss -tlnp` names it), or configure another port", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE, which the systemd unit gives", err)
	}
	return err
}

// Listen opens a TCP socket at the address, such as ":993" or "[::1]:143", and
// returns a Listener on it.
func Listen(ctx context.Context, address string, opts Options) (*Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", opts.Name, advise(err))
	}
	l, err := New(ln, opts)
	if err != nil {
		_ = ln.Close() // the fault in the options is what matters
		return nil, err
	}
	return l, nil
}

// New makes a Listener on an open socket, which it takes over. Connections wait
// in the system's queue until the first Accept.
func New(ln net.Listener, opts Options) (*Listener, error) {
	opts = opts.withDefaults()
	opts.Log = opts.Log.With("listener", opts.Name)
	switch opts.Network {
	case IP, Shared:
	case Proxy:
		if len(opts.TrustedProxies) == 0 {
			return nil, fmt.Errorf("listener %s: network %q needs the addresses of the trusted proxies", opts.Name, opts.Network)
		}
	default:
		return nil, fmt.Errorf("listener %s: network %q is none of %q, %q and %q", opts.Name, opts.Network, IP, Proxy, Shared)
	}
	l := &Listener{
		ln:         ln,
		opts:       opts,
		ready:      make(chan net.Conn),
		done:       make(chan struct{}),
		empty:      make(chan struct{}),
		conns:      map[*conn]struct{}{},
		perNetwork: map[Peer]int{},
	}
	l.refusals = newRefusals(opts.Log, opts.Now)
	return l, nil
}

// Addr returns the address of the socket.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Accept returns the next connection that is ready. The caller must close it.
// After Close the error is net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	l.startOnce()
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

// startOnce starts the accept loop. It does so under the lock and never after
// Close, so that Stop cannot miss it.
func (l *Listener) startOnce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && !l.closed {
		l.started = true
		l.wg.Go(l.acceptLoop)
	}
}

// Serve calls handle with each connection, on a goroutine of its own, and
// closes the connection when handle returns. It accepts until ctx ends, which
// the context given to handle tells as well, or until Close; then it stops as
// Stop does, waits for the handlers, and returns nil. A socket that fails for
// good is the only error.
func (l *Listener) Serve(ctx context.Context, handle func(ctx context.Context, c net.Conn)) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var handlers sync.WaitGroup
	for {
		c, err := l.Accept()
		if err != nil {
			l.Stop()
			handlers.Wait()
			return l.failure()
		}
		handlers.Go(func() {
			defer c.Close()
			handle(ctx, c)
		})
	}
}
