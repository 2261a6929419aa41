package imapd

import "time"

// burstSeconds is how many seconds' worth of commands a client may give at once:
// what a client does when it comes back to a large account.
const burstSeconds = 10

// pacer spaces the commands of a connection. It is the generic cell rate
// algorithm: due is when the next command would come if all came evenly.
type pacer struct{ due time.Time }

// wait returns how long a command that comes now must wait, for rate commands a
// second; 0 is no limit.
func (p *pacer) wait(now time.Time, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	const burst = burstSeconds * time.Second
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Second / time.Duration(rate))
	return max(0, p.due.Sub(now)-burst)
}

// slowDown holds back a client that gives commands faster than it may. It is not
// refused: what it has asked for comes later.
func (c *conn) slowDown() {
	d := c.pacer.wait(time.Now(), c.srv.o.Limits.Commands)
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}
