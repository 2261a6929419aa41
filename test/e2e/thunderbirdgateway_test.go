//go:build e2e && thunderbird

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// TestThunderbirdGateway: a user of the gateway, whose mail client knows no OpenPGP, and one of Thunderbird, which has
// its own, write to each other. It runs alone, as Thunderbird keeps a machine busy.
func TestThunderbirdGateway(t *testing.T) {
	r := start(t)
	b, bob := newThunderbird(t, r, r.Accounts[0]), r.gatewayUser(t, r.Accounts[1])
	var key, fault string
	b.act(&key, "makeKey")
	cert, err := pgp.ParseCert([]byte(key))
	must(t, err)
	must(t, bob.Contacts().Import(addr.MustParse(b.user.Address), cert, time.Now()))
	b.act(&fault, "acceptKey", string(bob.Identity().Current.Cert().Armor()))
	if fault != "" {
		t.Fatalf("Thunderbird does not take the gateway's key: %s", fault)
	}
	bob.send([]string{b.user.Address}, "Subject: a secret subject\r\nMessage-ID: <hello@client.test>\r\n", "Dear Alice, this went through a gateway.")
	b.awaitFolder("INBOX", 1)
	b.readFirst("Dear Alice, this went through a gateway.")

	b.act(nil, "reply")
	b.awaitCompose(true)
	b.act(nil, "type", "Dear Bob, this was written in Thunderbird.")
	b.act(nil, "press", "button-send")
	b.awaitSent()
	m := bob.await("INBOX", "this was written in Thunderbird")
	if got := m.Header.Get("Subject"); got != "Re: a secret subject" {
		t.Errorf("Bob's client shows the subject %q", got)
	}
	if status := m.Header.Get("X-Restante-Status"); !strings.HasPrefix(status, "good; ") {
		t.Errorf("Bob's client shows %q", status)
	}
	if got := m.Header.Get("In-Reply-To"); got != "<hello@client.test>" {
		t.Errorf("the answer is to %q", got)
	}
}
