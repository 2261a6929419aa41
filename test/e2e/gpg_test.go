//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gnupg is a GnuPG home with one fresh key for each account.
type gnupg struct {
	home string
	env  []string
}

// newGnuPG makes the home and the keys. The home is not in t.TempDir: the path
// of the agent's socket must stay short.
func newGnuPG(t *testing.T, accounts []account) gnupg {
	t.Helper()
	need(t, "gpg", "gnupg")
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	g := gnupg{home, []string{"GNUPGHOME=" + home}}
	t.Cleanup(func() {
		_, _ = try(t, "", g.env, "gpgconf", "--kill", "all")
		os.RemoveAll(home)
	})
	for _, a := range accounts {
		run(t, "", g.env, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "<"+a.Address+">", "future-default", "default", "0")
	}
	return g
}

// gpgBoundary can't occur in base64: Thunderbird 153 takes every line for a boundary
// that has it anywhere (mimeDecrypt.sys.mjs, processData), and then shows the mail empty.
const gpgBoundary = "------------letter-of-gpg"

// mail writes a PGP/MIME message (RFC 3156) whose ciphertext gpg made.
func (g gnupg) mail(t *testing.T, from, to account, text string) string {
	t.Helper()
	inner := "Content-Type: text/plain; charset=utf-8\n\n" + text + "\n"
	armored := run(t, inner, g.env, "gpg", "--batch", "--quiet", "--trust-model", "always", "--armor", "--encrypt", "--sign",
		"--local-user", from.Address, "--recipient", to.Address, "--recipient", from.Address)
	msg := fmt.Sprintf(`From: %[1]s
To: %[2]s
Subject: a subject nobody should see
Message-ID: <%[3]s@client.invalid>
Date: Mon, 23 Nov 2026 14:00:00 +0100
User-Agent: tell-tale/1.0
MIME-Version: 1.0
Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="%[4]s"

--%[4]s
Content-Type: application/pgp-encrypted

Version: 1

--%[4]s
Content-Type: application/octet-stream

%[5]s
--%[4]s--
`, from.Address, to.Address, strings.ReplaceAll(t.Name(), "/", "."), gpgBoundary, armored)
	return strings.ReplaceAll(msg, "\n", "\r\n")
}

// discreet is mail whose subject nobody sees. For the other kind the relay writes its
// sender a notice, which would be one message more in the mailbox.
func (g gnupg) discreet(t *testing.T, from, to account, text string) string {
	t.Helper()
	return strings.Replace(g.mail(t, from, to, text), "a subject nobody should see", "...", 1)
}

// decrypt opens the armored message inside a mail.
func (g gnupg) decrypt(t *testing.T, mail string) string {
	t.Helper()
	return run(t, "", g.env, "gpg", "--batch", "--quiet", "--decrypt", g.armor(t, mail))
}

// read is decrypt for a mail whose signer's key gpg does not have yet, or whose
// recipients are not named: with gpg 2.2 both end in a failure, after the text.
func (g gnupg) read(t *testing.T, mail string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "text")
	said, _ := try(t, "", g.env, "gpg", "--batch", "--quiet", "--output", out, "--decrypt", g.armor(t, mail))
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("gpg has read nothing: %v\n%s", err, said)
	}
	return string(text)
}

// armor puts the armored message inside a mail into a file.
func (g gnupg) armor(t *testing.T, mail string) (file string) {
	t.Helper()
	start := strings.Index(mail, "-----BEGIN PGP MESSAGE-----")
	end := strings.Index(mail, "-----END PGP MESSAGE-----")
	if start < 0 || end < start {
		t.Fatalf("no armored message in:\n%s", mail)
	}
	return write(t, t.TempDir(), "message.asc", mail[start:end+len("-----END PGP MESSAGE-----")]+"\n")
}
