package mailbox

import (
	"testing"
	"time"
)

// TestScrubSchedule: with the default term of keys, memory is cleaned for the last time
// within a minute of an account's last session, however the looks of the house fall.
// Sessions that come and go meanwhile begin the passes anew and never end them early.
func TestScrubSchedule(t *testing.T) {
	t.Parallel()
	limits := Limits{}.withDefaults()
	ended := time.Now()
	var s scrubbing
	var last time.Time
	passes := 0
	for now := ended.Add(sweepEvery - 1); now.Before(ended.Add(5 * time.Minute)); now = now.Add(sweepEvery) {
		if s.passes == 0 && passes == 0 && !now.Add(-limits.Linger).Before(ended) {
			s.closed(now)
		}
		if s.due(now) {
			last, passes = now, passes+1
		}
	}
	if took := last.Sub(ended); passes != scrubPasses || took >= time.Minute {
		t.Errorf("%d passes, the last after %v; want %d within a minute", passes, took, scrubPasses)
	}
	s.closed(last)
	s.closed(last.Add(scrubAfter))
	if s.due(last) || !s.due(last.Add(scrubAfter)) || s.passes != scrubPasses-1 {
		t.Errorf("a second account that is closed puts the first off: %d passes are left", s.passes)
	}
}
