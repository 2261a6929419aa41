package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/restante/restante/gateway/index"
	"github.com/restante/restante/mailbox"
)

// searcher keeps the search index up to date with the local store.
type searcher struct {
	index   *index.Index
	session *mailbox.Session
	log     *slog.Logger
	wake    chan struct{}

	mu    sync.Mutex
	fault error // of the last round, nil after one that went through
}

func newSearcher(ix *index.Index, x *mailbox.Session, log *slog.Logger) *searcher {
	return &searcher{index: ix, session: x, log: log, wake: make(chan struct{}, 1)}
}

// run works until ctx ends, then returns nil. A search goes on without what can't be
// indexed: it takes longer then, and the round is tried again after the next change.
func (s *searcher) run(ctx context.Context) error {
	stop := s.session.Notify(s.kick)
	defer stop()
	for {
		err := s.round(ctx)
		if ctx.Err() != nil || errors.Is(err, mailbox.ErrClosed) {
			return nil
		}
		s.note(err)
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// kick asks for a round. It is called by the store's writer and returns at once.
func (s *searcher) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// round brings every mailbox's part of the index up to date.
func (s *searcher) round(ctx context.Context) error {
	folders, err := s.session.Folders(ctx)
	if err != nil {
		return err
	}
	have := map[mailbox.MailboxID]bool{}
	for _, f := range folders {
		if f.ID == 0 {
			continue // a name that only has others below it
		}
		have[f.ID] = true
		if err := s.index.Update(ctx, s.session, f.ID); err != nil {
			return err
		}
	}
	return s.index.Keep(func(id mailbox.MailboxID) bool { return have[id] })
}

func (s *searcher) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.fault == nil {
		s.log.Error("the search index can't be written: searches take longer", "error", err)
	}
	s.fault = err
}
