package mailbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/mailbox"
)

// TestDebug: the operator sees the commands of one account, for a time that ends by
// itself, and the log says when.
func TestDebug(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, c := w.owner(t, "b@example.org")
	other, _ := w.owner(t, "c@example.org")
	if b.Debugged() {
		t.Error("it is logged at first")
	}
	for _, d := range []time.Duration{-time.Second, mailbox.MaxDebug + 1} {
		if err := w.Debug(t.Context(), c.Account, d); !errors.Is(err, mailbox.ErrName) {
			t.Errorf("for %v: %v", d, err)
		}
	}
	if err := w.Debug(t.Context(), 999, time.Minute); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("of nobody: %v", err)
	}
	if err := w.Debug(t.Context(), c.Account, time.Hour); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(59 * time.Minute)
	w.TestOnlySweep(t.Context())
	if !b.Debugged() || other.Debugged() {
		t.Errorf("after 59 minutes: %v, and another account %v", b.Debugged(), other.Debugged())
	}
	w.clock.advance(time.Minute)
	if b.Debugged() {
		t.Error("it has not ended after its time")
	}
	w.TestOnlySweep(t.Context())
	for _, word := range []string{"are logged by the operator's wish", "are logged no more"} {
		if strings.Count(w.log.String(), word) != 1 {
			t.Errorf("the log does not say once that commands %s:\n%s", word, w.log)
		}
	}
}
