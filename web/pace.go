package web

import (
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// Rate is how often something may happen: once Every so long on average, and Burst
// times at once after a quiet time. Every zero, with a Burst, is no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// wait returns how long the next one has to wait whose queue ends at tail.
func (r Rate) wait(tail, now time.Time) time.Duration {
	if !tail.After(now) {
		return 0
	}
	return max(0, tail.Sub(now)-time.Duration(r.Burst-1)*r.Every)
}

// advance returns where the queue ends after one more.
func (r Rate) advance(tail, now time.Time) time.Time {
	if tail.Before(now) {
		tail = now
	}
	return tail.Add(r.Every)
}

// maxNetworks bounds the networks that a pacer remembers.
const maxNetworks = 10_000

// A pacer keeps the rate of something, over all networks and for each of them. It
// remembers one moment for each network that was seen of late, in memory only, and
// is safe for concurrent use.
type pacer struct {
	all, network Rate

	mu    sync.Mutex
	tail  time.Time
	tails map[mailbox.Peer]time.Time
}

func newPacer(all, network Rate) *pacer {
	return &pacer{all: all, network: network, tails: map[mailbox.Peer]time.Time{}}
}

// reserve takes the next place in the queue if it is no further away than
// patience. It returns the wait in any case. A network that is "" has no rate of
// its own.
func (p *pacer) reserve(peer mailbox.Peer, now time.Time, patience time.Duration) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait = p.all.wait(p.tail, now)
	if peer != "" {
		wait = max(wait, p.network.wait(p.tails[peer], now))
	}
	if wait > patience {
		return wait, false
	}
	p.tail = p.all.advance(p.tail, now)
	if peer != "" {
		p.makeRoomLocked(now)
		p.tails[peer] = p.network.advance(p.tails[peer], now)
	}
	return wait, true
}

// backlog is how many places there are taken, over all networks.
func (p *pacer) backlog(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.tail.After(now) {
		return 0
	}
	return int(p.tail.Sub(now) / p.all.Every)
}

// makeRoomLocked forgets networks that have been quiet, and if that is not enough
// any network: with so many of them the rate over all is what holds.
func (p *pacer) makeRoomLocked(now time.Time) {
	if len(p.tails) < maxNetworks {
		return
	}
	for peer, tail := range p.tails {
		if tail.Before(now) {
			delete(p.tails, peer)
		}
	}
	for peer := range p.tails {
		if len(p.tails) < maxNetworks {
			return
		}
		delete(p.tails, peer)
	}
}

// used remembers the nonces of tickets that were redeemed, until they expire. It is
// safe for concurrent use.
type used struct {
	mu     sync.Mutex
	nonces map[nonce]time.Time
}

// maxUsed bounds the tickets that can be redeemed while any of them is valid.
const maxUsed = 100_000

func newUsed() *used { return &used{nonces: map[nonce]time.Time{}} }

// take marks a ticket as redeemed. The error is errTicketUsed if it is already, and
// mailbox.ErrBusy if there are too many.
func (u *used) take(t ticket, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.nonces[t.nonce]; ok {
		return errTicketUsed
	}
	if len(u.nonces) >= maxUsed {
		u.sweepLocked(now)
	}
	if len(u.nonces) >= maxUsed {
		return mailbox.ErrBusy
	}
	u.nonces[t.nonce] = t.expires
	return nil
}

// giveBack takes the mark away: the account was not made.
func (u *used) giveBack(t ticket) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.nonces, t.nonce)
}

func (u *used) sweepLocked(now time.Time) {
	for n, expires := range u.nonces {
		if expires.Before(now) {
			delete(u.nonces, n)
		}
	}
}
