package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// acceptLoop takes connections from the socket until it is closed.
func (l *Listener) acceptLoop() {
	var pause time.Duration
	for {
		raw, err := l.ln.Accept()
		if err == nil {
			pause = 0
			l.admit(raw)
			continue
		}
		if !passing(err) {
			_ = l.closeWith(fmt.Errorf("accept on %s: %w", l.opts.Name, nameless(err)))
			return
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		l.refusals.add("the system is out of files or memory")
		select {
		case <-time.After(pause):
		case <-l.done:
		}
	}
}

// passing reports whether an error of accept may go away by itself: the peer
// has left already, or a resource is short that ends of connections give back.
func passing(err error) bool {
	for _, errno := range []error{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINTR} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// admit takes one connection in, or closes it. It waits for no peer.
func (l *Listener) admit(raw net.Conn) {
	l.keepAlive(raw)
	c := &conn{Conn: raw, raw: raw, listener: l}
	if ip := addrIP(raw.RemoteAddr()); l.opts.Network == IP && !(l.opts.SharedLoopback && ip.IsLoopback()) {
		c.setClient(ip)
	}
	if l.opts.Network == Proxy && !l.trusted(addrIP(raw.RemoteAddr())) {
		l.refuse(raw, "the peer is no trusted proxy")
		return
	}
	if reason := l.add(c); reason != "" {
		l.refuse(raw, reason)
		return
	}
	l.counters.accepted.Add(1)
	if l.opts.TLS == nil && l.opts.Network != Proxy {
		l.handOver(c, c)
		return
	}
	l.beginHandshake(c)
}

// refuse closes a connection that was not taken in.
func (l *Listener) refuse(raw net.Conn, reason string) {
	_ = raw.Close()
	l.counters.refused.Add(1)
	l.refusals.add(reason)
}

// handOver gives the connection to Accept. c is the same or the one below it.
func (l *Listener) handOver(c *conn, ready net.Conn) {
	select {
	case l.ready <- ready:
	case <-l.done:
		_ = c.Close()
	}
}

// beginHandshake makes the connection ready on a goroutine that ends with it.
func (l *Listener) beginHandshake(c *conn) {
	oldest := l.addPending(c)
	if oldest != nil {
		_ = oldest.raw.Close() // its handshake fails and releases it
		l.refusals.add("too many handshakes at a time")
	}
	l.wg.Go(func() {
		ready, err := l.handshake(c)
		if !l.removePending(c) && err == nil {
			err = net.ErrClosed // chosen as the oldest just as it came through
		}
		if err != nil {
			l.counters.broken.Add(1)
			l.opts.Log.Debug("handshake ended", "error", nameless(err).Error())
			_ = c.Close()
			return
		}
		l.handOver(c, ready)
	})
}

// handshake reads the PROXY header, if there is to be one, and does TLS, if
// that is wanted. One deadline bounds both and every read and write in them.
func (l *Listener) handshake(c *conn) (net.Conn, error) {
	// The deadline counts on the system's clock, as sockets do.
	if err := c.SetDeadline(time.Now().Add(l.opts.HandshakeTimeout)); err != nil {
		return nil, err
	}
	if l.opts.Network == Proxy {
		if err := l.readProxyHeader(c); err != nil {
			return nil, err
		}
	}
	var ready net.Conn = c
	if l.opts.TLS != nil {
		t := tls.Server(c, l.opts.TLS)
		if err := t.Handshake(); err != nil {
			return nil, err
		}
		ready = t
	}
	return ready, c.SetDeadline(time.Time{})
}

// readProxyHeader takes the client's address from the header. A LOCAL header
// is a connection of the proxy itself and one for a Unix socket has no
// network: neither is limited per network.
func (l *Listener) readProxyHeader(c *conn) error {
	// The timeout of the package is off, as the connection has a deadline.
	pc := proxyproto.NewConn(c.Conn, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(0))
	header := pc.ProxyHeader()
	if header == nil {
		return errors.New("the proxy sent no PROXY header that can be read")
	}
	c.Conn = pc
	if header.Command.IsLocal() {
		return nil
	}
	c.setClient(addrIP(header.SourceAddr))
	if reason := l.addNetwork(c); reason != "" {
		l.refusals.add(reason)
		return errors.New(reason)
	}
	return nil
}

// trusted reports whether ip may send PROXY headers.
func (l *Listener) trusted(ip netip.Addr) bool {
	for _, p := range l.opts.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// keepAlive makes TCP find out about peers that have gone without a word.
func (l *Listener) keepAlive(raw net.Conn) {
	tc, ok := raw.(*net.TCPConn)
	if !ok {
		return
	}
	// Without probes a dead peer is found by the deadlines of the server.
	_ = tc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: l.opts.KeepAlive, Interval: 30 * time.Second, Count: 4})
}
