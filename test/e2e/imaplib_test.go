//go:build e2e

package e2e

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

//go:embed imap_fetch.py
var fetchScript string

//go:embed imap_session.py
var sessionScript string

//go:embed smtp_submit.py
var submitScript string

//go:embed imap_do.py
var doScript string

// imapDo runs Python statements on a logged-in connection called imap and
// returns what they print.
func imapDo(t *testing.T, r *relay, a account, statements string) string {
	t.Helper()
	need(t, "python3", "python3")
	script := write(t, t.TempDir(), "do.py", doScript)
	return run(t, "", nil, "python3", script, r.IMAPS, r.CAFile, a.Address, a.Password, statements)
}

// imapFlags returns the flags of each message of a mailbox, sorted, without
// \Recent.
func imapFlags(t *testing.T, r *relay, a account, mailbox string) []string {
	t.Helper()
	out := imapDo(t, r, a, fmt.Sprintf(`
imap.select(%q, readonly=True)
kind, data = imap.uid("FETCH", "1:*", "(FLAGS)")
for line in data:
    if line:
        flags = [f.decode() for f in imaplib.ParseFlags(line) if f != b"\\Recent"]
        print(" ".join(sorted(flags)) or "-")
`, mailbox))
	var all []string
	for line := range strings.Lines(out) {
		all = append(all, strings.TrimSuffix(strings.TrimSpace(line), "-"))
	}
	slices.Sort(all)
	return all
}

// submit sends a mail with Python's smtplib.
func submit(t *testing.T, r *relay, from, to account, mail string) {
	t.Helper()
	need(t, "python3", "python3")
	script := write(t, t.TempDir(), "submit.py", submitScript)
	run(t, mail, nil, "python3", script, r.SMTPS, r.CAFile, from.Address, from.Password, to.Address)
}

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
