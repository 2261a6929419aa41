package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/mailbox"
)

// timeline is one history of a database. Promoting a standby, or restoring a
// backup, begins another: what the old one had committed last may be missing, and
// its UIDs would be given to other messages.
type timeline struct {
	system string // of the cluster that initdb made
	number int64
}

// revive makes the writer's connection usable, and looks at the server it then
// leads to.
func (e *postgres) revive(ctx context.Context, w *writer) error {
	if e.idle(w.on) {
		return e.checkSync(ctx, w.on)
	}
	w.on.close()
	on, err := e.connect(ctx, writes)
	if err != nil {
		return err
	}
	if err := e.inspect(ctx, on); err != nil {
		on.close()
		return err
	}
	w.on = on
	return nil
}

// inspect refuses a server that can't be written to safely. If its history is
// another than the store was last served from, every UIDVALIDITY is raised first,
// unless only a synchronous standby can have been promoted.
func (e *postgres) inspect(ctx context.Context, on *session) error {
	e.synced = time.Time{}
	if err := e.checkSync(ctx, on); err != nil {
		return err
	}
	q := querier{ctx, on}
	if err := e.join(q); err != nil {
		return err
	}
	var now timeline
	if _, err := q.one(postgresTimeline, []any{&now.system, &now.number}); err != nil {
		return err
	}
	if now == e.timeline {
		return nil
	}
	if now.older(e.timeline) {
		return errOldPrimary
	}
	if err := e.enterTimeline(on, now); err != nil {
		return err
	}
	e.timeline = now
	return nil
}

// older reports whether a server is one that another was promoted over.
func (l timeline) older(than timeline) bool {
	return l.system == than.system && l.number < than.number
}

var errOldPrimary = fmt.Errorf("%w: the server was replaced by another, which was promoted; stop the old one", mailbox.ErrBusy)

const (
	// The timeline that new writes belong to. pg_control_checkpoint would tell
	// that of the last checkpoint, which a promotion does not wait for.
	postgresTimeline = `SELECT system_identifier::text,
		('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint FROM pg_control_system()`
	postgresFirstTimeline = `INSERT INTO cluster (one, system, timeline) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`
	postgresLastTimeline  = `SELECT system, timeline FROM cluster FOR UPDATE`
	postgresSetTimeline   = `UPDATE cluster SET system = $1, timeline = $2`
)

const raisedEvery = "another PostgreSQL server has taken over, perhaps without the last mail; every UIDVALIDITY was raised"

// raiseTimeout bounds the raise of every UIDVALIDITY, which rewrites a row for
// each mailbox.
const raiseTimeout = 15 * time.Minute

// enterTimeline notes the history that the store is served from now. Of several
// nodes the first one raises the UIDVALIDITYs, and the others wait for it.
func (e *postgres) enterTimeline(on *session, now timeline) error {
	ctx, cancel := context.WithTimeout(context.Background(), raiseTimeout)
	defer cancel()
	q := querier{ctx, on}
	if _, err := q.exec(on.dialect.begin); err != nil {
		return err
	}
	raised, err := e.moveTimeline(q, now)
	if err == nil {
		_, err = q.exec("COMMIT")
	}
	if err != nil {
		_, undo := q.exec("ROLLBACK")
		return errors.Join(err, undo)
	}
	if raised {
		e.s.watch.tellAll()
		e.s.opts.Log.Error(raisedEvery, "timeline", now.number)
	}
	return nil
}

func (e *postgres) moveTimeline(q querier, now timeline) (raised bool, err error) {
	if _, err := q.exec(postgresFirstTimeline, now.system, now.number); err != nil {
		return false, err
	}
	var last timeline
	if _, err := q.one(postgresLastTimeline, []any{&last.system, &last.number}); err != nil {
		return false, err
	}
	if last == now {
		return false, nil
	}
	if now.older(last) {
		return false, errOldPrimary
	}
	if _, err := q.exec(postgresSetTimeline, now.system, now.number); err != nil {
		return false, err
	}
	if e.s.opts.RequireSync && last.system == now.system {
		return false, nil
	}
	for _, query := range []string{raiseMailboxes, raiseAccounts} {
		if _, err := q.exec(query, e.s.opts.Now().Unix()); err != nil {
			return false, err
		}
	}
	return true, nil
}

// syncEvery is how often a server must show its synchronous standby: the setting
// can be changed while it runs.
const syncEvery = 10 * time.Second

const postgresSync = `SELECT current_setting('synchronous_standby_names'), current_setting('fsync')`

// checkSync refuses a server that confirms what no standby has, if the operator
// wants none such.
func (e *postgres) checkSync(ctx context.Context, on *session) error {
	if time.Since(e.synced) < syncEvery {
		return nil
	}
	var standbys, fsync string
	if _, err := (querier{ctx, on}).one(postgresSync, []any{&standbys, &fsync}); err != nil {
		return err
	}
	if e.s.opts.RequireSync && standbys == "" {
		return fmt.Errorf("%w: %w: set synchronous_standby_names on it, or leave out require_sync", mailbox.ErrBusy, ErrNotSynchronous)
	}
	if fsync != "on" && e.synced.IsZero() {
		e.s.opts.Log.Error("the PostgreSQL server runs with fsync off: a power cut can lose answered mail")
	}
	e.synced = time.Now()
	return nil
}

const (
	// Every node holds the lock as one of many; who needs the store alone holds it
	// as the only one. The first number is any that is always the same.
	postgresJoin  = `SELECT pg_try_advisory_lock_shared(8243115, hashtext(current_schema()))`
	postgresAlone = `SELECT pg_try_advisory_lock(8243115, hashtext(current_schema()))`
)

// join makes the writer's connection that of a node.
func (e *postgres) join(q querier) error {
	if e.s.opts.Places != nil {
		return nil // guard has it
	}
	var joined bool
	if _, err := q.one(postgresJoin, []any{&joined}); err != nil || joined {
		return err
	}
	return fmt.Errorf("%w: it is being moved, restored or repaired; wait for the end", ErrLocked)
}

// leave lets others have the store at once. Else they would have to wait until the
// server has seen that the connection is gone.
func (e *postgres) leave(on *session) {
	if !e.idle(on) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = on.conn.ExecContext(ctx, `SELECT pg_advisory_unlock_all()`) // the server does it in any case
}

// keepAway keeps all nodes away until the store is closed, if it was opened so.
func (e *postgres) keepAway(ctx context.Context) error {
	if e.s.opts.Places == nil {
		return nil
	}
	var err error
	if e.guard, err = e.connect(ctx, reads); err != nil {
		return err
	}
	var alone bool
	if _, err := (querier{ctx, e.guard}).one(postgresAlone, []any{&alone}); err != nil || alone {
		return err
	}
	return fmt.Errorf("%w: stop all nodes that use it", ErrLocked)
}
