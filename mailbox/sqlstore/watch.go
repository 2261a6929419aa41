package sqlstore

import (
	"sync"

	"github.com/restante/restante/mailbox"
)

// watchers are told which accounts a commit touched.
type watchers struct {
	mu    sync.RWMutex // held for reading while hints are given
	next  int
	hints map[int]func([]mailbox.AccountID)
}

// Watch implements mailbox.Store. Hints come before the callers of the changes
// have their answers. All watchers get the same slice, which none may change. A
// hint must not call stop: that waits for the hint to return.
func (s *Store) Watch(hint func([]mailbox.AccountID)) (stop func()) {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hints == nil {
		w.hints = make(map[int]func([]mailbox.AccountID))
	}
	n := w.next
	w.next++
	w.hints[n] = hint
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.hints, n)
	}
}

// tell gives one hint to each watcher.
func (w *watchers) tell(ids []mailbox.AccountID) {
	if len(ids) == 0 {
		return
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, hint := range w.hints {
		hint(ids)
	}
}

// tellAll tells each watcher that hints may have been lost.
func (w *watchers) tellAll() {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, hint := range w.hints {
		hint(nil)
	}
}
