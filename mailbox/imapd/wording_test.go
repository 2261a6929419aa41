package imapd_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/mailbox"
)

// lostStore answers that what its users mean is gone, once it is told to.
type lostStore struct {
	mailbox.Store
	lost atomic.Bool
}

func (s *lostStore) Accept(ctx context.Context, ds []mailbox.Delivery, out ...mailbox.Outbound) ([]mailbox.Receipt, error) {
	if s.lost.Load() {
		return nil, mailbox.ErrGone
	}
	return s.Store.Accept(ctx, ds, out...)
}

// What is gone is told by what the client was about: a message that another session
// expunged, and a key that the account had until a moment ago.
func TestWordsForWhatIsGone(t *testing.T) {
	t.Parallel()
	store := &lostStore{}
	w := newWorldOn(t, func(o *mailbox.Options) {
		store.Store = o.Store
		o.Store = store
	})
	created := w.account(t, "b@example.org")
	for _, subject := range []string{"m1", "m2", "m3"} {
		if err := w.deliver(t.Context(), "b@example.org", message(subject)); err != nil {
			t.Fatal(err)
		}
	}
	c := w.dial(t).enter(created)
	c.ok("SELECT INBOX")
	if _, err := w.login(t, created).Expunge(t.Context(), mailbox.Inbox, []mailbox.UIDRange{{Low: 2, High: 2}}, true); err != nil {
		t.Fatal(err)
	}
	store.lost.Store(true)
	for _, test := range []struct{ command, want string }{
		{"FETCH 1:3 (BODY.PEEK[])", "OK [EXPUNGEISSUED] Some of the messages are gone"},
		{`STORE 2 +FLAGS (\Seen)`, "OK [EXPUNGEISSUED] Some of the messages are gone"},
		{"SEARCH ALL", "OK [EXPUNGEISSUED] SEARCH completed"},
		{"APPEND INBOX {15+}\r\nSubject: x\r\n\r\ny\r\n", "NO [UNAVAILABLE] The account has got new keys: log in again, then send it once more"},
	} {
		if _, got := c.command("%s", test.command); got != test.want {
			t.Errorf("%.20q: %q, want %q", test.command, got, test.want)
		}
	}
}

// Who has failed too often of late is told to wait, and not that the password is wrong.
func TestWordsForTooManyAttempts(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, func(o *mailbox.Options) {
		o.SignUp = func(mailbox.FirstLogin) error { return mailbox.ErrThrottled }
	})
	for _, command := range []string{
		"LOGIN nobody@example.org secret",
		"AUTHENTICATE PLAIN AG5vYm9keUBleGFtcGxlLm9yZwBzZWNyZXQ=",
	} {
		c := w.dial(t)
		want := "NO [LIMIT] Too many failed logins or new accounts of late, try again in some minutes"
		if _, got := c.command("%s", command); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
