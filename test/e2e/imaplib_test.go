//go:build e2e

package e2e

import (
	_ "embed"
	"encoding/json"
	"testing"
)

//go:embed imap_fetch.py
var fetchScript string

//go:embed imap_session.py
var sessionScript string

// imapFetchAll reads every message of INBOX with Python's imaplib.
func imapFetchAll(t *testing.T, r *relay, a account) []string {
	t.Helper()
	need(t, "python3", "python3")
	script := write(t, t.TempDir(), "fetch.py", fetchScript)
	out := run(t, "", nil, "python3", script, r.IMAPS, r.CAFile, a.Address, a.Password)
	var mails []string
	if err := json.Unmarshal([]byte(out), &mails); err != nil {
		t.Fatalf("imaplib: %v in %s", err, out)
	}
	return mails
}

// TestImaplib runs a whole session: folders, append, flags, search, copy, move,
// expunge, with a second connection that must see each change.
func TestImaplib(t *testing.T) {
	t.Parallel()
	need(t, "python3", "python3")
	r := start(t)
	alice := r.Accounts[0]
	g := newGnuPG(t, r.Accounts)
	dir := t.TempDir()
	script := write(t, dir, "session.py", sessionScript)
	mail := write(t, dir, "mail.eml", g.mail(t, alice, alice, "note to self"))
	run(t, "", nil, "python3", script, r.IMAPS, r.CAFile, alice.Address, alice.Password, mail)
}
