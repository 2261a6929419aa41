package mta

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/restante/restante/internal/pause"
	"github.com/restante/restante/mailbox"
)

// A clock is set by hand.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// noWait is for tests in which nobody is held back.
func noWait(context.Context, time.Duration) error { return nil }

func TestTempoOfNetworks(t *testing.T) {
	t.Parallel()
	c := &clock{noon}
	p := newTempo(Limits{PerNetwork: 2, PerDomain: 1}, c.read, noWait)
	for i, want := range []error{nil, nil, errTooMany, errTooMany} {
		if err := p.fromNetwork("a"); err != want {
			t.Errorf("message %d: got %v, want %v", i, err, want)
		}
	}
	if err := p.fromNetwork("b"); err != nil {
		t.Errorf("another network: %v", err)
	}
	for range 10 {
		if err := p.fromNetwork(""); err != nil {
			t.Errorf("a network without a limit: %v", err)
		}
	}
	c.now = c.now.Add(time.Minute + time.Second)
	if err := p.fromNetwork("a"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// TestTempoOfDomains: subdomains share a measure, and only what is known to be true
// uses it up.
func TestTempoOfDomains(t *testing.T) {
	t.Parallel()
	c := &clock{noon}
	p := newTempo(Limits{PerNetwork: 1, PerDomain: 2}, c.read, noWait)
	for range 5 {
		if err := p.mayBring("there.example"); err != nil {
			t.Fatalf("before a message was known to be true: %v", err)
		}
	}
	p.brought("there.example")
	p.brought("a.there.example")
	for domain, want := range map[string]error{"there.example": errTooMany, "b.there.example": errTooMany, "where.example": nil} {
		if err := p.mayBring(domain); err != want {
			t.Errorf("%s: got %v, want %v", domain, err, want)
		}
	}
	c.now = c.now.Add(time.Minute + time.Second)
	if err := p.mayBring("there.example"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// TestTempoForgets: memory is bounded, and what was used last stays.
func TestTempoForgets(t *testing.T) {
	t.Parallel()
	p := newTempo(Limits{PerNetwork: 1, PerDomain: 1}, (&clock{noon}).read, noWait)
	for i := range 2 * maxRecords {
		p.brought(fmt.Sprintf("d%d.example", i))
	}
	if len(p.seen) != maxRecords || p.recent.Len() != maxRecords {
		t.Errorf("%d and %d records are kept", len(p.seen), p.recent.Len())
	}
	if p.mayBring("d0.example") != nil || p.mayBring(fmt.Sprintf("d%d.example", 2*maxRecords-1)) == nil {
		t.Error("the wrong ones were forgotten")
	}
}

// waits notes how long replies were held back.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) wait(_ context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return nil
}

func TestTempoOfRefusals(t *testing.T) {
	t.Parallel()
	c, w := &clock{noon}, &waits{}
	p := newTempo(Limits{}, c.read, w.wait)
	for range refusalGrace {
		p.refused(t.Context(), "a")
		p.refused(t.Context(), "")
	}
	if len(w.list) > 0 {
		t.Fatalf("held back %v within the grace", w.list)
	}
	for range 8 {
		p.refused(t.Context(), "a")
	}
	got := fmt.Sprint(w.list)
	if want := "[250ms 500ms 1s 2s 4s 8s 15s 15s]"; got != want {
		t.Errorf("held back %s, want %s", got, want)
	}
	c.now = c.now.Add(28 * forgiveAfter)
	p.refused(t.Context(), "a")
	if len(w.list) != 8 || p.waiting != 0 {
		t.Errorf("after a while: %v, %d waiting", w.list, p.waiting)
	}
	p.waiting = maxWaiting
	for range 2 * refusalGrace {
		p.refused(t.Context(), "b")
	}
	if len(w.list) != 8 {
		t.Errorf("more wait than may: %v", w.list)
	}
}

// TestRefusalsOverSMTP: who tries one address after another is held back, on
// whatever connection; who brings mail to those there are is not.
func TestRefusalsOverSMTP(t *testing.T) {
	t.Parallel()
	w := &waits{}
	r := newRelay(t, func(o *Options) {
		o.Wait, o.Limits.MaxErrors = w.wait, 1000
		o.Peer = func(net.Conn) mailbox.Peer { return "roof" }
	})
	probe := func(n int) {
		conn, err := r.dial(t.Context(), "mx")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		commands := "EHLO a\r\nMAIL FROM:<zoe@there.example>\r\n" + strings.Repeat("RCPT TO:<nobody@here.example>\r\n", n) + "QUIT\r\n"
		if _, err := io.WriteString(conn, commands); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatal(err)
		}
	}
	probe(refusalGrace)
	if got := r.bring(t, "client.example", "zoe@there.example", from("zoe@there.example")); got != "kept" || len(w.list) > 0 {
		t.Errorf("got %s, held back %v", got, w.list)
	}
	probe(2)
	if got := fmt.Sprint(w.list); got != "[250ms 500ms]" {
		t.Errorf("held back %s", got)
	}
}

// TestDomainsOverSMTP: a domain's measure is used up by what it signed, and by
// nothing that others forge.
func TestDomainsOverSMTP(t *testing.T) {
	t.Parallel()
	keys, dns := foreignKeys(t)
	r := newRelay(t, func(o *Options) { o.Origin, o.Resolver, o.Limits.PerDomain = OriginDKIM, dns, 2 })
	plain := from("zoe@there.example")
	signed := foreignSign(t, dkim.SignOptions{Domain: "there.example", Selector: "ed", Signer: keys["ed"]}, plain)
	for i, step := range []struct{ message, want string }{
		{plain, "550 5.7.22"}, {plain, "550 5.7.22"}, {signed + "x\r\n", "550 5.7.22"}, {signed, "kept"}, {signed, "kept"}, {signed, "451 4.7.1"},
	} {
		if got := r.bring(t, "client.example", "zoe@there.example", step.message); got != step.want {
			t.Errorf("message %d: got %s, want %s", i, got, step.want)
		}
	}
}

// TestStopDoesNotWait: a stopping server has no time to hold anybody back.
func TestStopDoesNotWait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan struct{})
	p := newTempo(Limits{}, (&clock{noon}).read, func(ctx context.Context, d time.Duration) error {
		close(held)
		return pause.For(ctx, time.Hour)
	})
	for range refusalGrace {
		p.refused(ctx, "a")
	}
	go func() { <-held; cancel() }()
	p.refused(ctx, "a")
}
