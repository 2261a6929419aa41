//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// TestThunderbirdGateway: a user of the gateway, whose mail client knows no OpenPGP, and one
// of Thunderbird, which has its own, write to each other.
func TestThunderbirdGateway(t *testing.T) {
	r := start(t)
	b, bob := newThunderbird(t, r, r.Accounts[0]), r.gatewayUser(t, r.Accounts[1])
	var key string
	b.act(&key, "makeKey")
	cert, err := pgp.ParseCert([]byte(key))
	must(t, err)
	must(t, bob.Contacts().Import(addr.MustParse(b.user.Address), cert, time.Now()))
	b.takes("acceptKey", string(bob.Identity().Current.Cert().Armor()))
	bob.send([]string{b.user.Address}, "Subject: a secret subject\r\nMessage-ID: <hello@client.test>\r\n", "Dear Alice, this went through a gateway.")
	b.read(bob.user, "Dear Alice, this went through a gateway.", "message-signed-verified.svg")

	b.act(nil, "reply")
	b.awaitCompose(true)
	b.act(nil, "type", "Dear Bob, this was written in Thunderbird.")
	b.act(nil, "press", "button-send")
	b.awaitSent(1)
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
