package mailbox_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
)

// TestFetchBodies: whatever is read ahead, and of whatever size, each message comes
// with its own text, in order, and those that are not asked for don't come.
func TestFetchBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, _ := w.owner(t, "b@example.org")
	for i := range 40 {
		text := message(fmt.Sprint("m", i), 3)
		switch {
		case i%3 == 1: // many of these make more than is read at a time
			text += strings.Repeat("A line of text, as long as lines of text are.\r\n", 800)
		case i == 20: // too large for a row
			text += strings.Repeat("A line of text, as long as lines of text are.\r\n", 3000)
		}
		w.deliver(t, text, "b@example.org")
	}
	want := texts(t, x, mailbox.Inbox)
	delete(want, 7)
	delete(want, 8)
	got := map[mailbox.UID]string{}
	last := mailbox.UID(0)
	set := []mailbox.UIDRange{{Low: 1, High: 6}, {Low: 9, High: 99}}
	err := x.FetchBodies(t.Context(), mailbox.Inbox, set, func(i *mailbox.Item) error {
		if i.UID <= last {
			t.Errorf("message %d comes after %d", i.UID, last)
		}
		last = i.UID
		b, err := i.Body(t.Context())
		if err != nil {
			return err
		}
		defer b.Close()
		text, err := io.ReadAll(b.Section(0, b.Size()))
		got[i.UID] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 38 {
		t.Errorf("got %d messages, want 38", len(got))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("texts (-want +got):\n%.2000s", d)
	}
}
