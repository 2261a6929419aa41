package queue

import (
	"errors"
	"sync"
	"time"
)

// health tells whether this machine reaches other mail servers at all. Providers
// that block outgoing port 25 drop packets, so that every server seems to be slow.
type health struct {
	mu        sync.Mutex
	reached   time.Time          // when a server last answered, in whatever way
	unreached map[string]silence // domains whose servers have not since
	unnamed   map[string]silence // domains that DNS was asked for in vain since it last answered
}

// A silence is when a domain's servers first and last did not answer.
type silence struct{ from, to time.Time }

const (
	// blockedAfter is how many domains without an answer make us think that it is
	// our own fault, unless another has answered in blockedWithin. A slow server is
	// one domain, and the others answer.
	blockedAfter  = 3
	blockedWithin = 5 * time.Minute

	// blockedFor is how long one must have been silent where fewer were tried: the
	// third attempt comes after some three minutes. An outage of these very servers
	// looks the same, and what we say names both.
	blockedFor = 2 * time.Minute
)

// note takes the outcome of connecting to a domain's servers.
func (h *health) note(domain string, err error, now time.Time) {
	if isOnion(domain) {
		return // another network
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, errDNS) {
		noteSilence(&h.unnamed, domain, now)
	} else if !tellsNothingOfDNS(err) {
		h.unnamed = nil
	}
	switch {
	case isSilence(err):
		noteSilence(&h.unreached, domain, now)
	case !isNoWord(err):
		h.reached, h.unreached = now, nil
	}
}

// noteSilence notes that there was no answer, for as many domains as matter.
func noteSilence(all *map[string]silence, domain string, now time.Time) {
	if *all == nil {
		*all = map[string]silence{}
	}
	s, known := (*all)[domain]
	if !known {
		if len(*all) >= 100*blockedAfter {
			return
		}
		s.from = now
	}
	s.to = now
	(*all)[domain] = s
}

// tellsNothingOfDNS reports whether an error came without a question to a resolver.
func tellsNothingOfDNS(err error) bool {
	return errors.Is(err, errInterrupted) || errors.Is(err, errLiteral) || errors.Is(err, errNoProxy) || errors.Is(err, errProxy)
}

// isSilence reports whether nothing answered where a server should be. Who blocks a
// port drops what goes there, or refuses it in the server's name.
func isSilence(err error) bool {
	return errors.Is(err, errNoAnswer) || errors.Is(err, errNotThere) || errors.Is(err, errUnreachable)
}

// isNoWord reports whether an error came before anything was sent to a server, and
// so says nothing of the way to it.
func isNoWord(err error) bool {
	for _, early := range []error{errDNS, errNoName, errNullMX, errMXLoop, errNoHost, errLiteral, errNoProxy, errSTSName, errTLSLookup, errProxy, errInterrupted} {
		if errors.Is(err, early) {
			return true
		}
	}
	return false
}

// Health is how well other servers can be reached.
type Health struct {
	Reached time.Time // when one last answered; zero is never
	Silent  int       // domains that have not answered since, though DNS did
	Blocked bool      // it looks as if outgoing mail were blocked
	Few     bool      // so few domains were tried that they may be down themselves
	NoDNS   bool      // DNS answers for none of the domains that mail waits for
}

// sum returns how things stand.
func (h *health) sum(now time.Time) Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	silent, n := isSilent(h.unreached, now), len(h.unreached)
	return Health{
		Reached: h.reached, Silent: n, Blocked: silent && now.Sub(h.reached) >= blockedWithin, Few: n < blockedAfter,
		NoDNS: isSilent(h.unnamed, now),
	}
}

// isSilent reports whether enough domains, or one for long enough, gave no answer. It
// forgets those that were not tried for a day.
func isSilent(all map[string]silence, now time.Time) bool {
	var longest time.Duration
	for domain, s := range all {
		if now.Sub(s.to) > 24*time.Hour {
			delete(all, domain)
			continue
		}
		longest = max(longest, s.to.Sub(s.from))
	}
	return len(all) >= blockedAfter || len(all) > 0 && longest >= blockedFor
}
