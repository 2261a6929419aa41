package mta

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// A tempo holds other servers to a measure: so many messages in a minute from one
// network, and in the name of one organization; and whoever keeps being refused
// waits for it. All of that is in memory only, by keys that name nobody but
// domains, and forgotten after a while. It is safe for concurrent use.
//
// Refusing for a while is all there is: no message is put off merely because its
// sender is new (greylisting), since the first message to a friend is the one that
// has to come at once.
type tempo struct {
	now       func() time.Time
	wait      func(ctx context.Context, d time.Duration) error
	byNetwork int // messages in a minute
	byDomain  int

	mu      sync.Mutex
	seen    map[string]*list.Element // of *peerRecord
	recent  *list.List               // last used first
	waiting int
}

// A peerRecord is what one network or domain did lately.
type peerRecord struct {
	key      string
	messages window
	refusals int
	last     time.Time // of the refusals
}

const (
	// maxRecords bounds the memory of a tempo. The one that was used longest ago
	// makes room.
	maxRecords = 20000

	// refusalGrace is how many refusals of a network go without delay, and
	// forgiveAfter how long it takes until one is forgotten.
	refusalGrace = 20
	forgiveAfter = 10 * time.Second

	firstDelay = 250 * time.Millisecond
	maxDelay   = 15 * time.Second
	// maxWaiting bounds the replies that are held back at a time.
	maxWaiting = 1000
)

// errTooMany: there was too much mail lately.
var errTooMany = errors.New("mta: too many messages in a minute")

func newTempo(l Limits, now func() time.Time, wait func(context.Context, time.Duration) error) *tempo {
	return &tempo{now: now, wait: wait, byNetwork: l.PerNetwork, byDomain: l.PerDomain, seen: map[string]*list.Element{}, recent: list.New()}
}

// networkKey and domainKey tell apart what is counted. No domain has a blank.
func networkKey(network string) string { return "network " + network }
func domainKey(domain string) string   { return organization(domain) }

// fromNetwork counts a message that a network wants to bring, or refuses it. "" is
// a network without a limit.
func (p *tempo) fromNetwork(network string) error {
	if network == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.recordLocked(networkKey(network))
	if r.messages.full(p.now(), p.byNetwork) {
		return errTooMany
	}
	r.messages.add(p.now())
	return nil
}

// mayBring refuses a message in the name of a domain that has brought enough.
func (p *tempo) mayBring(domain string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.seen[domainKey(domain)]
	if ok && e.Value.(*peerRecord).messages.full(p.now(), p.byDomain) {
		return errTooMany
	}
	return nil
}

// brought counts a message whose author's domain is known to be the true one:
// nobody can use up the measure of somebody else.
func (p *tempo) brought(domain string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recordLocked(domainKey(domain)).messages.add(p.now())
}

// refused counts a refusal and returns when the client may hear of it: at once, or
// after a while if its network was refused a lot. It returns early when ctx ends.
func (p *tempo) refused(ctx context.Context, network string) {
	d := p.enter(network)
	if d == 0 {
		return
	}
	_ = p.wait(ctx, d) // the reply is due either way
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

func (p *tempo) enter(network string) time.Duration {
	if network == "" {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r, now := p.recordLocked(networkKey(network)), p.now()
	r.refusals = max(0, r.refusals-int(now.Sub(r.last)/forgiveAfter)) + 1
	r.last = now
	over := r.refusals - refusalGrace
	if over <= 0 || p.waiting >= maxWaiting {
		return 0
	}
	p.waiting++
	return min(maxDelay, firstDelay<<min(over-1, 10))
}

// recordLocked returns what is known of a key, and makes it the one used last.
func (p *tempo) recordLocked(key string) *peerRecord {
	if e, ok := p.seen[key]; ok {
		p.recent.MoveToFront(e)
		return e.Value.(*peerRecord)
	}
	if p.recent.Len() >= maxRecords {
		oldest := p.recent.Remove(p.recent.Back()).(*peerRecord)
		delete(p.seen, oldest.key)
	}
	r := &peerRecord{key: key}
	p.seen[key] = p.recent.PushFront(r)
	return r
}
