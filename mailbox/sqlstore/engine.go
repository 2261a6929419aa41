package sqlstore

import (
	"context"
	"database/sql"

	"github.com/restante/restante/mailbox/seal"
)

// engine is the database under a store: what SQLite and PostgreSQL do differently
// stands behind it, in the files whose names begin with theirs.
type engine interface {
	// prepare makes what must be there before the first connection.
	prepare(ctx context.Context) error

	// connect opens the writer's connection or a reader's.
	connect(ctx context.Context, r role) (*session, error)

	// keepOld keeps what the database is, of an older schema, before that changes.
	keepOld(ctx context.Context, have int) error

	// keepDamaged keeps what the database is before a repair.
	keepDamaged(ctx context.Context) error

	// ready is called once, when it is known that the store is ours.
	ready(ctx context.Context) error

	// idle reports whether a session can be used again.
	idle(on *session) bool

	// run runs the request j, and those that wait behind it, in one transaction.
	run(w *writer, j *job)

	// lockBody keeps other nodes from releasing a body until the transaction ends.
	lockBody(t *tx, blob seal.BlobID) error

	// erase makes the database let go of what was deleted.
	erase(ctx context.Context) error

	// leave gives up, at the end, what the session keeps other processes away with.
	leave(on *session)

	// close gives back whatever the others took. The sessions are closed by then.
	close() error
}

// role is what a connection is for.
type role int

const (
	reads role = iota
	writes
	writesLoosely // what a later commit of the writer makes durable
)

// dialect is what an engine has to be told in words of its own.
type dialect struct {
	begin    string // begins the writer's transaction
	snapshot string // begins a read transaction
	tables   string // query: counts the tables of the database, and those named meta

	// lockSchema, if not empty, keeps other nodes from migrating until the
	// transaction ends.
	lockSchema string

	// migrations lead from an empty database to the newest schema. A released one
	// is never edited; a change is appended.
	migrations []string

	// integrity looks for damage that only the engine can see.
	integrity func(querier) error

	// mend are statements that begin a repair, and tidy those that end it.
	mend, tidy []string

	// send, if not nil, runs statements in one round trip. After an error none of
	// them counts, nor does the transaction.
	send func(querier, []statement) error

	// fresh says that the driver makes the bytes of each row, and does not use them
	// again. TestBytesOfRowsStay holds the drivers to it.
	fresh bool

	// hangUp, if not nil, ends a connection before it is closed.
	hangUp func(*sql.Conn)

	// invariants are those of the tables that only this engine has.
	invariants []invariant
}

// newEngine returns the engine of a store that is about to be opened.
func newEngine(s *Store) engine {
	if s.opts.URL != "" {
		return &postgres{s: s}
	}
	return &sqliteEngine{s: s}
}
