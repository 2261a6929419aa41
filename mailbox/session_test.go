package mailbox_test

import (
	"testing"

	"github.com/restante/restante/mailbox"
)

func TestAfterRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	var before, stopped, late int
	x.AfterRevoked(func() { before++ })
	stop := x.AfterRevoked(func() { stopped++ })
	stop()
	if err := w.SetState(t.Context(), c.Account, mailbox.Disabled); err != nil {
		t.Fatal(err)
	}
	<-x.Revoked()
	x.AfterRevoked(func() { late++ })
	x.Close()
	if before != 1 || stopped != 0 || late != 1 {
		t.Errorf("calls of the one given before, the one stopped, the one given after: %d, %d, %d; want 1, 0, 1", before, stopped, late)
	}
}
