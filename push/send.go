package push

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// pauses are the waits before a notification is tried again.
var pauses = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 25 * time.Minute}

// maxLate bounds the notifications that wait to be tried again.
const maxLate = 1000

// An outcome is what came of one try.
type outcome int

const (
	done  outcome = iota
	stale         // the proxy does not know the token any more
	again         // it may succeed later
)

// wakeAll notifies all devices of an account. What has to be tried again does not
// keep others waiting.
func (n *Notifier) wakeAll(ctx context.Context, id mailbox.AccountID, late *sync.WaitGroup) {
	tokens, err := n.tokens.PushTokens(ctx, id)
	if err != nil {
		n.complain(ctx, "read push tokens", id, err)
		return
	}
	for _, t := range tokens {
		if n.try(ctx, id, t) != again {
			continue
		}
		if !n.lateOnes.enter() {
			continue
		}
		late.Go(func() {
			defer n.lateOnes.leave()
			n.tryAgain(ctx, id, t)
		})
	}
}

func (n *Notifier) tryAgain(ctx context.Context, id mailbox.AccountID, t mailbox.PushToken) {
	for _, pause := range pauses {
		if n.o.Wait(ctx, pause) != nil || n.try(ctx, id, t) != again {
			return
		}
	}
	n.o.Log.Warn("the push proxy took a notification at no try", "account", id)
}

// try sends one notification, and forgets a token that is stale.
func (n *Notifier) try(ctx context.Context, id mailbox.AccountID, t mailbox.PushToken) outcome {
	got, err := n.send(ctx, t)
	if err != nil && ctx.Err() == nil {
		// Errors of the client name the proxy, and never the token.
		n.o.Log.Debug("the push proxy takes no notification", "account", id, "error", err)
	}
	if got != stale {
		return got
	}
	if err := n.tokens.DropPushToken(ctx, id, t); err != nil {
		n.complain(ctx, "drop push token", id, err)
	}
	return got
}

func (n *Notifier) send(ctx context.Context, t mailbox.PushToken) (outcome, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.o.URL, strings.NewReader(string(t)))
	if err != nil {
		return again, err
	}
	r.Header.Set("User-Agent", "") // it is the token alone that tells something
	answer, err := n.o.Client.Do(r)
	if err != nil {
		return again, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10)) // so that the connection can be used again
	switch {
	case answer.StatusCode == http.StatusOK:
		return done, nil
	case answer.StatusCode == http.StatusGone:
		return stale, nil
	}
	return again, fmt.Errorf("status %d", answer.StatusCode)
}

func (n *Notifier) complain(ctx context.Context, what string, id mailbox.AccountID, err error) {
	if ctx.Err() == nil {
		n.o.Log.Error(what, "account", id, "error", err)
	}
}

// room bounds how many are in at a time.
type room chan struct{}

func (r room) enter() bool {
	select {
	case r <- struct{}{}:
		return true
	default:
		return false
	}
}

func (r room) leave() { <-r }
