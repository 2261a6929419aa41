package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// Everything that is SQLite's own stands in this file, the two drivers, and the
// schema.

// sqliteDialect: the writer takes the write lock at once. There is no second
// writer to wait for, and a lock taken halfway can fail halfway.
var sqliteDialect = dialect{
	begin:      "BEGIN IMMEDIATE",
	snapshot:   "BEGIN DEFERRED",
	tables:     `SELECT count(*), count(CASE WHEN name = 'meta' THEN 1 END) FROM sqlite_schema`,
	migrations: schemaSteps("sqlite"),
	integrity:  querier.checkSQLite,
	mend:       sqliteMend,
	fresh:      true,
}

// sqliteEngine is the engine of a store in a file, which one process has open.
type sqliteEngine struct {
	s                *Store
	lock             *processLock
	writers, readers *sql.DB
}

func (e *sqliteEngine) prepare(context.Context) error {
	o := e.s.opts
	if err := makeFile(o.Path); err != nil {
		return err
	}
	var err error
	if e.lock, err = lockFile(o.Path + ".lock"); err != nil {
		return err
	}
	if e.s.files, err = openBodyFiles(o.BodyDir, o.careless); err != nil {
		return err
	}
	e.s.large = fileBodies{e.s}
	e.writers = openSQLite(o.Path, "rw", o.careless.pragmas(), 1)
	e.readers = openSQLite(o.Path, "rw", readerPragmas, o.Readers)
	return nil
}

func (e *sqliteEngine) connect(ctx context.Context, r role) (*session, error) {
	db := e.readers
	if r == writes {
		db = e.writers
	}
	return newSession(ctx, db, &sqliteDialect)
}

const queryForgetLeases = `UPDATE destination SET token = 0, until = 0 WHERE until > 0`

// ready ends the leases of the process that had the store before. It is gone, since
// the lock is ours, and mail must not wait for their time to be over.
func (e *sqliteEngine) ready(ctx context.Context) error {
	if err := e.s.files.claim(e.s.id); err != nil {
		return err
	}
	_, err := querier{ctx, e.s.writer.on}.exec(queryForgetLeases)
	return err
}

func (*sqliteEngine) idle(*session) bool { return true }

// run lets the batch grow while it runs: there is nobody else to write meanwhile.
func (e *sqliteEngine) run(w *writer, j *job) { w.newBatch().inHope(j) }

func (*sqliteEngine) lockBody(*tx, seal.BlobID) error { return nil }

func (*sqliteEngine) leave(*session) {} // the lock is a file's

func (e *sqliteEngine) close() error {
	var errs []error
	for _, db := range []*sql.DB{e.readers, e.writers} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.release())
	}
	return errors.Join(errs...)
}

var (
	// commonPragmas hold on every connection.
	commonPragmas = []string{
		"PRAGMA busy_timeout = 10000",
		"PRAGMA foreign_keys = ON",
		"PRAGMA trusted_schema = OFF",
		"PRAGMA temp_store = MEMORY",
	}

	// writerPragmas: an answered request survives a power cut (WAL, FULL), and
	// what was deleted is overwritten (secure_delete), since an old key row
	// together with an old password opens a message. The page size counts for a
	// new file only. The WAL is moved into the file at 1000 pages: with more, the
	// longest delivery takes several times as long.
	writerPragmas = append([]string{
		"PRAGMA page_size = 4096",
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA fullfsync = ON", // macOS: fsync alone leaves the bytes in the disk's cache
		"PRAGMA checkpoint_fullfsync = ON",
		"PRAGMA secure_delete = ON",
		"PRAGMA wal_autocheckpoint = 1000",
		"PRAGMA cache_size = -16384",
	}, commonPragmas...)

	readerPragmas = append([]string{
		"PRAGMA query_only = ON",
	}, commonPragmas...)
)

// The primary result codes that mean something to callers
// (sqlite.org/rescode.html).
const (
	sqliteBusy    = 5
	sqliteLocked  = 6
	sqliteNoMem   = 7
	sqliteCorrupt = 11
	sqliteFull    = 13
	sqliteNotADB  = 26
)

// sqliteOutcome returns the outcome of the contract that err stands for, or nil.
func sqliteOutcome(err error) error {
	code, ok := driverCode(err)
	if !ok {
		return nil
	}
	switch code & 0xff {
	case sqliteBusy, sqliteLocked, sqliteNoMem:
		return mailbox.ErrBusy
	case sqliteFull:
		return mailbox.ErrFull
	case sqliteCorrupt, sqliteNotADB:
		return mailbox.ErrCorrupt
	}
	return nil
}

// fromEngine reports whether an error is the engine's, which may have ended the
// transaction with it.
func fromEngine(err error) bool {
	_, ok := driverCode(err)
	return ok
}

// connector opens connections with the same pragmas whatever the driver.
type connector struct {
	dsn     string
	pragmas []string
}

var _ driver.Connector = connector{}

func newConnector(path, mode string, pragmas []string) connector {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: "mode=" + mode}
	return connector{u.String(), pragmas}
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := sqliteDriver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, p, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p, err), conn.Close())
		}
	}
	return conn, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return sqliteDriver() }

// openSQLite opens the database behind one or more connections.
func openSQLite(path, mode string, pragmas []string, conns int) *sql.DB {
	db := sql.OpenDB(newConnector(path, mode, pragmas))
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// makeFile makes the database file, durably and readable by nobody else, with
// its folder. SQLite gives its other files the same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil && !errors.Is(err, fs.ErrPermission) {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a folder and what is in it durable. Who may not look into the folder
// above did not make this one: then somebody else has to have seen to it.
func syncFolder(dir string) error {
	above := syncDir(filepath.Dir(dir))
	if errors.Is(above, fs.ErrPermission) {
		above = nil
	}
	return errors.Join(syncDir(dir), above)
}

const queryIntegrity = `PRAGMA integrity_check`

// checkSQLite has SQLite look over its own file.
func (q querier) checkSQLite() error {
	var found []error
	var line string
	err := q.each(queryIntegrity, []any{&line}, func() error {
		if line != "ok" {
			found = append(found, damaged("%s", line))
		}
		return nil
	})
	return errors.Join(append(found, err)...)
}
