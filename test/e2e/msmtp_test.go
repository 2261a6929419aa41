//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestMsmtp submits over implicit TLS and over STARTTLS, and logs in with its
// password and, by SCRAM, without sending it.
func TestMsmtp(t *testing.T) {
	t.Parallel()
	need(t, "msmtp", "msmtp")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	for _, c := range []struct{ name, hostport, starttls, auth string }{
		{"implicit TLS", r.SMTPS, "off", "plain"},
		{"STARTTLS", r.Submission, "on", "plain"},
		{"SCRAM", r.SMTPS, "off", "scram-sha-256"},
	} {
		_, port := hostPort(t, c.hostport)
		rc := write(t, t.TempDir(), "msmtprc", fmt.Sprintf(`account default
host localhost
port %d
tls on
tls_starttls %s
tls_trust_file %s
auth %s
user %s
password %s
from %s
`, port, c.starttls, r.CAFile, c.auth, alice.Address, alice.Password, alice.Address))
		run(t, g.mail(t, alice, bob, "msmtp with "+c.name), nil, "msmtp", "--file="+rc, bob.Address)
	}
	got := imapFetchAll(t, r, bob)
	want := []string{"implicit TLS", "STARTTLS", "SCRAM"}
	if len(got) != len(want) {
		t.Fatalf("got %d messages, want %d", len(got), len(want))
	}
	for i, want := range want {
		if text := g.decrypt(t, got[i]); !strings.Contains(text, want) {
			t.Errorf("message %d: decrypted %q, want %q", i+1, text, want)
		}
	}
}
