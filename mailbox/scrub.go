package mailbox

import (
	"runtime"
	"runtime/debug"
	"time"
)

// What an account's sessions have worked with is wiped where we hold it, but copies of
// it lie in memory that the garbage collector has yet to take back: what a login
// typed, what was decrypted, what the network has read. So after an account is closed
// the collector is asked to run, and again for what was still in somebody's hands: all
// within a minute of the last session (threat-model.md). It
// costs some milliseconds each time. (That what it takes back is overwritten is a
// setting of the runtime, which `restante serve` makes.)
const (
	scrubAfter  = 3 * time.Second
	scrubPause  = 8 * time.Second
	scrubPasses = 3
)

// scrubbing is how often memory is to be cleaned yet, and when next.
type scrubbing struct {
	passes int
	next   time.Time
}

// closed takes note that an account was closed.
func (s *scrubbing) closed(now time.Time) {
	if s.passes == 0 {
		s.next = now.Add(scrubAfter)
	}
	s.passes = scrubPasses
}

// due reports whether memory is to be cleaned now, and counts that as done.
func (s *scrubbing) due(now time.Time) bool {
	if s.passes == 0 || now.Before(s.next) {
		return false
	}
	s.passes--
	s.next = now.Add(scrubPause)
	return true
}

// run cleans memory if it is due.
func (s *scrubbing) run(now time.Time) {
	if !s.due(now) {
		return
	}
	runtime.GC() // what pools hold outlives one collection
	runtime.GC()
	debug.FreeOSMemory() // gives whole pages back, which the system clears
}
