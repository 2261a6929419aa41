//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestMsmtp submits over implicit TLS and over STARTTLS.
func TestMsmtp(t *testing.T) {
	t.Parallel()
	need(t, "msmtp", "msmtp")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	for _, c := range []struct{ name, hostport, starttls string }{
		{"implicit TLS", r.SMTPS, "off"},
		{"STARTTLS", r.Submission, "on"},
	} {
		_, port := hostPort(t, c.hostport)
		rc := write(t, t.TempDir(), "msmtprc", fmt.Sprintf(`account default
host localhost
port %d
tls on
tls_starttls %s
tls_trust_file %s
auth plain
user %s
password %s
from %s
`, port, c.starttls, r.CAFile, alice.Address, alice.Password, alice.Address))
		run(t, g.mail(t, alice, bob, "msmtp with "+c.name), nil, "msmtp", "--file="+rc, bob.Address)
	}
	got := imapFetchAll(t, r, bob)
	if len(got) != 2 {
		t.Fatalf("got %d messages, want 2", len(got))
	}
	for i, want := range []string{"implicit TLS", "STARTTLS"} {
		if text := g.decrypt(t, got[i]); !strings.Contains(text, want) {
			t.Errorf("message %d: decrypted %q, want %q", i+1, text, want)
		}
	}
}
