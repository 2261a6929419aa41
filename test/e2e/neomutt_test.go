//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNeomutt writes an encrypted mail in neomutt with gpg, and reads it back
// and decrypts it in another neomutt.
func TestNeomutt(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	need(t, "script", "bsdutils")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	dir := t.TempDir()

	rc := neomuttConfig(t, r, alice, dir)
	text := write(t, dir, "text", "Dear Bob, this was written in neomutt.\n")
	terminal(t, g.env, fmt.Sprintf("neomutt -F %s -s 'a secret subject' -- %s < %s", rc, bob.Address, text))

	out := filepath.Join(dir, "decrypted")
	rc = neomuttConfig(t, r, bob, dir)
	keys := fmt.Sprintf(`push "<first-entry><display-message><pipe-message>cat > %s<enter><exit><quit>"`, out)
	terminal(t, g.env, fmt.Sprintf("neomutt -F %s -e '%s'", rc, keys))
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("neomutt wrote nothing: %v", err)
	}
	for _, want := range []string{"Dear Bob, this was written in neomutt."} {
		if !strings.Contains(string(got), want) {
			t.Errorf("neomutt shows no %q but:\n%s", want, got)
		}
	}
	if flags := imapFlags(t, r, bob, "INBOX"); len(flags) != 1 || !strings.Contains(flags[0], `\Seen`) {
		t.Errorf("flags after reading: %q, want one message with \\Seen", flags)
	}
}

func neomuttConfig(t *testing.T, r *relay, a account, dir string) string {
	t.Helper()
	_, smtps := hostPort(t, r.SMTPS)
	_, imaps := hostPort(t, r.IMAPS)
	user := url.QueryEscape(a.Address)
	return write(t, dir, a.Address+".rc", fmt.Sprintf(`set from=%[1]s
set realname=""
set use_from=yes
set copy=no
set record=""
set smtp_url="smtps://%[2]s@localhost:%[3]d/"
set smtp_pass="%[4]s"
set folder="imaps://%[2]s@localhost:%[5]d/"
set spoolfile="imaps://%[2]s@localhost:%[5]d/INBOX"
set imap_user="%[1]s"
set imap_pass="%[4]s"
set certificate_file=%[6]s
set ssl_verify_host=yes
set crypt_use_gpgme=yes
set crypt_autoencrypt=yes
set crypt_autosign=yes
set crypt_protected_headers_write=yes
set pgp_default_key="%[1]s"
set pgp_sign_as="%[1]s"
set pipe_decode=yes
set wait_key=no
set quit=yes
set delete=yes
set mark_old=no
set header_cache=""
`, a.Address, user, smtps, a.Password, imaps, r.CAFile))
}

// terminal runs a command with a terminal of its own.
func terminal(t *testing.T, env []string, command string) {
	t.Helper()
	env = append(env, "TERM=xterm", "LC_ALL=C.UTF-8", "HOME="+t.TempDir(), "LINES=40", "COLUMNS=120")
	out, err := try(t, "", env, "script", "-qec", command, "/dev/null")
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
