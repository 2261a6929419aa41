package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/restante/restante/mailbox"
)

// A Worker takes mail from the queue to the servers of its recipients.
type Worker struct {
	o       Options
	outbox  *mailbox.Outbox
	router  *router
	pool    pool
	courier *courier // nil if nothing goes over HTTPS
	health  health
	log     *slog.Logger
	now     func() time.Time
	bell    bell
}

// New returns a Worker. The error names the option at fault.
func New(o Options) (*Worker, error) {
	if o.Outbox == nil || o.Resolver == nil || o.Hostname == "" || o.Domain == "" {
		return nil, errors.New("queue: Options.Outbox, Resolver, Hostname and Domain are needed")
	}
	o.Limits, o.Timeouts = o.Limits.withDefaults(), o.Timeouts.withDefaults()
	orDefault(&o.Port, 25)
	orDefault(&o.HTTPSPort, 443)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r, err := o.router()
	if err != nil {
		return nil, err
	}
	w := &Worker{o: o, outbox: o.Outbox, router: r, log: o.Log, now: o.Now}
	if o.HTTPS {
		w.courier = newCourier(r, o.Now)
		w.courier.port = o.HTTPSPort
	}
	return w, nil
}

// Health returns how well other servers can be reached. Where all goes through a
// relay host nothing tells of the port that others listen on, and Blocked is false.
func (w *Worker) Health() Health {
	h := w.health.sum(w.now())
	h.Blocked = h.Blocked && w.router.relay == nil
	return h
}

// Run works until ctx ends. Then it lets messages under way come to their end for
// up to Limits.Stop, breaks the others off, and returns nil. What was broken off
// is tried again by the next worker.
func (w *Worker) Run(ctx context.Context) error {
	stopWatch := w.outbox.Watch(w.bell.ring)
	defer stopWatch()
	defer w.pool.close()
	defer w.courier.close()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	if w.router.tally != nil {
		running.Go(func() { w.reportTLS(ctx) })
	}
	w.loop(ctx, work, &running)
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	late := time.NewTimer(w.o.Limits.Stop)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		cancel()
		<-ended
	}
	return nil
}

// loop claims destinations and starts work on them, until ctx ends.
func (w *Worker) loop(ctx, work context.Context, running *sync.WaitGroup) {
	slots := make(chan struct{}, w.o.Limits.Destinations)
	heard, stop := w.bell.listen()
	defer stop()
	tick := time.NewTicker(w.o.Limits.Poll)
	defer tick.Stop()
	for {
		for _, lease := range w.claim(ctx, cap(slots)-len(slots)) {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots; w.bell.ring() }()
				w.serve(ctx, work, lease)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-heard:
		case <-tick.C:
			w.pool.sweep(w.now().Add(-w.o.Limits.Idle))
		}
	}
}

func (w *Worker) claim(ctx context.Context, limit int) []mailbox.Lease {
	if limit == 0 {
		return nil
	}
	leases, err := w.outbox.Claim(ctx, w.o.Limits.Lease, limit)
	if err != nil && ctx.Err() == nil {
		w.log.Error("claim mail to send", "error", err)
	}
	return leases
}

// A bell wakes those who listen; several rings while nobody looks are one.
type bell struct {
	mu        sync.Mutex
	listeners map[chan struct{}]bool
}

func (b *bell) listen() (heard <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = map[chan struct{}]bool{}
	}
	b.listeners[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, c)
	}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.listeners {
		select {
		case c <- struct{}{}:
		default: // it has been told already
		}
	}
}
