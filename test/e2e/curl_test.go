//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestCurl sends over smtps and reads over imaps, verifying the certificate
// against the relay's own CA.
func TestCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	file := write(t, t.TempDir(), "mail.eml", g.mail(t, alice, bob, "carried by curl"))

	run(t, "", nil, "curl", "--silent", "--show-error", "--cacert", r.CAFile, "--user", alice.Address+":"+alice.Password,
		"--mail-from", alice.Address, "--mail-rcpt", bob.Address, "--upload-file", file, "smtps://"+r.SMTPS)

	got := run(t, "", nil, "curl", "--silent", "--show-error", "--cacert", r.CAFile, "--user", bob.Address+":"+bob.Password,
		"imaps://"+r.IMAPS+"/INBOX;MAILINDEX=1")
	if text := g.decrypt(t, got); !strings.Contains(text, "carried by curl") {
		t.Errorf("decrypted %q", text)
	}
	for _, leak := range []string{"a subject nobody should see", "tell-tale", "Received:"} {
		if strings.Contains(got, leak) {
			t.Errorf("the stored message still shows %q:\n%s", leak, got)
		}
	}
}

// TestCurlRefusesPlaintext shows what a person sees whose client sent cleartext.
func TestCurlRefusesPlaintext(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	file := write(t, t.TempDir(), "mail.eml",
		"From: "+alice.Address+"\r\nTo: "+bob.Address+"\r\nSubject: hello\r\n\r\nin clear\r\n")
	out, err := try(t, "", nil, "curl", "--silent", "--verbose", "--cacert", r.CAFile, "--user", alice.Address+":"+alice.Password,
		"--mail-from", alice.Address, "--mail-rcpt", bob.Address, "--upload-file", file, "smtps://"+r.SMTPS)
	if err == nil {
		t.Errorf("cleartext was accepted:\n%s", out)
	}
	if !strings.Contains(out, "523 5.7.10 Encryption Needed") {
		t.Errorf("the refusal does not say 523 5.7.10 Encryption Needed:\n%s", out)
	}
}
