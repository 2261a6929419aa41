package listen

import (
	"container/list"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// A conn is a connection that the listener counts until it is closed. It keeps
// the client's address to itself.
type conn struct {
	net.Conn          // the socket, or the reader of a PROXY header above it
	raw      net.Conn // the socket, which any goroutine may close
	listener *Listener
	peer     Peer
	ip       netip.Addr

	// The listener's mutex protects these.
	counted     bool          // towards its network
	inHandshake *list.Element // while it waits for its handshake
}

// setClient notes whose connection this is. An invalid address is nobody's.
func (c *conn) setClient(ip netip.Addr) { c.ip, c.peer = ip, peerOf(ip) }

// Close closes the connection and gives its place to others.
func (c *conn) Close() error {
	c.listener.release(c)
	return nameless(c.raw.Close())
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, nameless(err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, nameless(err)
}

// SyscallConn gives servers the options of the socket.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.raw.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}

// RemoteAddr returns an address that tells nothing.
func (c *conn) RemoteAddr() net.Addr { return hiddenAddr{} }

// hiddenAddr is the remote address of every connection.
type hiddenAddr struct{}

func (hiddenAddr) Network() string { return "tcp" }
func (hiddenAddr) String() string  { return redactedNetwork }

// nameless returns the error without the addresses that the net package puts
// into its errors. What callers look for in the error stays.
func nameless(err error) error {
	var op *net.OpError
	if err == nil || !errors.As(err, &op) {
		return err
	}
	return &net.OpError{Op: op.Op, Net: op.Net, Err: op.Err}
}

// below returns the connection of this package that c is or that c stands on.
func below(c net.Conn) (*conn, bool) {
	for c != nil {
		if own, ok := c.(*conn); ok {
			return own, true
		}
		upper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil, false
		}
		c = upper.NetConn()
	}
	return nil, false
}

// PeerOf returns the token for the network of a connection's client. c is a
// connection of a Listener or stands on one: a layer is seen through if it has
// the NetConn method of tls.Conn. For all others, and where clients share one
// address, the token is the zero Peer.
func PeerOf(c net.Conn) Peer {
	if own, ok := below(c); ok {
		return own.peer
	}
	return Peer{}
}

// ClientIP returns the address of a connection's client. It is there for the
// SPF check of a message (RFC 7208, 4.1), and to try the ports of a relay that asks
// for it; nobody may store it or log it. On a
// Shared listener there is none.
func ClientIP(c net.Conn) (netip.Addr, bool) {
	own, ok := below(c)
	if !ok || !own.ip.IsValid() {
		return netip.Addr{}, false
	}
	return own.ip, true
}
