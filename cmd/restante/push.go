package main

import (
	"fmt"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/push"
)

// openPush makes what wakes devices, if the configuration has a proxy for that.
func (r *relay) openPush() (err error) {
	if r.cfg.Push.Proxy == "" {
		return nil
	}
	r.push, err = push.New(push.Options{URL: r.cfg.Push.Proxy, Log: r.log})
	if err != nil {
		return fmt.Errorf("push.proxy: %w", err)
	}
	return nil
}

// tellPush has the service tell the notifier who got mail, and whose account nobody
// has used for long.
func (r *relay) tellPush(o *mailbox.Options) {
	if r.push == nil {
		return
	}
	o.Arrived = r.push.Wake
	o.Remind = func(id mailbox.AccountID, _ int) { r.push.Wake(id) }
}
