package sqlstore

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
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
// timer holds it back. It is run in hope at first: no request of it will fail
// after it has written something. If one does, the transaction is rolled back and
// the batch runs again with care, each request behind a savepoint, so that the
// failed one is undone alone. That is seldom, and the savepoints would cost a
// tenth of every delivery. If a failure ends the transaction even so (SQLite does
// that when the disk is full), the others are run without the one that failed.
type writer struct {
	on   *session
	s    *Store
	jobs chan *job
	idle chan struct{} // closed when loop has returned
}

func openWriter(ctx context.Context, s *Store) (*writer, error) {
	on, err := s.engine.connect(ctx, writes)
	if err != nil {
		return nil, err
	}
	return &writer{on, s, make(chan *job, maxQueue), make(chan struct{})}, nil
}

// stop waits for the requests in the queue. None may be added any more.
func (w *writer) stop() {
	close(w.jobs)
	<-w.idle
}

func (w *writer) close() error {
	w.s.engine.leave(w.on)
	return w.on.close()
}

func (w *writer) loop() {
	defer close(w.idle)
	for j := range w.jobs {
		w.s.engine.run(w, j)
	}
}

func (w *writer) newBatch() *batch {
	now := time.Now()
	return &batch{w: w, began: now, deadline: now.Add(w.s.opts.TxTimeout / 2)}
}

// batch is the requests of one transaction.
type batch struct {
	w        *writer
	began    time.Time
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

// inHope runs a request and those that come meanwhile in one transaction. They
// are answered by commit, or by withCare.
func (b *batch) inHope(j *job) {
	t, end, err := b.begin()
	defer end()
	if err != nil {
		j.answer(err)
		return
	}
	var done []*job
	for ; j != nil; j = b.waiting() {
		if !j.start() {
			continue
		}
		b.count++
		b.bytes += j.bytes
		err := t.run(j)
		switch {
		case err == nil:
			done = append(done, j)
		case t.wrote || fromEngine(err):
			t.rollback()
			b.withCare(append(done, j))
			return
		default:
			j.fault = err
			done = append(done, j)
		}
	}
	b.commit(t, done)
}

// withCare runs requests in one transaction, each behind a savepoint.
func (b *batch) withCare(js []*job) {
	t, end, err := b.begin()
	defer end()
	if err != nil {
		answer(js, err)
		return
	}
	var done []*job
	for i, j := range js {
		err, lost := t.try(j)
		if lost {
			j.answer(err)
			t.rollback()
			b.withCare(append(done, js[i+1:]...)) // ends: there is one less each time
			return
		}
		j.fault = err
		done = append(done, j)
	}
	b.commit(t, done)
}

// begin begins a transaction; end gives back what it holds.
func (b *batch) begin() (t *tx, end func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), b.w.s.opts.TxTimeout)
	t = newTx(ctx, b.w)
	return t, cancel, t.begin()
}

// commit makes what was done durable, gives the hints, and answers. Those that
// failed by themselves are answered with the others: what stood in their way, such
// as an address that is taken, may not be there before the commit, and whoever
// hears of it looks.
func (b *batch) commit(t *tx, js []*job) {
	if allFailed(js) {
		t.rollback()
		answerOwn(js)
		return
	}
	err := t.commit()
	b.w.s.counts.committed(len(js), time.Since(b.began), err)
	if err != nil {
		b.w.s.opts.Log.Error("commit failed", "requests", len(js), "error", err)
		answer(js, err)
		return
	}
	b.w.s.watch.tell(touched(js))
	answerOwn(js)
}

// allFailed reports that there is nothing to commit.
func allFailed(js []*job) bool {
	return !slices.ContainsFunc(js, func(j *job) bool { return j.fault == nil })
}

// answerOwn answers each request with what came of it.
func answerOwn(js []*job) {
	for _, j := range js {
		j.answer(j.fault)
	}
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
		if j.fault != nil {
			continue
		}
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
	if err = t.run(j); err == nil {
		err = t.flush()
	}
	if err == nil {
		err = t.keep()
		return err, err != nil
	}
	return err, t.undo() != nil
}

// run runs one request. A panic becomes an error of this request alone: a broken
// invariant of one message must not keep the relay from taking the others.
func (t *tx) run(j *job) (err error) {
	t.job, t.wrote = j, false
	j.touched, j.removed, j.fault = nil, nil, nil
	defer func() {
		if p := recover(); p != nil {
			t.w.s.opts.Log.Error("request panicked", "request", j.op, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("restante: internal error: %v", p)
		}
	}()
	return j.run(t)
}
