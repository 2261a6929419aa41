package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/restante/restante/mailbox"
)

const (
	// maxBatchBytes bounds what one transaction writes, and with it how long a
	// request waits for those before it.
	maxBatchBytes = 4 << 20

	// maxQueue bounds the requests that wait; further ones wait to wait.
	maxQueue = 1024
)

// writer runs every change, in transactions that take in whatever waits.
//
// A batch begins when a request comes and grows while others are waiting: no
// timer holds it back. Each request has a savepoint, so that a failed one is
// undone alone. If a failure ends the whole transaction (SQLite does that when
// the disk is full), the others are run again without the one that failed.
type writer struct {
	db   *sql.DB
	on   *session
	s    *Store
	jobs chan *job
	idle chan struct{} // closed when loop has returned
}

func openWriter(ctx context.Context, s *Store) (*writer, error) {
	db := openSQLite(s.opts.Path, "rw", writerPragmas, 1)
	on, err := newSession(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &writer{db, on, s, make(chan *job, maxQueue), make(chan struct{})}, nil
}

// stop waits for the requests in the queue. None may be added any more.
func (w *writer) stop() {
	close(w.jobs)
	<-w.idle
}

func (w *writer) close() error { return errors.Join(w.on.close(), w.db.Close()) }

func (w *writer) loop() {
	defer close(w.idle)
	for j := range w.jobs {
		b := batch{w: w, deadline: time.Now().Add(w.s.opts.TxTimeout / 2)}
		b.transact([]*job{j}, b.waiting)
	}
}

// batch is the requests of one transaction.
type batch struct {
	w        *writer
	deadline time.Time // takes in no more requests after it
	count    int
	bytes    int
}

// waiting returns the next request that waits, or nil if none does or the batch
// is full.
func (b *batch) waiting() *job {
	if b.count >= b.w.s.opts.maxBatch || b.bytes >= maxBatchBytes || time.Now().After(b.deadline) {
		return nil
	}
	select {
	case j := <-b.w.jobs: // nil when the store is closing
		return j
	default:
		return nil
	}
}

// transact runs the given requests, then those that more returns, in one
// transaction, and answers them all.
func (b *batch) transact(given []*job, more func() *job) {
	ctx, cancel := context.WithTimeout(context.Background(), b.w.s.opts.TxTimeout)
	defer cancel()
	t := newTx(ctx, b.w)
	if err := t.begin(); err != nil {
		answer(given, err)
		return
	}
	var kept []*job
	for {
		j := take(&given, more)
		if j == nil {
			break
		}
		if !j.start() {
			continue
		}
		b.count++
		b.bytes += j.bytes
		err, lost := t.try(j)
		if err == nil {
			kept = append(kept, j)
			continue
		}
		j.answer(err)
		if lost {
			b.again(t, append(kept, given...))
			return
		}
	}
	b.commit(t, kept)
}

// take returns the next of the given requests, or one more.
func take(given *[]*job, more func() *job) *job {
	if len(*given) == 0 {
		return more()
	}
	j := (*given)[0]
	*given = (*given)[1:]
	return j
}

// again runs requests whose transaction was lost through no fault of theirs. It
// ends, since each transaction that is lost has answered one of them.
func (b *batch) again(t *tx, js []*job) {
	t.rollback()
	if len(js) > 0 {
		b.transact(js, func() *job { return nil })
	}
}

// commit makes the batch durable, gives the hints, and answers.
func (b *batch) commit(t *tx, js []*job) {
	if err := t.commit(); err != nil {
		b.w.s.opts.Log.Error("commit failed", "requests", len(js), "error", err)
		answer(js, err)
		return
	}
	b.w.s.watch.tell(touched(js))
	answer(js, nil)
}

func answer(js []*job, err error) {
	for _, j := range js {
		j.answer(err)
	}
}

// touched lists the accounts that the requests changed, each once.
func touched(js []*job) []mailbox.AccountID {
	var ids []mailbox.AccountID
	seen := make(map[mailbox.AccountID]bool, len(js))
	for _, j := range js {
		for _, id := range j.touched {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// try runs one request behind a savepoint. lost reports that the failure took
// the whole transaction with it.
func (t *tx) try(j *job) (err error, lost bool) {
	if err := t.save(); err != nil {
		return err, true
	}
	t.job = j
	j.touched, j.removed = nil, nil
	if err = t.protect(j); err == nil {
		err = t.keep()
		return err, err != nil
	}
	j.touched, j.removed = nil, nil
	return err, t.undo() != nil
}

// protect turns a panic into an error of this request alone: a broken invariant
// of one message must not keep the relay from taking the others.
func (t *tx) protect(j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.w.s.opts.Log.Error("request panicked", "request", j.op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("restante: internal error: %v", p)
		}
	}()
	return j.run(t)
}
