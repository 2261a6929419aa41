package listen

import (
	"net"
	"time"
)

// Close stops accepting and cuts off the connections that are not ready yet.
// Those that Accept has returned stay open. It may be called more than once.
func (l *Listener) Close() error { return l.closeWith(net.ErrClosed) }

// closeWith closes the listener; Accept will return err.
func (l *Listener) closeWith(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed, l.err = true, err
	close(l.done)
	for e := l.pending.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*conn).raw.Close() // its handshake fails and releases it
	}
	l.tellEmptyLocked()
	return l.ln.Close()
}

// Stop closes the listener, waits for its connections to end, and closes those
// that are still open after StopTimeout. It returns when all are closed.
func (l *Listener) Stop() {
	_ = l.Close() // stopping goes on whatever the socket answers
	timeout := time.NewTimer(l.opts.StopTimeout)
	defer timeout.Stop()
	select {
	case <-l.empty:
	case <-timeout.C:
		l.cutOff()
	}
	l.wg.Wait()
}

// cutOff closes the connections that are left.
func (l *Listener) cutOff() {
	l.mu.Lock()
	left := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		left = append(left, c)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	l.opts.Log.Info("closed connections that did not end", "connections", len(left))
}

// failure returns the error that ended accepting, nil if it was Close.
func (l *Listener) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == net.ErrClosed {
		return nil
	}
	return l.err
}
