package queue

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/restante/restante/mailbox"
)

// downTime is how long we believe that a server is still down.
const downTime = 30 * time.Second

// attempt brings a letter to a server, and returns a verdict for each recipient and
// whether the server passes requests for reports on.
func (v *visit) attempt(ctx context.Context, l *mailbox.Letter) ([]verdict, bool) {
	n := need{domain: l.Domain, requireTLS: l.RequireTLS}
	p := v.parcel(l)
	if c := v.pool.get(v.router.key(n.domain), n.requireTLS); c != nil {
		verdicts, err := v.over(ctx, c, p, n)
		if anyDecided(verdicts) || !isEnded(err) {
			return verdicts, c.caps.has("DSN")
		}
	}
	if v.stillDown() == nil {
		if verdicts, ok := v.byHTTPS(ctx, l, p); ok {
			return verdicts, false
		}
	}
	c, err := v.connect(ctx, n)
	if err != nil {
		return all(trouble(err), len(l.To)), false
	}
	verdicts, _ := v.over(ctx, c, p, n) // they say what the error does
	return verdicts, c.caps.has("DSN")
}

// isEnded reports whether a server had ended a connection, as it may while it
// rests.
func isEnded(err error) bool {
	var r *refusal
	return errors.Is(err, errHungUp) || errors.As(err, &r)
}

// over sends a parcel over a connection, and keeps that if it is still good.
func (v *visit) over(ctx context.Context, c *client, p *parcel, n need) ([]verdict, error) {
	verdicts, err := c.send(ctx, p)
	if err != nil {
		c.close()
		return verdicts, err
	}
	v.pool.put(v.router.key(n.domain), c, v.now())
	return verdicts, nil
}

// connect opens a connection, unless that has just failed: of a thousand letters
// for a server that is down, the first finds out.
func (v *visit) connect(ctx context.Context, n need) (*client, error) {
	if err := v.stillDown(); err != nil {
		return nil, err
	}
	c, err := v.router.connect(ctx, n)
	if isSilence(err) && v.courier != nil {
		v.courier.forget(ctx, n.domain)
	}
	if ctx.Err() == nil {
		v.health.note(n.domain, err, v.now())
	}
	if err != nil && ctx.Err() == nil && !n.requireTLS {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.down, v.until = err, v.now().Add(downTime)
	}
	return c, err
}

func (v *visit) stillDown() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now().After(v.until) {
		return nil
	}
	return v.down
}

func (v *visit) parcel(l *mailbox.Letter) *parcel {
	p := &parcel{
		from: l.From, size: l.Size, eightBit: l.EightBit, utf8: l.UTF8, requireTLS: l.RequireTLS, envID: l.EnvelopeID,
	}
	p.open = func(ctx context.Context) (io.ReadCloser, error) { return v.outbox.Open(ctx, l) }
	for _, a := range l.To {
		p.to = append(p.to, stop{address: a.Address, notify: a.Notify, original: a.Original})
	}
	return p
}
