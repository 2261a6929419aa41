//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// TestGatewayRequests: a stranger's mail waits in Requests, and moving it in the
// mail client lets the next one in.
func TestGatewayRequests(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice, bob := r.gatewayUser(t, r.Accounts[0]), r.gatewayUser(t, r.Accounts[1])
	must(t, bob.Contacts().Import(addr.MustParse(alice.user.Address), alice.Identity().Current.Cert(), time.Now()))
	bob.send([]string{alice.user.Address}, "Subject: one\r\n", "the first mail")
	alice.move(alice.await("Requests", "the first mail"), "INBOX")
	alice.await("INBOX", "the first mail")
	alice.awaitAccepted(bob.user.Address)
	bob.send([]string{alice.user.Address}, "Subject: two\r\n", "the second mail")
	alice.await("INBOX", "the second mail")
}

// awaitAccepted waits until the gateway has seen what the user has moved.
func (u *gatewayUser) awaitAccepted(address string) {
	u.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		p, err := u.Contacts().Peer(addr.MustParse(address))
		must(u.t, err)
		if p.Accepted {
			return
		}
		select {
		case <-look.C:
		case <-late:
			u.t.Fatalf("%s was not accepted within %v", address, patience)
		}
	}
}
