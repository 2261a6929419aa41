package token_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/web/token"
)

func openSpent(t *testing.T, path string) *token.Spent {
	t.Helper()
	s, err := token.OpenSpent(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // some tests have closed it
	return s
}

func works() error { return nil }

func TestSpend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spent")
	s := openSpent(t, path)
	broken := errors.New("the account was not made")
	a, b := token.ID{1}, token.ID{2}
	steps := []struct {
		name string
		id   token.ID
		use  func() error
		want error
	}{
		{"the account is not made", a, func() error { return broken }, broken},
		{"it is made", a, works, nil},
		{"again", a, works, token.ErrSpent},
		{"another is not made", b, func() error { return broken }, broken},
		{"another", b, works, nil},
	}
	for _, step := range steps {
		if err := s.Spend(t.Context(), step.id, step.use); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpent(t, path)
	for _, id := range []token.ID{a, b} {
		if err := s.Spend(t.Context(), id, works); !errors.Is(err, token.ErrSpent) {
			t.Errorf("after a restart: %v, want ErrSpent", err)
		}
	}
}

// TestSpentAfterPowerCut: a record that is torn off does not move the others, and
// a token whose account was being made when the power went stays spent.
func TestSpentAfterPowerCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spent")
	s := openSpent(t, path)
	var after []byte
	err := s.Spend(t.Context(), token.ID{1}, func() (err error) {
		after, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(after, "torn"...), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openSpent(t, path)
	if err := s.Spend(t.Context(), token.ID{2}, works); err != nil {
		t.Fatal(err)
	}
	s = openSpent(t, path)
	for _, id := range []token.ID{{1}, {2}} {
		if err := s.Spend(t.Context(), id, works); !errors.Is(err, token.ErrSpent) {
			t.Errorf("token %d: %v, want ErrSpent", id[0], err)
		}
	}
}

func TestSpendAtOnce(t *testing.T) {
	t.Parallel()
	s := openSpent(t, filepath.Join(t.TempDir(), "spent"))
	var used atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := s.Spend(t.Context(), token.ID{7}, func() error { used.Add(1); return nil })
			if err != nil && !errors.Is(err, token.ErrSpent) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := used.Load(); got != 1 {
		t.Errorf("used %d times, want once", got)
	}
}

func TestSpendTooLate(t *testing.T) {
	t.Parallel()
	s := openSpent(t, filepath.Join(t.TempDir(), "spent"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unused := func() error { t.Error("it was used"); return nil }
	if err := s.Spend(ctx, token.ID{1}, unused); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := s.Spend(t.Context(), token.ID{1}, works); err != nil {
		t.Errorf("the token is lost: %v", err)
	}
}
