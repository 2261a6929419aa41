package mailbox

import (
	"context"
	"fmt"
	"sync"
)

const (
	// leap is how many days the clock may be off the last look and be believed.
	leap = 3
	// leapHours is how often, from hour to hour, the clock must stand by a greater
	// leap to be believed: by then somebody has looked, or the network has set it
	// right. A relay that was off for days waits that long too.
	leapHours = 24
)

// calendar tells the day by which mail is dated and ages are judged. It doesn't take
// the clock's word at once: a machine that wakes up in 2040 would delete all mail
// there is, and one that wakes up in 1970 would take what comes for old.
type calendar struct {
	mu     sync.Mutex
	last   Day // at the last look; 0 if there was none
	waited int // looks for which the clock has kept to a leap
}

// today returns the day, given what the clock says.
func (c *calendar) today(clock Day) Day {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leapt(clock) {
		return c.last
	}
	return clock
}

func (c *calendar) leapt(clock Day) bool {
	return c.last != 0 && (clock-c.last > leap || c.last-clock > leap)
}

// look is called once an hour. It reports whether the clock has leapt and is not
// believed yet.
func (c *calendar) look(clock Day) (leapt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leapt(clock) {
		c.waited++
		if c.waited <= leapHours {
			return true
		}
	}
	c.last, c.waited = clock, 0
	return false
}

// today is the day by which mail is dated and ages are judged.
func (s *Service) today() Day { return s.calendar.today(DayOf(s.now())) }

// lookAtCalendar turns the calendar's page, durably.
func (s *Service) lookAtCalendar(ctx context.Context) (Day, error) {
	before := s.today()
	leapt := s.calendar.look(DayOf(s.now()))
	if leapt {
		s.log.Warn("the clock has leapt: until it has kept to that for a day, the day of before counts", "days", int64(DayOf(s.now())-before))
		return before, nil
	}
	day := s.today()
	if err := s.store.SetCalendar(ctx, day); err != nil {
		return 0, fmt.Errorf("set calendar: %w", err)
	}
	return day, nil
}
