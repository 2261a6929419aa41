package mailbox_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// TestRedirectedMail: somebody who can write to the database, but has no relay key,
// can't have future mail sealed to a key of his own. The victim is b, and c the
// attacker, who has an account there too.
func TestRedirectedMail(t *testing.T) {
	t.Parallel()
	const victim, attacker = "(SELECT account_id FROM account WHERE created = 1)", "(SELECT account_id FROM account WHERE created = 2)"
	for name, attack := range map[string][]string{
		"the attacker's public key": {
			"UPDATE account_key SET public = (SELECT public FROM account_key WHERE account_id = " + attacker + ") WHERE account_id = " + victim},
		"his key and its generation": {
			"UPDATE account_key SET public = (SELECT public FROM account_key WHERE account_id = " + attacker + "), generation = 2 WHERE account_id = " + victim},
		"another generation": {"UPDATE account_key SET generation = 2 WHERE account_id = " + victim},
		"keys exchanged": swap("account_key", "generation, public",
			"account_id = "+victim, "account_id = "+attacker),
		"the address given to his account": {"UPDATE address SET account_id = " + attacker + ", n = 9 WHERE account_id = " + victim},
		"accounts exchanged": append([]string{"DROP INDEX address_account", "UPDATE address SET n = account_id"},
			swap("address", "account_id", "n = "+victim, "n = "+attacker)...),
		"entries exchanged": swap("address", "entry_ct", "account_id = "+victim, "account_id = "+attacker),
		"his entry under the victim's address": {
			"UPDATE address SET (account_id, n, entry_ct) = (SELECT account_id, 9, entry_ct FROM address WHERE account_id = " + attacker + ") WHERE account_id = " + victim},
		"an octet of the entry": {flip("address", "entry_ct", "account_id = "+victim, "40")},
		"no entry":              {"UPDATE address SET entry_ct = x'' WHERE account_id = " + victim},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
			m := w.receive(t, message("secret", 3))
			rcpt := w.recipients(t, "b@example.org") // RCPT was before, DATA comes after
			w.sql(t, fmt.Sprintf("UPDATE account SET created = 1 WHERE account_id = %d", b.Account),
				fmt.Sprintf("UPDATE account SET created = 2 WHERE account_id = %d", c.Account))
			w.sql(t, attack...)
			w.clock.advance(2 * time.Second) // before, what was read at RCPT is used (TestRedirectedAtOnce)
			if _, err := w.Recipient(t.Context(), b.Address, 0); !errors.Is(err, mailbox.ErrCorrupt) || !strings.Contains(err.Error(), "directory entry") {
				t.Errorf("recipient: got %v, want an ErrCorrupt that names the entry", err)
			}
			if err := w.Deliver(t.Context(), addr.MustParse("a@example.net"), rcpt, m); !errors.Is(err, mailbox.ErrCorrupt) {
				t.Errorf("deliver: got %v, want ErrCorrupt", err)
			}
			for _, id := range []mailbox.AccountID{b.Account, c.Account} {
				if row, err := w.store.Account(t.Context(), id); err != nil || row.Used.Messages != 0 {
					t.Errorf("account %s has %d messages, %v", id, row.Used.Messages, err)
				}
			}
		})
	}
}

// TestRedirectedAppend: what a logged-in owner puts into his mailbox is sealed under his
// own keys, and not to what the account's row says.
func TestRedirectedAppend(t *testing.T) {
	t.Parallel()
	w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
	x, b := w.owner(t, "b@example.org")
	c := w.account(t, "c@example.org")
	m := w.receive(t, message("draft", 3))
	if _, err := x.Append(t.Context(), mailbox.Inbox, mailbox.Append{Message: m}); err != nil {
		t.Fatal(err)
	}
	w.sql(t, fmt.Sprintf("UPDATE account_key SET public = (SELECT public FROM account_key WHERE account_id = %d) WHERE account_id = %d", c.Account, b.Account))
	if _, err := x.Append(t.Context(), mailbox.Inbox, mailbox.Append{Message: m}); err != nil {
		t.Fatal(err)
	}
	if n := len(texts(t, w.login(t, b), mailbox.Inbox)); n != 2 {
		t.Errorf("the owner can read %d messages, want both", n)
	}
	if n := w.stages(t, x, mailbox.Inbox)[mailbox.StageWrapped]; n != 2 {
		t.Errorf("%d messages are bound to their place, want both", n)
	}
}

// TestResetMendsDirectory: new keys go into the directory with the account, and mend
// what somebody has exchanged.
func TestResetMendsDirectory(t *testing.T) {
	t.Parallel()
	w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
	b, c := w.account(t, "b@example.org"), w.account(t, "c@example.org")
	w.sql(t, fmt.Sprintf("UPDATE account_key SET public = (SELECT public FROM account_key WHERE account_id = %d) WHERE account_id = %d", c.Account, b.Account))
	made, _, err := w.ResetAccount(t.Context(), b.Account, "")
	if err != nil {
		t.Fatal(err)
	}
	if made.Address.String() != b.Address.String() {
		t.Errorf("the reset account has the address %s, want %s", made.Address, b.Address)
	}
	w.deliver(t, message("after", 3), "b@example.org")
	if n := len(texts(t, w.login(t, made), mailbox.Inbox)); n != 1 {
		t.Errorf("%d messages can be read with the new keys, want 1", n)
	}
	row, err := w.store.Lookup(t.Context(), seal.NewRelayKey(relaySecret, w.store.ID()).AddressMAC(b.Address.Key()))
	if err != nil || row.Key.Generation != 2 {
		t.Errorf("key generation %d, %v; want 2", row.Key.Generation, err)
	}
}
