package web

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restante/restante/mailbox"
)

// TestTurns: of ten at once one has the turn, and rests as long as it took.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		began, busy := time.Now(), 0
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				err := turns.take(t.Context(), func() error {
					if busy++; busy > 1 {
						t.Error("two have the turn")
					}
					time.Sleep(30 * time.Millisecond) // of the bubble's clock
					busy--
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		// The last one is not kept for its rest.
		if got, want := time.Since(began), (10*30+9*30)*time.Millisecond; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

// TestTurnsRest: a turn that was nothing rests a little, and a long one not for long.
func TestTurnsRest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ turn, rest time.Duration }{
		{0, shortRest}, {50 * time.Millisecond, 50 * time.Millisecond}, {5 * time.Second, longRest},
	} {
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns()
			for range 2 { // the second waits for the rest of the first
				err := turns.take(t.Context(), func() error {
					time.Sleep(tt.turn)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := turns.take(t.Context(), func() error { return nil }); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(began); got != tt.rest {
				t.Errorf("after a turn of %v: a rest of %v, want %v", tt.turn, got, tt.rest)
			}
		})
	}
}

// TestTurnsRefused: who waits too long, gives up, or finds the line full, is told so,
// and do is not called.
func TestTurnsRefused(t *testing.T) {
	t.Parallel()
	never := func() error { return errors.New("was called") }
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		slow := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			_ = turns.take(t.Context(), func() error { <-slow; return nil })
		})
		synctest.Wait()
		if err := turns.take(t.Context(), never); !errors.Is(err, mailbox.ErrBusy) {
			t.Errorf("after patience: %v, want %v", err, mailbox.ErrBusy)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := turns.take(gone, never); !errors.Is(err, context.Canceled) {
			t.Errorf("gone: %v, want %v", err, context.Canceled)
		}
		for len(turns.line) < maxLine {
			turns.line <- struct{}{}
		}
		began := time.Now()
		if err := turns.take(t.Context(), never); !errors.Is(err, mailbox.ErrBusy) || time.Since(began) > 0 {
			t.Errorf("full line: %v after %v, want %v at once", err, time.Since(began), mailbox.ErrBusy)
		}
		close(slow)
		all.Wait()
	})
}

// TestTurnsPanic: a fault in one turn does not keep the others from theirs.
func TestTurnsPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		func() {
			defer func() { _ = recover() }()
			_ = turns.take(t.Context(), func() error { panic("a fault") })
		}()
		if err := turns.take(t.Context(), func() error { return nil }); err != nil {
			t.Error(err)
		}
	})
}
