package queue

import (
	"sync"
	"time"
)

// maxIdle is how many connections are kept for later messages at most.
const maxIdle = 100

// A pool keeps connections for a while after their message: the next one for the
// same domain often comes soon.
type pool struct {
	mu   sync.Mutex
	idle map[string][]rested // by router.key
	n    int
}

// rested is a connection at rest.
type rested struct {
	*client
	since time.Time
}

// get returns a connection, or nil. One whose server has not proved its name is
// none for who requires that.
func (p *pool) get(key string, verified bool) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[key]
	for i := len(list) - 1; i >= 0; i-- {
		if c := list[i].client; c.verified || !verified {
			p.idle[key] = append(list[:i:i], list[i+1:]...)
			p.n--
			return c
		}
	}
	return nil
}

// put keeps a connection, or ends it if there are enough.
func (p *pool) put(key string, c *client, now time.Time) {
	p.mu.Lock()
	if p.n >= maxIdle {
		p.mu.Unlock()
		c.quit()
		return
	}
	defer p.mu.Unlock()
	if p.idle == nil {
		p.idle = map[string][]rested{}
	}
	p.idle[key] = append(p.idle[key], rested{c, now})
	p.n++
}

// sweep ends the connections that have rested since before then.
func (p *pool) sweep(then time.Time) {
	for _, c := range p.remove(func(r rested) bool { return !r.since.After(then) }) {
		c.quit()
	}
}

// close ends all connections.
func (p *pool) close() {
	for _, c := range p.remove(func(rested) bool { return true }) {
		c.quit()
	}
}

func (p *pool) remove(tired func(rested) bool) []*client {
	p.mu.Lock()
	defer p.mu.Unlock()
	var removed []*client
	for key, list := range p.idle {
		var kept []rested
		for _, r := range list {
			if !tired(r) {
				kept = append(kept, r)
				continue
			}
			removed = append(removed, r.client)
			p.n--
		}
		p.idle[key] = kept
		if kept == nil {
			delete(p.idle, key)
		}
	}
	return removed
}
