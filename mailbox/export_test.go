package mailbox

import "context"

// Seams for the tests in package mailbox_test.

// TestOnlySweep does what the service does every second.
func (s *Service) TestOnlySweep(ctx context.Context) { s.sweep(ctx) }

// TestOnlyOpen counts the open accounts, remembered logins and tables nobody uses.
func (s *Service) TestOnlyOpen() (owners, logins, idleTables int) {
	s.ring.mu.RLock()
	defer s.ring.mu.RUnlock()
	return len(s.ring.owners), len(s.ring.logins), int(s.idleTables.Load())
}

// TestOnlySpooled is how much the messages being received take of the budgets.
func (s *Service) TestOnlySpooled() (memory, disk int64) {
	return s.o.Limits.SpoolMemory - s.spoolMemory.free.Load(), s.o.Limits.SpoolDisk - s.spoolDisk.free.Load()
}

// TestOnlyThrottled counts the keys whose failures are remembered.
func (s *Service) TestOnlyThrottled() int {
	s.throttle.mu.Lock()
	defer s.throttle.mu.Unlock()
	return len(s.throttle.counts)
}

// TestOnlyHoldPasswords takes all places at which passwords are checked.
func (s *Service) TestOnlyHoldPasswords() (release func()) {
	for range cap(s.stretch.inside) {
		s.stretch.inside <- struct{}{}
	}
	return func() {
		for range cap(s.stretch.inside) {
			s.stretch.leave()
		}
	}
}

// TestOnlyPasswordsWaiting counts the logins that wait for such a place.
func (s *Service) TestOnlyPasswordsWaiting() int { return int(s.stretch.waiting.Load()) }

// TestOnlyForgetTables drops the tables that nobody uses.
func (s *Service) TestOnlyForgetTables() {
	for _, own := range s.ring.list() {
		own.tables.clear()
	}
}

// TestOnlyCarryOut does what the service does every hour.
func (s *Service) TestOnlyCarryOut(ctx context.Context) { s.carryOut(ctx) }
