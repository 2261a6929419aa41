package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What is deleted must not stay readable in what the database leaves lying about:
// an old key row together with an old password opens a message. Both engines keep
// deleted rows for a while, SQLite in its log and PostgreSQL in its tables, and are
// told here to let go of them. Remnants below the file system are out of reach.

// sqliteErasePragmas are those of the connection that empties the log. It doesn't
// keep the writer waiting for readers.
var sqliteErasePragmas = []string{
	"PRAGMA synchronous = FULL",
	"PRAGMA fullfsync = ON",
	"PRAGMA checkpoint_fullfsync = ON",
	"PRAGMA busy_timeout = 50",
}

const (
	sqliteTruncate = `PRAGMA wal_checkpoint(TRUNCATE)`

	// truncateTries is how often the log is tried to be emptied, with a pause of
	// truncatePause: a reader may be in the middle of it.
	truncateTries = 100
	truncatePause = 100 * time.Millisecond
)

// errLogInUse: readers have held the log for ten seconds.
var errLogInUse = errors.New("the log could not be emptied: readers hold it")

// erase moves the log into the file, where deleted rows were overwritten
// (secure_delete), and empties it.
func (e *sqliteEngine) erase(ctx context.Context) error {
	db := openSQLite(e.s.opts.Path, "rw", sqliteErasePragmas, 1)
	defer db.Close()
	for range truncateTries {
		var busy, frames, moved int
		if err := db.QueryRowContext(ctx, sqliteTruncate).Scan(&busy, &frames, &moved); err != nil {
			return fmt.Errorf("empty the log: %w", classify(err))
		}
		if busy == 0 {
			return nil
		}
		select {
		case <-time.After(truncatePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errLogInUse
}

// postgresErased are the tables in which secrets or their owners' rows are deleted.
var postgresErased = []string{"page", "sealed", "message", "body", "chunk", "account_key", "former_key", "credential", "credential_public", "address", "published", "blocked", "mailbox", "keyword", "subscription", "job", "metadata", "push_token"}

// erase vacuums the tables. The server's archived log, its replicas and backups are
// its operator's (docs/threat-model.md).
func (e *postgres) erase(ctx context.Context) error {
	on, err := e.connect(ctx, writes)
	if err != nil {
		return err
	}
	defer on.close()
	for _, table := range postgresErased {
		if _, err := on.conn.ExecContext(ctx, "VACUUM "+table); err != nil {
			return fmt.Errorf("vacuum %s: %w", table, classify(err))
		}
	}
	return nil
}
