package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/restante/restante/mailbox"
)

// Everything that is PostgreSQL's own stands in the files whose names begin with
// its, and in the schema.

// postgresDialect: READ COMMITTED will do for the writer, since it has locked the
// accounts of its requests before it looks at anything of theirs.
var postgresDialect = dialect{
	begin:    "BEGIN",
	snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	tables: `SELECT count(*), count(CASE WHEN tablename = 'meta' THEN 1 END)
		FROM pg_tables WHERE schemaname = current_schema()`,
	lockSchema: `SELECT pg_advisory_xact_lock(8243114)`, // any number that is always the same
	migrations: schemaSteps("postgres"),
	integrity:  func(querier) error { return nil },
	tidy:       postgresTidy,
	invariants: postgresInvariants,
	send:       sendAll,
	hangUp:     hangUp,
}

// postgres is the engine of a store on a server that several nodes share.
type postgres struct {
	s      *Store
	config *pgx.ConnConfig
	dbs    [3]*sql.DB // by role
	bodies *chunkBodies
	nodes  hinter

	objects *objectBodies // nil if large bodies are in the database
	guard   *session      // keeps other nodes away, if nobody else may have the store

	timeline timeline    // that the writer was last connected to
	synced   time.Time   // when the server was last seen to have a synchronous standby
	warned   atomic.Bool // the server had a warning for the writer
}

func (e *postgres) prepare(context.Context) error {
	var err error
	if e.config, err = postgresConfig(e.s.opts.URL); err != nil {
		return err
	}
	writer, loose := e.config.Copy(), e.config.Copy()
	writer.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			e.warned.Store(true)
		}
	}
	loose.RuntimeParams["synchronous_commit"] = "off"
	e.dbs[reads], e.dbs[writes], e.dbs[writesLoosely] = e.openDB(e.config), e.openDB(writer), e.openDB(loose)
	e.bodies = newChunkBodies(e)
	e.s.large = e.bodies
	if e.s.opts.Objects == nil {
		return nil
	}
	bucket, err := newObjectStore(*e.s.opts.Objects)
	if err == nil {
		e.objects = newObjectBodies(e.bodies, bucket)
		e.s.large = e.objects
	}
	return err
}

// openDB makes sessions possible. None is kept open for the next: the store
// keeps those that it wants, and closes one because it is broken.
func (e *postgres) openDB(c *pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(*c, stdlib.OptionBeforeConnect(e.readPassword))
	db.SetMaxIdleConns(0)
	return db
}

// readPassword reads the password for each connection, so that a new one needs no
// restart.
func (e *postgres) readPassword(_ context.Context, c *pgx.ConnConfig) error {
	if e.s.opts.PasswordFile == "" {
		return nil
	}
	b, err := os.ReadFile(e.s.opts.PasswordFile)
	if err != nil {
		return fmt.Errorf("password of the store: %w", err)
	}
	c.Password = strings.TrimRight(string(b), "\r\n")
	return nil
}

func (e *postgres) connect(ctx context.Context, r role) (*session, error) {
	return newSession(ctx, e.dbs[r], &postgresDialect)
}

// ready begins to listen to the other nodes once the server's history is known to
// be the store's.
func (e *postgres) ready(ctx context.Context) error {
	if err := e.keepAway(ctx); err != nil {
		return err
	}
	if err := e.inspect(ctx, e.s.writer.on); err != nil {
		return err
	}
	if err := e.openObjects(ctx); err != nil {
		return err
	}
	if e.s.opts.HintBus == "" {
		e.nodes = listen(e)
		return nil
	}
	bus, err := listenNATS(e.s)
	if err == nil {
		e.nodes = bus
	}
	return err
}

func (e *postgres) close() error {
	if e.nodes != nil {
		e.nodes.stop()
	}
	var errs []error
	if e.guard != nil {
		e.leave(e.guard)
		errs = append(errs, e.guard.close())
	}
	if e.bodies != nil {
		errs = append(errs, e.bodies.sessions.close())
	}
	if e.objects != nil {
		errs = append(errs, e.objects.sessions.close())
	}
	for _, db := range e.dbs {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// postgresConfig reads a URL. What it leaves open is what durable answers and
// several nodes need; a server that is not on this machine must prove its name.
func postgresConfig(text string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the URL of the store can't be read; write postgres://user@host/database")
	}
	q := u.Query()
	if !q.Has("sslmode") && !onThisMachine(u, q) {
		q.Set("sslmode", "verify-full")
	}
	for name, value := range map[string]string{
		"application_name":                    "restante",
		"target_session_attrs":                "read-write", // of several hosts, the primary
		"connect_timeout":                     "10",
		"idle_in_transaction_session_timeout": "60s", // a node that hangs must not hold accounts locked
		"synchronous_commit":                  "on",
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, err
	}
	switch c.RuntimeParams["synchronous_commit"] {
	case "on", "remote_apply":
	default:
		return nil, errors.New("the store's URL sets synchronous_commit to a value with which answered mail can be lost; leave it out")
	}
	return c, nil
}

// onThisMachine reports whether all hosts of a URL are sockets or loopback.
func onThisMachine(u *url.URL, q url.Values) bool {
	hosts := strings.Split(u.Host, ",")
	if u.Host == "" {
		hosts = strings.Split(q.Get("host"), ",")
	}
	for _, h := range hosts {
		if name, _, err := net.SplitHostPort(h); err == nil {
			h = name
		}
		ip := net.ParseIP(strings.Trim(h, "[]"))
		if h != "" && h != "localhost" && !strings.HasPrefix(h, "/") && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// pgConn is what a session's connection is underneath.
func pgConn(c *sql.Conn) (conn *pgx.Conn) {
	err := c.Raw(func(dc any) error {
		conn = dc.(*stdlib.Conn).Conn()
		return nil
	})
	if err != nil {
		return nil
	}
	return conn
}

// hangUp ends a connection that is about to be closed, so that nothing is asked of
// the server any more: not to forget each statement, and not if it is gone.
func hangUp(on *sql.Conn) {
	if c := pgConn(on); c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.Close(ctx)
	}
}

// idle reports whether a session's connection lives and is in no transaction. The
// driver closes one when the context of a statement ends before the statement.
func (e *postgres) idle(on *session) bool {
	c := pgConn(on.conn)
	return c != nil && !c.IsClosed() && c.PgConn().TxStatus() == 'I'
}

// The codes that mean something to callers
// (www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgDiskFull      = "53100"
)

// postgresOutcome returns the outcome of the contract that err stands for, or nil.
func postgresOutcome(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if lostConnection(err) {
			return mailbox.ErrBusy
		}
		return nil
	}
	switch e.Code {
	case pgDiskFull:
		return mailbox.ErrFull
	case "XX001", "XX002":
		return mailbox.ErrCorrupt
	case "25006": // the server is a standby now
		return mailbox.ErrBusy
	}
	switch e.Code[:2] {
	case "08", "40", "53", "55", "57": // connection, conflict, resources, lock, intervention
		return mailbox.ErrBusy
	}
	return nil
}

// lostConnection reports whether there is no server, or none any more.
func lostConnection(err error) bool {
	var netErr net.Error
	var connectErr *pgconn.ConnectError
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.SeverityUnlocalized == "FATAL" || pe.SeverityUnlocalized == "PANIC"
	}
	return errors.As(err, &netErr) || errors.As(err, &connectErr) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// conflict reports whether a transaction failed because of another, and may
// succeed the next time.
func conflict(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == pgSerialization || e.Code == pgDeadlock)
}

// fromPostgres reports whether the server or the way to it failed, after which the
// transaction takes no more statements.
func fromPostgres(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) || lostConnection(err)
}
