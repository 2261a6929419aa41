package mailbox_test

import (
	"testing"

	"github.com/restante/restante/mailbox"
)

// TestKeepsField: what KeepsField promises is in Info.Kept, and nothing else is.
func TestKeepsField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("one", 0), c.Address.String())
	err := x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		info, err := i.Info()
		if err != nil {
			return err
		}
		kept := map[string]bool{}
		for _, f := range info.Kept {
			kept[f.Name] = true
		}
		for _, name := range []string{"From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type"} {
			if got, want := mailbox.KeepsField(name), kept[name]; got != want {
				t.Errorf("KeepsField(%q) = %v, and the field is there: %v", name, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !mailbox.KeepsField("chat-VERSION") || mailbox.KeepsField("Chat") {
		t.Error("KeepsField must not mind the case, and must mind the rest")
	}
}
