package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// readerPool holds the connections that read.
type readerPool struct {
	engine engine
	role   role
	// free has one entry for each reader: idle, or nil if it was not opened yet.
	free chan *session
}

// newPool makes a pool of at most n sessions.
func newPool(e engine, r role, n int) *readerPool {
	p := &readerPool{engine: e, role: r, free: make(chan *session, n)}
	for range n {
		p.free <- nil
	}
	return p
}

func (p *readerPool) get(ctx context.Context) (*session, error) {
	select {
	case s := <-p.free:
		if s != nil {
			return s, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s, err := p.engine.connect(ctx, p.role)
	if err != nil {
		p.free <- nil
	}
	return s, err
}

// put gives a session back. One that a failure may have left in a transaction
// is closed instead of used again.
func (p *readerPool) put(s *session, broken bool) {
	if broken || !p.engine.idle(s) {
		s.close()
		s = nil
	}
	p.free <- s
}

func (p *readerPool) close() error {
	var errs []error
	for range cap(p.free) {
		if s := <-p.free; s != nil {
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
