package mta

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// commandLine is the longest line the engine takes: RFC 4954, 4.5 asks for
// 12,288 bytes of a SASL response.
const commandLine = 12288 + 2

// An endpoint is one listener and its connections.
type endpoint struct {
	net.Listener
	role     role
	remote   bool
	counts   *counters
	service  *mailbox.Service
	domains  []string
	hostname string
	tls      *tls.Config
	gate     mailbox.Gate
	network  func(net.Conn) mailbox.Peer
	origin   Origin
	dns      Resolver
	offer    bool // of channel binding
	operator addr.Address
	clear    bool

	ownersClear bool
	noticed     *noticed
	tempo       *tempo
	clientIP    func(net.Conn) (netip.Addr, bool)
	limits      Limits
	sign        func(domain string, message io.Reader) ([]byte, error)
	log         *slog.Logger
	now         func() time.Time

	ctx    context.Context // of all sessions; ends when they must
	cancel context.CancelFunc

	serving context.Context // ends when the server is to stop

	mu     sync.Mutex
	wires  map[*wire]struct{}
	closed chan struct{} // gets a value after each connection's end
}

func (s *Server) serve(ctx context.Context, ln net.Listener, r role) error {
	e := s.endpoint(ctx, ln, r)
	defer e.cancel()
	engine := e.engine()
	served := make(chan error, 1)
	go func() { served <- engine.Serve(e) }()
	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("accept: %w", err)
	case <-ctx.Done():
		e.closeListener(engine)
		<-served
	}
	e.stop()
	return err
}

func (s *Server) endpoint(ctx context.Context, ln net.Listener, r role) *endpoint {
	e := &endpoint{
		Listener: ln, role: r, counts: s.counts[r], remote: s.o.Remote && r == submission, sign: s.o.Sign, service: s.o.Service, domains: s.domains, hostname: s.o.Hostname, tls: s.o.TLS,
		gate: s.o.Gate, network: s.o.Peer, origin: s.o.Origin, dns: s.o.Resolver, offer: s.o.OfferBinding, operator: s.o.Operator, clear: s.o.OperatorClear, ownersClear: s.o.OwnersClear, tempo: s.tempo, noticed: &s.noticed,
		clientIP: s.o.ClientIP, limits: s.o.Limits, log: s.o.Log, now: s.o.Now,
		wires: map[*wire]struct{}{}, closed: make(chan struct{}, 1),
	}
	// Messages under way outlive ctx by Limits.StopTimeout.
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.serving = ctx
	return e
}

// engine returns the go-smtp server. It is told neither of TLS nor of timeouts,
// which are the wire's. Its own limit of a message ends one byte above ours:
// its reader takes the last byte allowed for one too many.
func (e *endpoint) engine() *smtp.Server {
	engine := smtp.NewServer(e)
	engine.Domain = e.hostname
	engine.MaxMessageBytes = e.limits.MaxMessage + 1
	engine.MaxRecipients = e.limits.MaxRecipients
	engine.MaxLineLength = commandLine
	engine.AllowInsecureAuth = true // session.auth looks at the wire
	engine.EnableSMTPUTF8 = true
	engine.EnableDSN = true
	engine.EnableREQUIRETLS = e.role == exchange || e.remote
	engine.ErrorLog = engineLog{e.log}
	return engine
}

// Accept gives the engine the next connection, as a wire.
func (e *endpoint) Accept() (net.Conn, error) {
	conn, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &wire{server: e, limits: e.limits, role: e.role, peer: e.network(conn), conn: conn}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wires[w] = struct{}{}
	return w, nil
}

// closeListener makes Serve return nil. Shutdown with a context that has ended
// says so to Serve and does no more; the engine's Close would also close the
// connections, while they write. The listener is closed here too, because the
// engine knows it only once Serve has begun.
func (e *endpoint) closeListener(engine *smtp.Server) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	_ = engine.Shutdown(ctx) // its error says that ctx has ended
	_ = e.Listener.Close()   // closed already, or it makes Accept fail
}

// stop ends all connections: the idle ones now, the others after their message
// or when the time is up. It returns when there is none left.
func (e *endpoint) stop() {
	for _, w := range e.left() {
		w.stop()
	}
	late := time.NewTimer(e.limits.StopTimeout)
	defer late.Stop()
	for len(e.left()) > 0 {
		select {
		case <-e.closed:
		case <-late.C:
			e.cancel()
			for _, w := range e.left() {
				w.cut()
			}
		}
	}
}

// left lists the connections that are open.
func (e *endpoint) left() []*wire {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*wire, 0, len(e.wires))
	for w := range e.wires {
		list = append(list, w)
	}
	return list
}

// remove forgets a connection at its end.
func (e *endpoint) remove(w *wire) {
	e.mu.Lock()
	delete(e.wires, w)
	e.mu.Unlock()
	select {
	case e.closed <- struct{}{}:
	default: // stop has not taken the last one yet; it looks at all anyway
	}
}

var _ smtp.Backend = (*endpoint)(nil)
