package mailbox_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/restante/restante/mailbox"
)

// TestArrived: each account is told of once for a message, and not of one that it has
// already.
func TestArrived(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []mailbox.AccountID
	w := newWorld(t, func(o *mailbox.Options) {
		o.Arrived = func(id mailbox.AccountID) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, id)
		}
	})
	b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
	for range 2 { // the second is a repetition
		w.deliver(t, message("hello", 1), "b@example.org", "c@example.org")
	}
	w.deliver(t, message("more", 1), "b@example.org")
	mu.Lock()
	defer mu.Unlock()
	want := []mailbox.AccountID{b.Account, c.Account, b.Account}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}
