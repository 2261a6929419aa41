package mailbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Space is how much room a store has.
type Space struct {
	Free, Size int64 // bytes; a Size of 0 is not known
}

// percent is how much of it is free, 100 if that is not known.
func (s Space) percent() int {
	if s.Size <= 0 {
		return 100
	}
	return int(s.Free * 100 / s.Size)
}

// level is what a relay does with the room that is left. It sees to it that there is
// always enough to read, to delete, and to hand on what waits in the queue.
type level int32

const (
	roomy  level = iota
	scarce       // nobody gets an account, and what is overdue goes now
	spent        // no mail comes in either
)

// The percentages of free space below which room is scarce, and spent. It takes one
// percent more to get back, so that it doesn't change with every message.
const (
	scarceBelow = 10
	spentBelow  = 5
	roomAgain   = 1
)

// next returns the level for a percentage of free space.
func (l level) next(percent int) level {
	above := func(bound int, in bool) bool {
		if in {
			bound += roomAgain
		}
		return percent >= bound
	}
	switch {
	case above(scarceBelow, l >= scarce):
		return roomy
	case above(spentBelow, l == spent):
		return scarce
	}
	return spent
}

// spaceEvery is how often the service looks at its room. A relay at its limits takes
// in some hundred megabytes in that time, at most.
const spaceEvery = 5 * time.Second

// space is what a service knows of its room.
type space struct {
	now  atomic.Int32 // a level
	wake chan struct{}

	mu     sync.Mutex // held while it is looked at
	looked time.Time
	told   bool // the postmaster knows
}

func (s *Service) level() level { return level(s.space.now.Load()) }

// lookAtSpace looks at the room now and then, does what becomes necessary, and tells
// the postmaster once. When there is room again everything goes on by itself.
func (s *Service) lookAtSpace(ctx context.Context, now time.Time) {
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	if age := now.Sub(s.space.looked); s.o.Space == nil || 0 <= age && age < spaceEvery {
		return
	}
	s.space.looked = now
	left, err := s.o.Space(ctx)
	if err != nil {
		s.complain(ctx, "look at the space that is left", 0, err)
		return
	}
	was := s.level()
	is := was.next(left.percent())
	s.space.now.Store(int32(is))
	if is != was {
		s.changeRoom(is, left)
	}
	if is == roomy {
		s.space.told = false
		return
	}
	if !s.space.told && is != was {
		s.space.told = s.tellPostmaster(ctx, left)
	}
}

// changeRoom logs what changes, and has overdue mail deleted.
func (s *Service) changeRoom(is level, left Space) {
	free := left.percent()
	switch is {
	case roomy:
		s.log.Warn("there is room again: everything goes on", "percent_free", free)
		return
	case scarce:
		s.log.Error("the disk is nearly full: nobody can sign up until there is room", "percent_free", free)
	case spent:
		s.log.Error("the disk is full: no mail comes in until there is room; reading and deleting go on", "percent_free", free)
	}
	select {
	case s.space.wake <- struct{}{}:
	default:
	}
}

const spaceSubject = "The relay's disk is nearly full"

const spaceText = "%d %% of the disk is free. Below %d %% nobody can sign up; below %d %% mail is put off (452) until there\r\n" +
	"is room. Reading, deleting and the queue go on. What is overdue by the terms was deleted.\r\n\r\n" +
	"Make the disk larger, or lower the quota or the days of mail in the configuration. This is said once.\r\n"

// tellPostmaster tells the operator of the disk. It reports whether it need not be
// tried again.
func (s *Service) tellPostmaster(ctx context.Context, left Space) bool {
	return s.TellOperator(ctx, spaceSubject, fmt.Sprintf(spaceText, left.percent(), scarceBelow, spentBelow)) == nil
}
