package listen

import (
	"log/slog"
	"sync"
	"time"
)

const (
	tooMany           = "too many connections"
	tooManyPerNetwork = "too many connections from one network"
)

// add counts a connection, or returns the reason for which it is refused.
func (l *Listener) add(c *conn) (refused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.opts.MaxConns {
		return tooMany
	}
	if reason := l.addNetworkLocked(c); reason != "" {
		return reason
	}
	l.conns[c] = struct{}{}
	return ""
}

// addNetwork counts a connection towards its network, or returns the reason
// for which it is refused.
func (l *Listener) addNetwork(c *conn) (refused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addNetworkLocked(c)
}

func (l *Listener) addNetworkLocked(c *conn) (refused string) {
	if !c.peer.Known() {
		return ""
	}
	if l.perNetwork[c.peer] >= l.opts.MaxPerNetwork {
		return tooManyPerNetwork
	}
	l.perNetwork[c.peer]++
	c.counted = true
	return ""
}

// release forgets a connection that is being closed. Only the first call for a
// connection has an effect.
func (l *Listener) release(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.conns[c]; !open {
		return
	}
	delete(l.conns, c)
	if c.counted {
		l.perNetwork[c.peer]--
		if l.perNetwork[c.peer] == 0 {
			delete(l.perNetwork, c.peer)
		}
	}
	l.tellEmptyLocked()
}

// tellEmptyLocked lets Stop go on when nothing is left to wait for.
func (l *Listener) tellEmptyLocked() {
	if !l.closed || len(l.conns) > 0 {
		return
	}
	select {
	case <-l.empty:
	default:
		close(l.empty)
	}
}

// addPending notes that a connection begins its handshake. If there are too
// many, it takes the oldest from the list and returns it.
func (l *Listener) addPending(c *conn) (oldest *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.inHandshake = l.pending.PushBack(c)
	if l.closed {
		_ = c.raw.Close() // Close came between accept and here
	}
	if l.pending.Len() <= l.opts.MaxHandshakes {
		return nil
	}
	oldest = l.pending.Remove(l.pending.Front()).(*conn)
	oldest.inHandshake = nil
	return oldest
}

// removePending notes that a handshake has ended, and reports whether it was
// still wanted.
func (l *Listener) removePending(c *conn) (wanted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.inHandshake == nil {
		return false
	}
	l.pending.Remove(c.inHandshake)
	c.inHandshake = nil
	return true
}

// refusals puts refused connections into the log, for each reason at most one
// line a minute, so that a flood of them does not fill the disk.
type refusals struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	counts map[string]*refusalCount
}

// A refusalCount is what has happened for one reason.
type refusalCount struct {
	logged time.Time // when the last line was written
	since  int       // how often it has happened after that line
}

// refusalInterval is the least time between two lines of one reason.
const refusalInterval = time.Minute

func newRefusals(log *slog.Logger, now func() time.Time) *refusals {
	return &refusals{log: log, now: now, counts: map[string]*refusalCount{}}
}

// add counts a refusal. There are few reasons, all of them constants.
func (r *refusals) add(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts[reason]
	if c == nil {
		c = &refusalCount{}
		r.counts[reason] = c
	}
	c.since++
	if now := r.now(); now.Sub(c.logged) >= refusalInterval {
		r.log.Warn("refused connections", "reason", reason, "connections", c.since)
		c.logged, c.since = now, 0
	}
}
