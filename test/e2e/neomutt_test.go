//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestNeomutt writes an encrypted mail in neomutt with gpg, and reads it back
// and decrypts it in another neomutt.
func TestNeomutt(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	dir := t.TempDir()

	rc := neomuttConfig(t, r, alice, dir)
	text := write(t, dir, "text", "Dear Bob, this was written in neomutt.\n")
	// Without a terminal neomutt does not encrypt.
	writer := newTerminal(t, g.env, fmt.Sprintf("neomutt -F %s -s 'a secret subject' -i %s %s", rc, text, bob.Address))
	writer.await("Sign, Encrypt (PGP/MIME)")
	writer.keys("y")
	writer.awaitEnd()

	rc = neomuttConfig(t, r, bob, dir)
	reader := newTerminal(t, g.env, "neomutt -F "+rc)
	reader.await("[...]") // the relay knows no more of the subject
	reader.keys("Enter")
	reader.await("Dear Bob, this was written in neomutt.")
	reader.keys("q", "q")
	reader.awaitEnd()
	if flags := imapFlags(t, r, bob, "INBOX"); len(flags) != 1 || !strings.Contains(flags[0], `\Seen`) {
		t.Errorf("flags after reading: %q, want one message with \\Seen", flags)
	}
}

// TestNeomuttSession flags, saves away and deletes in neomutt what another session has
// selected.
func TestNeomuttSession(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	r := start(t)
	bob := r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	fill(t, r, g, bob, 3)
	w := watch(t, r, bob, "INBOX")
	rc := neomuttConfig(t, r, bob, t.TempDir())
	x := newTerminal(t, g.env, "neomutt -e 'set confirmappend=no sort=mailbox-order' -F "+rc)
	x.await("Msgs:3")
	x.keys("1", "Enter", "Enter") // to the first message, and open it
	x.await("letter 1")
	x.keys("q", "F", "$")
	w.want("reading and flagging", `1 \Flagged \Seen`)
	x.keys("2", "Enter", "s")
	x.await("Save")
	x.keys("C-u", "=Archive", "Enter", "$")
	w.wantGone("saving")
	x.keys("2", "Enter", "d", "$")
	w.wantGone("deleting")
	x.keys("q")
	x.awaitEnd()
	if got := imapFlags(t, r, bob, "Archive"); len(got) != 1 {
		t.Errorf("Archive has %d messages, want 1", len(got))
	}
}

// neomuttConfig writes a configuration for the relay, with gpg for OpenPGP.
func neomuttConfig(t *testing.T, r *relay, a account, dir string) string {
	t.Helper()
	_, smtps := hostPort(t, r.SMTPS)
	_, imaps := hostPort(t, r.IMAPS)
	user := url.QueryEscape(a.Address)
	return neomuttrc(t, dir, a, fmt.Sprintf("smtps://%s@localhost:%d/", user, smtps), fmt.Sprintf("imaps://%s@localhost:%d/", user, imaps), fmt.Sprintf(`
set certificate_file=%[2]s
set ssl_verify_host=yes
set crypt_use_gpgme=yes
set crypt_autoencrypt=yes
set crypt_autosign=yes
set crypt_protected_headers_write=yes
set pgp_default_key="%[1]s"
set pgp_sign_as="%[1]s"
set pipe_decode=yes
`, a.Address, r.CAFile))
}

// neomuttrc writes a configuration for the servers at two URLs, with more lines of its own.
func neomuttrc(t *testing.T, dir string, a account, smtp, imap, more string) string {
	t.Helper()
	return write(t, dir, a.Address+".rc", fmt.Sprintf(`set from=%[1]s
set realname=""
set use_from=yes
set copy=no
set record=""
set smtp_url="%[3]s"
set smtp_pass="%[2]s"
set folder="%[4]s"
set spoolfile="%[4]sINBOX"
set imap_user="%[1]s"
set imap_pass="%[2]s"
set wait_key=no
set quit=yes
set delete=yes
set mark_old=no
set editor=true
set abort_unmodified=no
set autoedit=yes
set fast_reply=yes
set header_cache=""
`, a.Address, a.Password, smtp, imap)+more)
}
