package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// readerPool holds the connections that read.
type readerPool struct {
	engine engine
	role   role
	hot    bool          // the one that was used last is used next, not the one that rests longest
	taken  chan struct{} // has room for as many as may be in use

	mu   sync.Mutex
	free []*session // the one used last comes last; nil stands for one that was not opened yet
}

// newPool makes a pool of at most n sessions. In a hot one, those that are used have
// the pages in memory that are asked for again, and no more are opened than are used at
// the same time.
func newPool(e engine, r role, n int, hot bool) *readerPool {
	return &readerPool{engine: e, role: r, hot: hot, taken: make(chan struct{}, n), free: make([]*session, n)}
}

func (p *readerPool) get(ctx context.Context) (*session, error) {
	select {
	case p.taken <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := p.pop(); s != nil {
		return s, nil
	}
	s, err := p.engine.connect(ctx, p.role)
	if err != nil {
		p.push(nil)
	}
	return s, err
}

// pop takes out the next session. There is one for each that may be taken.
func (p *readerPool) pop() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 0
	if p.hot {
		i = len(p.free) - 1
	}
	s := p.free[i]
	p.free = slices.Delete(p.free, i, i+1)
	return s
}

// push gives a session back, or the place of one.
func (p *readerPool) push(s *session) {
	p.mu.Lock()
	p.free = append(p.free, s)
	p.mu.Unlock()
	<-p.taken
}

// put gives a session back. One that a failure may have left in a transaction
// is closed instead of used again.
func (p *readerPool) put(s *session, broken bool) {
	if broken || !p.engine.idle(s) {
		s.close()
		s = nil
	}
	p.push(s)
}

// close waits for the sessions in use. There are none after it.
func (p *readerPool) close() error {
	var errs []error
	for range cap(p.taken) {
		p.taken <- struct{}{}
		if s := p.pop(); s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// read runs f on one consistent snapshot of the last committed state.
func (s *Store) read(ctx context.Context, op string, f func(querier) error) error {
	return s.onReader(ctx, op, func(q querier) error {
		return q.inSnapshot(func() error { return f(q) })
	})
}

// inSnapshot runs f in a read transaction.
func (q querier) inSnapshot(f func() error) error {
	if _, err := q.exec(q.on.dialect.snapshot); err != nil {
		return err
	}
	err := f()
	q.ctx = context.WithoutCancel(q.ctx)
	if _, end := q.exec("ROLLBACK"); end != nil {
		return errors.Join(err, end, errBroken)
	}
	return err
}

// errBroken marks a session that can't be used again.
var errBroken = errors.New("connection is broken")

// readOne runs f on a reader without a transaction, for a single query.
func (s *Store) readOne(ctx context.Context, op string, f func(querier) error) error {
	return s.onReader(ctx, op, f)
}

func (s *Store) onReader(ctx context.Context, op string, f func(querier) error) error {
	if err := s.enter(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer s.leave()
	on, err := s.readers.get(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	err = f(querier{ctx, on})
	s.readers.put(on, errors.Is(err, errBroken) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone))
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
