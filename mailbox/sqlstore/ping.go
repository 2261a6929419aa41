package sqlstore

import "context"

// Ping returns nil when the store reads, and its writer has come round to this
// request: nothing that is waiting before it hangs. A full disk is no failure.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.Calendar(ctx); err != nil {
		return err
	}
	return s.write(ctx, "ping", func(*tx) error { return nil })
}
