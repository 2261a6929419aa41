package mailbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// TestKeyReplacedSinceRecipient: mail for an account whose key is replaced while the
// message comes is sealed to the new one, at once as well as later.
func TestKeyReplacedSinceRecipient(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint(later), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.account(t, "b@example.org")
			rcpt := w.recipients(t, "b@example.org")
			fresh, _, err := w.ResetAccount(t.Context(), c.Account, "")
			if err != nil {
				t.Fatal(err)
			}
			w.clock.advance(later)
			m := w.receive(t, message("one", 3))
			defer m.Close()
			if err := w.Deliver(t.Context(), addr.MustParse("a@example.net"), rcpt, m); err != nil {
				t.Fatal(err)
			}
			if got := texts(t, w.login(t, fresh), mailbox.Inbox); len(got) != 1 || got[1] != message("one", 3) {
				t.Errorf("the new key opens %d messages, the first is %q", len(got), got[1])
			}
		})
	}
}

// TestRedirectedAtOnce: a public key that is exchanged in the database right after
// RCPT is not used: the message is sealed to the one that was made sure of.
func TestRedirectedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, b := w.owner(t, "b@example.org")
	c := w.account(t, "c@example.org")
	rcpt := w.recipients(t, "b@example.org")
	w.sql(t, fmt.Sprintf("UPDATE account_key SET public = (SELECT public FROM account_key WHERE account_id = %d) WHERE account_id = %d",
		c.Account, b.Account))
	m := w.receive(t, message("secret", 3))
	defer m.Close()
	if err := w.Deliver(t.Context(), addr.MustParse("a@example.net"), rcpt, m); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, x, mailbox.Inbox); len(got) != 1 || got[1] != message("secret", 3) {
		t.Errorf("the owner's key opens %d messages, the first is %q", len(got), got[1])
	}
}
