package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// crampedAccount is an account that has room for so many mails.
func (r *testRelay) crampedAccount(t *testing.T, name string, most int64) Account {
	t.Helper()
	quota := mailbox.Quota{Messages: most}
	c, err := r.service.CreateAccount(t.Context(), addr.MustParse(name+"@relay.test"), mailbox.NewAccountOptions{Quota: &quota})
	must(t, err)
	return Account{Address: c.Address.String(), Password: c.Secret, SMTPS: r.smtps, IMAPS: r.imaps, CA: r.ca}
}

// TestRefusedAppend: after an APPEND that the server refused before it asked for the
// message, of any size, the next command goes on.
func TestRefusedAppend(t *testing.T) {
	t.Parallel()
	r := other(t, newRelay(t).account(t, "alice"))
	must(t, r.selectBox("INBOX"))
	for _, size := range []int64{10, 100_000} {
		_, err := r.append("Nowhere", strings.NewReader(strings.Repeat("x", int(size))), size, newFlagSet(), time.Now())
		var no *imap.Error
		if !isRefusal(err) || !errors.As(err, &no) || no.Code != imap.ResponseCodeTryCreate {
			t.Errorf("%d octets: got %v, want NO [TRYCREATE]", size, err)
		}
		if _, err := r.look("INBOX", newLedger("")); err != nil {
			t.Errorf("after %d octets: %v", size, err)
		}
	}
}

// TestSyncFull: a server without room refuses new mail. All else goes on, the reason is
// told, and the mail gets there when there is room, however often it was refused before.
func TestSyncFull(t *testing.T) {
	t.Parallel()
	h := newHome(t, newRelay(t).crampedAccount(t, "alice", 2))
	far := other(t, h.account)
	uid := h.put(t, far, "INBOX", 1)
	h.sync(t)
	for n := range 5 {
		h.keepHere(t, "INBOX", 2+n, 0)
	}
	h.flagHere(t, "INBOX", "mail-1", mailbox.AddFlags, mailbox.Flagged)
	for range maxAttempts + 1 {
		h.sync(t)
	}
	if err := h.watcher.sync.refused; !isRefusal(err) {
		t.Errorf("got fault %v, want the server's refusal", err)
	}
	if got := h.there(t, far)["INBOX"]; len(got) != 2 || got[0] != `mail-1 \flagged` {
		t.Errorf("without room: the server has %q", got)
	}
	must(t, far.remove("INBOX", []imap.UID{uid}))
	h.sync(t)
	if got := h.there(t, far)["INBOX"]; len(got) != 2 {
		t.Errorf("with room for one more: the server has %q", got)
	}
}
