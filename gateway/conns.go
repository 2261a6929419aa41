package gateway

import (
	"errors"
	"net"
	"sync"
)

// connSet is a listener that knows its connections, so that they can be closed: the
// SMTP engine's Close does not do it after a Shutdown that took too long.
type connSet struct {
	net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Accept remembers the connection until it is closed.
func (s *connSet) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	if s.conns == nil {
		s.conns = map[net.Conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	return &setConn{c, s}, nil
}

// closeAll closes every connection, and those that would come.
func (s *connSet) closeAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // somebody else may have closed it meanwhile
	}
	return nil
}

type setConn struct {
	net.Conn
	set *connSet
}

// NetConn returns the connection below.
func (c *setConn) NetConn() net.Conn { return c.Conn }

// Close closes the connection and forgets it.
func (c *setConn) Close() error {
	c.set.mu.Lock()
	delete(c.set.conns, c.Conn)
	c.set.mu.Unlock()
	return c.Conn.Close()
}
