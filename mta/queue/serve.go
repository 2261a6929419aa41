package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox"
)

// A visit is the work on one destination, under one lease.
type visit struct {
	*Worker
	lease mailbox.Lease
	ctx   context.Context // ends when the work must

	mu    sync.Mutex
	down  error // why there was no connection
	until time.Time
}

// serve works on a destination until nothing is due there, stop ends, or the lease
// is lost. It gives the lease back in any case: what was broken off can go on.
func (w *Worker) serve(stop, work context.Context, lease mailbox.Lease) {
	ctx, cancel := context.WithCancel(work)
	defer cancel()
	v := &visit{Worker: w, lease: lease, ctx: ctx}
	var renewing sync.WaitGroup
	renewing.Go(func() { v.renew(cancel) })
	v.run(stop)
	cancel()
	renewing.Wait()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(work), settleTime)
	defer cancel()
	if err := w.outbox.Release(ctx, lease); err != nil && !errors.Is(err, mailbox.ErrGone) {
		w.log.Error("release a destination", "error", err)
	}
}

// renew prolongs the lease at a third of its time, and ends the work when it is
// lost: another worker may have begun.
func (v *visit) renew(cancel func()) {
	tick := time.NewTicker(v.o.Limits.Lease / 3)
	defer tick.Stop()
	for misses := 0; misses < 2; {
		select {
		case <-v.ctx.Done():
			return
		case <-tick.C:
		}
		err := v.outbox.Renew(v.ctx, v.lease, v.o.Limits.Lease)
		switch {
		case err == nil:
			misses = 0
		case errors.Is(err, mailbox.ErrGone):
			cancel()
			return
		default:
			misses++
			v.log.Warn("renew a lease", "error", err)
		}
	}
	cancel() // the time is up
}

// run takes letters and has each delivered in a goroutine of its own.
func (v *visit) run(stop context.Context) {
	heard, quiet := v.bell.listen()
	defer quiet()
	free := make(chan struct{}, v.o.Limits.PerDestination)
	done := make(chan struct{}, 1)
	var running sync.WaitGroup
	defer running.Wait()
	for v.ctx.Err() == nil && stop.Err() == nil {
		letters := v.take(cap(free) - len(free))
		for _, l := range letters {
			free <- struct{}{}
			running.Go(func() {
				v.deliver(l)
				<-free
				select {
				case done <- struct{}{}:
				default: // it is known already that somebody has come back
				}
			})
		}
		if len(letters) == 0 && len(free) == 0 {
			return
		}
		select {
		case <-done:
		case <-heard:
		case <-v.ctx.Done():
		}
	}
}

func (v *visit) take(limit int) []*mailbox.Letter {
	if limit == 0 {
		return nil
	}
	letters, err := v.outbox.Take(v.ctx, v.lease, limit)
	if err != nil && v.ctx.Err() == nil {
		v.log.Error("take letters", "error", err)
	}
	return letters
}

// deliver makes one attempt at a letter, and puts down what came of it.
func (v *visit) deliver(l *mailbox.Letter) {
	ctx, cancel := context.WithTimeout(v.ctx, v.o.Limits.Attempt)
	defer cancel()
	verdicts, tells := v.attempt(ctx, l)
	if v.ctx.Err() != nil && !anyDecided(verdicts) {
		return // broken off: it is no attempt
	}
	// What has happened must be put down, even if the work is to end: else the
	// letter is sent again.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(v.ctx), settleTime)
	defer cancel()
	v.log.Info("attempt", "job", l, "number", l.Attempts+1, "recipients", len(verdicts), "result", summary(verdicts))
	err := v.settle(ctx, l, verdicts, tells)
	for wait := 50 * time.Millisecond; isPassing(err) && ctx.Err() == nil; wait *= 2 {
		_ = pause.For(ctx, wait)
		err = v.settle(ctx, l, verdicts, tells)
	}
	if err != nil && !errors.Is(err, mailbox.ErrGone) { // dropped by the operator, or ours was the try before
		v.log.Error("put down what became of a letter", "job", l, "error", err)
	}
}

// settleTime is how long we try to put down what became of a letter.
const settleTime = 20 * time.Second

// isPassing reports whether the store may do at the next try what it did not now.
func isPassing(err error) bool {
	return errors.Is(err, mailbox.ErrUnknown) || errors.Is(err, mailbox.ErrBusy) || errors.Is(err, mailbox.ErrFull)
}

func anyDecided(verdicts []verdict) bool {
	for _, v := range verdicts {
		if v.outcome != deferred {
			return true
		}
	}
	return false
}
