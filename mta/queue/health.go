package queue

import (
	"sync"
	"time"
)

// health tells whether this machine reaches other mail servers at all. Providers
// that block outgoing port 25 drop packets, so that every server seems to be slow.
type health struct {
	mu        sync.Mutex
	reached   time.Time            // when a server last answered, in whatever way
	unreached map[string]time.Time // domains whose servers did not, and when
}

const (
	// blockedAfter is how many domains without an answer, in blockedWithin, make
	// us think that it is our own fault.
	blockedAfter  = 3
	blockedWithin = 15 * time.Minute
)

// note takes the outcome of connecting to a domain's servers.
func (h *health) note(domain string, silent bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !silent {
		h.reached, h.unreached = now, nil
		return
	}
	if h.unreached == nil {
		h.unreached = map[string]time.Time{}
	}
	if len(h.unreached) < 100*blockedAfter {
		h.unreached[domain] = now
	}
}

// blocked reports whether outgoing mail seems to be blocked.
func (h *health) blocked(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for domain, at := range h.unreached {
		if now.Sub(at) > 24*time.Hour {
			delete(h.unreached, domain)
			continue
		}
		n++
	}
	return n >= blockedAfter && now.Sub(h.reached) >= blockedWithin
}
