//go:build e2e

package gateway

import (
	"errors"
	"fmt"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/test/dovecot"
)

// atDovecot is an account of a Dovecot: any name is one.
func atDovecot(d *dovecot.Server, name string) Account {
	return Account{Address: name + "@foreign.test", Password: dovecot.Password, SMTPS: "127.0.0.1:1", IMAPS: d.Address, CA: d.CA}
}

// TestDovecot keeps a mailbox the same with a provider that is not ours, and as most of
// them are: with CONDSTORE and QRESYNC, and mail that comes before its answer.
func TestDovecot(t *testing.T) {
	t.Parallel()
	d := dovecot.Start(t)
	for name, check := range map[string]func(*testing.T, *home, *remote){
		"onesentcopy":         checkOneSentCopy,
		"onedraft":            checkOneDraft,
		"sync":                checkSync,
		"lostledger":          checkLostLedger,
		"qresync":             checkQResync,
		"mailboxesrenamed":    checkMailboxesRenamed,
		"mailboxdeletedthere": checkMailboxDeletedThere,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, atDovecot(d, name))
			check(t, h, other(t, h.account))
		})
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("model %d", seed), func(t *testing.T) {
			t.Parallel()
			account := atDovecot(d, fmt.Sprintf("model%d", seed))
			for _, box := range modelBoxes[1:] {
				must(t, other(t, account).create(box))
			}
			newRun(t, account, seed+10).check()
		})
	}
}

// TestDovecotFull: a Dovecot whose quota is used up refuses mail, some of it before the
// literal. It gets there when there is room.
func TestDovecotFull(t *testing.T) {
	t.Parallel()
	h := newHome(t, atDovecot(dovecot.Start(t, dovecot.Quota(2)), "alice"))
	far := other(t, h.account)
	uid := h.put(t, far, "INBOX", 1)
	h.sync(t)
	for n := range 3 {
		h.keepHere(t, "INBOX", 2+n, mailbox.Seen)
	}
	h.sync(t)
	if err := h.watcher.sync.refused; !isRefusal(err) {
		t.Errorf("got fault %v, want the server's refusal", err)
	}
	if got := h.there(t, far)["INBOX"]; len(got) != 2 {
		t.Errorf("without room: the server has %q", got)
	}
	must(t, far.remove("INBOX", []imap.UID{uid}))
	h.sync(t)
	if got := h.there(t, far)["INBOX"]; len(got) != 2 {
		t.Errorf("with room for one more: the server has %q", got)
	}
}

// TestDovecotKeepsPasswords: at a provider that is not ours, it is the user who changes
// the password.
func TestDovecotKeepsPasswords(t *testing.T) {
	t.Parallel()
	h := newHome(t, atDovecot(dovecot.Start(t), "alice"))
	if err := h.MayRenewPassword(t.Context()); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v, want ErrForeign", err)
	}
}
