package sqlstore

import (
	"context"
	"database/sql"
	"errors"
)

// session is one connection and the statements prepared on it. One goroutine at
// a time uses it.
type session struct {
	conn    *sql.Conn
	dialect *dialect
	stmts   map[string]*sql.Stmt
}

func newSession(ctx context.Context, db *sql.DB, d *dialect) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, classify(err)
	}
	return &session{conn, d, make(map[string]*sql.Stmt)}, nil
}

// stmt returns the prepared statement of a query. The texts are constants of
// this package, so the map has a bound.
func (s *session) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

// close closes the connection. What a connection that has to be hung up says to
// that doesn't matter: it may have been lost long ago.
func (s *session) close() error {
	if s.dialect.hangUp != nil {
		s.dialect.hangUp(s.conn)
		s.conn.Close()
		return nil
	}
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// querier runs queries in a transaction of a session. Its errors are classified.
type querier struct {
	ctx context.Context
	on  *session
}

// exec runs a statement and returns how many rows it changed.
func (q querier) exec(query string, args ...any) (int64, error) {
	st, err := q.on.stmt(q.ctx, query)
	if err != nil {
		return 0, classify(err)
	}
	res, err := st.ExecContext(q.ctx, args...)
	if err != nil {
		return 0, classify(err)
	}
	n, err := res.RowsAffected()
	return n, classify(err)
}

// one scans the only row of a query into dest and reports whether there is one.
func (q querier) one(query string, dest []any, args ...any) (bool, error) {
	found := false
	err := q.each(query, dest, func() error {
		found = true
		return nil
	}, args...)
	return found, err
}

// each calls f after scanning each row into dest. Byte slices in dest are fresh
// for each row.
func (q querier) each(query string, dest []any, f func() error, args ...any) error {
	st, err := q.on.stmt(q.ctx, query)
	if err != nil {
		return classify(err)
	}
	rows, err := st.QueryContext(q.ctx, args...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return classify(err)
	}
	return classify(rows.Close())
}
