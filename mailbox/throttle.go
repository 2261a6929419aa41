package mailbox

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// The throttle delays those who guess, and nobody else (DESIGN §8.14). Failures
// are counted by account and credential, so that guessing at a password does not
// slow the owner's other devices down, and by network. Both counts live in memory
// only. A try is delayed before its secret is checked: hanging up early gains
// nothing, and a right secret gets in after at most maxDelay.
const (
	maxDelay = 15 * time.Second
	// forgiveAfter is how long it takes until one failure is forgotten.
	forgiveAfter = time.Minute
	// accountGrace and peerGrace are how many failures pass without delay.
	accountGrace = 3
	peerGrace    = 10
	// maxDelayed bounds the tries that wait at a time for one key.
	maxDelayed = 100
)

// throttle is safe for concurrent use.
type throttle struct {
	now      func() time.Time
	sleep    func(ctx context.Context, d time.Duration) error
	capacity int

	mu     sync.Mutex
	counts map[string]*list.Element // of *failures
	recent *list.List               // last failure first
}

// failures is what is known of one key.
type failures struct {
	key     string
	n       int
	last    time.Time
	delayed int
}

func newThrottle(capacity int, now func() time.Time, sleep func(context.Context, time.Duration) error) *throttle {
	return &throttle{now: now, sleep: sleep, capacity: capacity, counts: map[string]*list.Element{}, recent: list.New()}
}

// throttleKey makes one key of what is counted together.
func throttleKey(parts ...string) string { return strings.Join(parts, "\x00") }

// peerKey is the key of a network, which has no NUL: account keys can't be it.
func peerKey(p Peer) string { return "peer " + string(p) }

// wait delays a try that is counted under these keys, as long as the worst of
// them asks. It returns ErrThrottled at once if too many wait already.
func (t *throttle) wait(ctx context.Context, keys ...string) error {
	d, worst := t.enter(keys)
	if d == 0 {
		return nil
	}
	if worst == nil {
		return ErrThrottled
	}
	defer t.leave(worst)
	return t.sleep(ctx, d)
}

// enter finds the longest delay, and counts the try as waiting for it.
func (t *throttle) enter(keys []string) (time.Duration, *failures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var longest time.Duration
	var worst *failures
	for _, k := range keys {
		e, ok := t.counts[k]
		if !ok {
			continue
		}
		f := e.Value.(*failures)
		if d := delay(f.count(t.now()), grace(k)); d > longest {
			longest, worst = d, f
		}
	}
	if worst != nil && worst.delayed >= maxDelayed {
		return longest, nil
	}
	if worst != nil {
		worst.delayed++
	}
	return longest, worst
}

func (t *throttle) leave(f *failures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.delayed--
}

// count takes note of how a try ended: ErrAuth is a failure under all keys, nil
// clears the first of them, which is that of the account. Anything else says
// nothing about the one who tries.
func (t *throttle) count(err error, keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.forget(keys[0])
	case errors.Is(err, ErrAuth):
		for _, k := range keys {
			t.failed(k)
		}
	}
}

func (t *throttle) failed(key string) {
	now := t.now()
	e, ok := t.counts[key]
	if !ok {
		e = t.recent.PushFront(&failures{key: key})
		t.counts[key] = e
	}
	f := e.Value.(*failures)
	f.n, f.last = f.count(now)+1, now
	t.recent.MoveToFront(e)
	if len(t.counts) > t.capacity {
		t.forget(t.recent.Back().Value.(*failures).key)
	}
}

func (t *throttle) forget(key string) {
	if e, ok := t.counts[key]; ok {
		t.recent.Remove(e)
		delete(t.counts, key)
	}
}

// count is how many failures are not yet forgotten.
func (f *failures) count(now time.Time) int {
	return max(0, f.n-int(now.Sub(f.last)/forgiveAfter))
}

func grace(key string) int {
	if strings.HasPrefix(key, "peer ") {
		return peerGrace
	}
	return accountGrace
}

// delay is how long the try after n failures waits: nothing within the grace, then
// half a second, doubling.
func delay(n, grace int) time.Duration {
	if n < grace {
		return 0
	}
	return min(maxDelay, 500*time.Millisecond<<min(n-grace, 10))
}
