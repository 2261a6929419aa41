package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// nodeBatch is a batch on a server that other nodes use as well.
//
// It takes in what waits before it begins, and locks the accounts of all its
// requests by one statement, in the order of their ids, then the destinations in
// order of theirs. So no two nodes wait for each other, each request finds its
// account as nobody else will change it, and the accounts' rows give out UIDs in
// the order of commits.
//
// The batch is run in hope and then with care, as on SQLite. If the transaction
// meets another's (serialization failure, deadlock) or the connection goes before
// the commit, nothing has happened, and it is run again. If the connection goes
// during the commit, nobody can tell: the outcome is ErrUnknown, and a delivery
// that is repeated finds itself by its id.
type nodeBatch struct {
	*batch
	e    *postgres
	js   []*job // not answered yet
	care bool
	lost map[*job]int // how often the connection went while a request ran
}

// mayLose is how many connections a request may cost: one that brings down the
// server each time must not take the others with it for ever.
const mayLose = 2

func (e *postgres) run(w *writer, j *job) {
	b := &nodeBatch{batch: w.newBatch(), e: e, lost: make(map[*job]int)}
	b.gather(j)
	ctx, cancel := context.WithTimeout(context.Background(), w.s.opts.TxTimeout)
	defer cancel()
	var last error
	for try := 0; len(b.js) > 0; try++ {
		err := b.attempt(ctx)
		switch {
		case err == nil || errors.Is(err, errWithCare):
			continue
		case ctx.Err() != nil:
			b.answerAll(errors.Join(errTooLong, last, err))
			return
		case !conflict(err) && !lostConnection(err) && !errors.Is(err, errNoServer):
			b.answerAll(classify(err))
			return
		}
		last = err
		w.s.opts.Log.Debug("transaction is run again", "requests", len(b.js), "error", err)
		pause(ctx, try)
	}
}

// gather starts the request j and those that wait, as many as make a batch.
func (b *nodeBatch) gather(j *job) {
	for ; j != nil; j = b.waiting() {
		if j.start() {
			b.count++
			b.bytes += j.bytes
			b.js = append(b.js, j)
		}
	}
}

// pause waits longer each time, by chance: two that met once should not again.
func pause(ctx context.Context, try int) {
	most := time.Millisecond << min(try, 8)
	t := time.NewTimer(time.Duration(rand.Int64N(int64(most))) + most/2)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// errNoServer: there is no server that the store may use, but there may be soon.
var errNoServer = fmt.Errorf("%w: no server to write to", mailbox.ErrBusy)

// errWithCare has the batch run again with savepoints.
var errWithCare = errors.New("a request failed after it had written")

// attempt runs the batch in one transaction. With an error nothing of it has
// happened, and the requests that are still in js have no answer.
func (b *nodeBatch) attempt(ctx context.Context) error {
	if err := b.e.revive(ctx, b.w); err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	t := newTx(ctx, b.w)
	t.ctx = ctx // a server that doesn't answer must not hold up the writer for ever
	if err := b.runAll(t); err != nil {
		t.rollback()
		return err
	}
	if allFailed(b.js) {
		t.rollback()
		answerOwn(b.js)
		b.js = nil
		return nil
	}
	return b.commit(t)
}

func (b *nodeBatch) runAll(t *tx) error {
	err := t.begin()
	if err == nil {
		err = b.lock(t)
	}
	if err != nil {
		return err
	}
	for _, j := range slices.Clone(b.js) {
		if err := b.runOne(t, j); err != nil {
			return err
		}
	}
	return b.flush(t)
}

// flush sends what still waits. Which request an error belongs to shows only with
// care.
func (b *nodeBatch) flush(t *tx) error {
	err := t.flush()
	if err == nil || lostConnection(err) || conflict(err) || t.limit.Err() != nil {
		return err
	}
	b.care = true
	return errWithCare
}

const (
	// Of an account that isn't there yet, the key keeps two from being made.
	postgresLockAccounts = `SELECT account_id FROM account WHERE account_id = ANY($1)
		ORDER BY account_id FOR NO KEY UPDATE`

	// A destination has no row while there is no mail for it, so its lock is one
	// of the database's own, by number.
	postgresLockNumbers = `SELECT pg_advisory_xact_lock(n) FROM unnest($1::bigint[]) AS n`
)

func (b *nodeBatch) lock(t *tx) error {
	var accounts, destinations []int64
	for _, j := range b.js {
		for _, id := range j.accounts {
			accounts = append(accounts, int64(id))
		}
		for _, d := range j.destinations {
			destinations = append(destinations, lockNumber(d[:]))
		}
	}
	if err := t.lockAll(postgresLockAccounts, accounts); err != nil {
		return err
	}
	return t.lockAll(postgresLockNumbers, destinations)
}

// lockAll takes locks in the order of their numbers.
func (t *tx) lockAll(query string, numbers []int64) error {
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	var ignored any
	return t.each(query, []any{&ignored}, func() error { return nil }, slices.Compact(numbers))
}

// lockNumber makes a number of an identifier whose bytes are random.
func lockNumber(id []byte) int64 { return int64(binary.BigEndian.Uint64(id)) }

func (e *postgres) lockBody(t *tx, blob seal.BlobID) error {
	return t.lockAll(postgresLockNumbers, []int64{lockNumber(blob[:])})
}

// runOne runs one request. One that fails alone is answered when the others are
// (see batch.commit). The error is one of the whole transaction.
func (b *nodeBatch) runOne(t *tx, j *job) error {
	err, fatal := b.try(t, j)
	switch {
	case err == nil:
		return nil
	case lostConnection(err):
		if b.lost[j]++; b.lost[j] >= mayLose {
			b.answerOne(j, err)
		}
		return err
	case conflict(err) || t.limit.Err() != nil:
		return err
	case fatal && !b.care:
		b.care = true
		return errWithCare
	}
	if fatal {
		b.answerOne(j, err)
		return errWithCare // without this one
	}
	j.fault = err
	return nil
}

// try runs a request, with care behind a savepoint. fatal reports that it took
// the transaction with it.
func (b *nodeBatch) try(t *tx, j *job) (err error, fatal bool) {
	if b.care {
		return t.try(j)
	}
	err = t.run(j)
	return err, err != nil && (t.wrote || fromPostgres(err))
}

func (b *nodeBatch) answerOne(j *job, err error) {
	b.js = slices.DeleteFunc(b.js, func(k *job) bool { return k == j })
	j.answer(err)
}

func (b *nodeBatch) answerAll(err error) {
	answer(b.js, err)
	b.js = nil
}

// commit commits what all of js did, gives the hints, and answers. It returns an
// error only if nothing has happened.
func (b *nodeBatch) commit(t *tx) error {
	ids := touched(b.js)
	if err := b.e.nodes.withCommit(t, ids); err != nil {
		t.rollback()
		return err
	}
	unknown, err := b.e.commit(t)
	if err != nil && !unknown {
		t.rollback()
		return err
	}
	b.w.s.counts.committed(len(b.js), time.Since(b.began), err)
	if unknown {
		b.w.s.opts.Log.Error("commit failed", "requests", len(b.js), "error", err)
		b.answerAll(fmt.Errorf("%w: %w", mailbox.ErrUnknown, err))
		return nil
	}
	b.e.nodes.afterCommit(ids)
	b.w.s.watch.tell(ids)
	answerOwn(b.js)
	b.js = nil
	return nil
}

// commit commits. unknown reports that it may have happened in spite of the error.
//
// The server answers COMMIT of a failed transaction as if all were well, and it
// answers so, with no more than a warning, when somebody cancelled the wait for
// the standby.
func (e *postgres) commit(t *tx) (unknown bool, err error) {
	if c := pgConn(t.on.conn); c == nil || c.PgConn().TxStatus() != 'T' {
		return false, errors.New("the transaction has failed without an error")
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.s.opts.TxTimeout)
	defer cancel()
	e.warned.Store(false)
	_, err = querier{ctx, t.on}.exec("COMMIT")
	if err == nil && e.warned.Load() {
		return true, errors.New("the commit was not confirmed by the standby")
	}
	var pe *pgconn.PgError
	return err != nil && !(errors.As(err, &pe) && pe.SeverityUnlocalized == "ERROR"), err
}
