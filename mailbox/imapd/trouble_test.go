package imapd_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// damage puts a message into INBOX that nothing opens.
func (w *world) damage(t *testing.T, c mailbox.Created) {
	t.Helper()
	blob := seal.NewBlobID()
	body, err := w.store.CreateBody(t.Context(), c.Account, blob, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := body.Write([]byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := body.Commit(); err != nil {
		t.Fatal(err)
	}
	d := mailbox.Delivery{
		Account: c.Account, Mailbox: mailbox.Inbox, Generation: 1, Blob: blob, Key: []byte("key"),
		Envelope: []byte("envelope"), Body: body, Size: 4, Day: mailbox.DayOf(now()),
	}
	if _, err := w.store.Accept(t.Context(), []mailbox.Delivery{d}); err != nil {
		t.Fatal(err)
	}
}

// TestDamaged: a message that does not open keeps nobody from the others, and is
// named.
func TestDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = true
	created := w.account(t, "b@example.org")
	for i := range 3 {
		if i == 1 {
			w.damage(t, created)
			continue
		}
		if err := w.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
			t.Fatal(err)
		}
	}
	c := w.dial(t).enter(created)
	c.ok("SELECT INBOX")
	got, answer := c.command("FETCH 1:3 RFC822.SIZE")
	want := []string{
		"* 1 FETCH (RFC822.SIZE 185)",
		"* NO [CORRUPTION] The message with UID 2 is damaged, tell the operator of the relay",
		"* 3 FETCH (RFC822.SIZE 185)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("responses (-want +got):\n%s", d)
	}
	if answer != "OK Some of the messages are damaged" {
		t.Errorf("answer %q", answer)
	}
	if got := c.ok("SEARCH SUBJECT m"); len(got) != 1 || got[0] != "* SEARCH 1 3" {
		t.Errorf("a search finds %q", got)
	}
	if !strings.Contains(w.log.String(), "message not fetched") {
		t.Error("the operator is not told")
	}
}

// TestAlert: whose account is about to end is told so at login, and only then.
func TestAlert(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(today.Unix())
	w := newWorldOn(t, func(o *mailbox.Options) {
		o.Terms = mailbox.DefaultTerms()
		o.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	})
	created := w.account(t, "b@example.org")
	for _, day := range []int{0, 80} {
		clock.Store(today.AddDate(0, 0, day).Unix())
		c := w.dial(t)
		got := c.ok("LOGIN %s %s", created.Address, created.Secret)
		if len(got) != min(day, 1) {
			t.Errorf("day %d: login tells %q", day, got)
		}
		c.ok("LOGOUT")
		for _, line := range got {
			if !strings.HasPrefix(line, "* OK [ALERT] Nobody has used this account for 80 days") {
				t.Errorf("day %d: %q", day, line)
			}
		}
	}
}

// TestTrimmed: a client whose knowledge is older than what the relay remembers of
// expunges gets the whole answer, not half of it (RFC 7162, 3.2.5.2 and 3.2.6).
func TestTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.account(t, "b@example.org")
	for i := range 6 {
		if err := w.deliver(t.Context(), "b@example.org", message(fmt.Sprint("m", i))); err != nil {
			t.Fatal(err)
		}
	}
	x := w.login(t, created)
	for _, uid := range []mailbox.UID{2, 4} {
		if _, err := x.Expunge(t.Context(), mailbox.Inbox, []mailbox.UIDRange{{Low: uid, High: uid}}, true); err != nil {
			t.Fatal(err)
		}
	}
	trimmer := w.store.(interface {
		TrimVanished(context.Context, int) error
	})
	if err := trimmer.TrimVanished(t.Context(), 1); err != nil { // of the two, the first is forgotten
		t.Fatal(err)
	}
	c := w.dial(t).enter(created)
	c.ok("ENABLE QRESYNC")
	vanished := func(lines []string) string {
		for _, line := range lines {
			if set, ok := strings.CutPrefix(line, "* VANISHED (EARLIER) "); ok {
				return set
			}
		}
		return ""
	}
	for command, want := range map[string]string{
		"SELECT INBOX (QRESYNC (1777896000 7))":               "2,4", // 7 is before the first expunge
		"SELECT INBOX (QRESYNC (1777896000 7 1:3))":           "2",
		"SELECT INBOX (QRESYNC (1777896000 7 1:6 (1:2 1,3)))": "4", // the pairs vouch for what is below 4
		"SELECT INBOX (QRESYNC (1777896000 8))":               "4",
	} {
		if got := vanished(c.ok("%s", command)); got != want {
			t.Errorf("%s: %q vanished, want %q", command, got, want)
		}
	}
	if got := vanished(c.ok("UID FETCH 1:6 FLAGS (CHANGEDSINCE 7 VANISHED)")); got != "2,4" {
		t.Errorf("UID FETCH: %q vanished, want 2,4", got)
	}
}
