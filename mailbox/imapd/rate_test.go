package imapd

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPacer: a burst passes, then commands come at the rate, and a rest makes up
// for it. Without a rate nobody waits.
func TestPacer(t *testing.T) {
	t.Parallel()
	const rate = 100
	var p, free pacer
	now := time.Unix(1_800_000_000, 0)
	for i := range burstSeconds * rate {
		if d := p.wait(now, rate); d != 0 {
			t.Fatalf("command %d of the burst waits %v", i+1, d)
		}
	}
	for i := 1; i <= 5; i++ {
		if got, want := p.wait(now, rate), time.Duration(i)*time.Second/rate; got != want {
			t.Errorf("command %d after the burst waits %v, want %v", i, got, want)
		}
	}
	now = now.Add(burstSeconds * time.Second)
	if d := p.wait(now, rate); d != 0 {
		t.Errorf("after a rest a command waits %v", d)
	}
	for range 1_000_000 {
		if d := free.wait(now, 0); d != 0 {
			t.Fatalf("without a rate a command waits %v", d)
		}
	}
}

// TestSlowDown: a fast client gets all its answers, only later; one that is cut off
// does not wait.
func TestSlowDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &conn{srv: New(Options{Limits: Limits{Commands: 1000}}), ctx: ctx}
		for _, want := range []time.Duration{51 * time.Millisecond, 0} {
			c.pacer.due = time.Now().Add(burstSeconds*time.Second + 50*time.Millisecond)
			start := time.Now()
			c.slowDown()
			if d := time.Since(start); d != want {
				t.Errorf("held back for %v, want %v", d, want)
			}
			cancel()
		}
	})
}
