//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestSwaks submits with STARTTLS and AUTH LOGIN, and delivers to the MX port.
func TestSwaks(t *testing.T) {
	t.Parallel()
	need(t, "swaks", "swaks libnet-ssleay-perl")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	file := write(t, t.TempDir(), "mail.eml", g.mail(t, alice, bob, "carried by swaks"))

	out := run(t, "", nil, "swaks", "--server", r.Submission, "--tls", "--tls-ca-path", r.CAFile, "--tls-verify",
		"--auth", "LOGIN", "--auth-user", alice.Address, "--auth-password", alice.Password, "--hide-all",
		"--from", alice.Address, "--to", bob.Address, "--data", "@"+file)
	if strings.TrimSpace(out) != "" {
		t.Errorf("swaks said:\n%s", out)
	}

	foreign := strings.ReplaceAll(g.mail(t, alice, bob, "from outside"), "From: "+alice.Address, "From: stranger@elsewhere.example")
	file = write(t, t.TempDir(), "foreign.eml", foreign)
	run(t, "", nil, "swaks", "--server", r.MX, "--hide-all", "--from", "stranger@elsewhere.example", "--to", bob.Address, "--data", "@"+file)

	got := imapFetchAll(t, r, bob)
	if len(got) != 2 {
		t.Fatalf("got %d messages, want 2", len(got))
	}
	for i, want := range []string{"carried by swaks", "from outside"} {
		if text := g.decrypt(t, got[i]); !strings.Contains(text, want) {
			t.Errorf("message %d: decrypted %q, want %q", i+1, text, want)
		}
	}
}

// TestSwaksUnauthenticated: the submission port takes nothing without a login,
// and offers none without TLS.
func TestSwaksUnauthenticated(t *testing.T) {
	t.Parallel()
	need(t, "swaks", "swaks libnet-ssleay-perl")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	out, err := try(t, "", nil, "swaks", "--server", r.Submission, "--tls", "--from", alice.Address, "--to", bob.Address)
	if err == nil || !strings.Contains(out, "530 5.7.0") {
		t.Errorf("mail without a login was not refused with 530 5.7.0:\n%s", out)
	}
	out, err = try(t, "", nil, "swaks", "--server", r.Submission, "--from", alice.Address, "--to", bob.Address,
		"--auth", "PLAIN", "--auth-user", alice.Address, "--auth-password", alice.Password)
	if err == nil || strings.Contains(out, "250-AUTH") {
		t.Errorf("AUTH was offered without TLS:\n%s", out)
	}
}
