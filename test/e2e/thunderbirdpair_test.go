//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// TestThunderbirdPair takes two fresh profiles of Thunderbird on one relay to their
// first encrypted mail, and hands no key over: each makes a key and sends an encrypted
// note to itself, by which the relay publishes the key, as both have chosen when they
// signed up. The one finds the key of the other by "Discover keys online", where the
// relay's Web Key Directory is all that answers.
func TestThunderbirdPair(t *testing.T) {
	r := start(t)
	accounts := make([]account, 2)
	for i := range accounts {
		accounts[i], _ = r.signUp(t)
	}
	alice, bob := newThunderbird(t, r, accounts[0]), newThunderbird(t, r, accounts[1])
	for _, b := range []*thunderbird{alice, bob} {
		b.act(nil, "makeKey")
		b.send(b.user, "a note to myself", "my key is with this", 1)
	}
	bob.discover(alice.user)
	bob.send(alice.user, "a subject", "Dear Alice, we have never met.", 2)
	alice.discover(bob.user)
	alice.read(bob.user, "Dear Alice, we have never met.", "message-signed-unverified.svg")
}

// send writes a message, turns encryption on and sends it. It is the n-th.
func (b *thunderbird) send(to account, subject, text string, n int) {
	b.t.Helper()
	b.act(nil, "compose", to.Address, subject, text)
	b.awaitCompose(false)
	b.act(nil, "press", "button-encryption")
	b.awaitCompose(true)
	b.act(nil, "press", "button-send")
	b.awaitSent(n)
}

// discover finds the key of an account online and accepts it.
func (b *thunderbird) discover(peer account) {
	b.t.Helper()
	b.act(nil, "discover", peer.Address)
	b.poll(func() (bool, string) {
		if err := b.do(nil, "answerKeyDialog"); err != nil {
			return false, err.Error() // the dialog has opened, and has no buttons yet
		}
		var how *string
		b.act(&how, "discovered")
		if how == nil {
			return false, "the search for the key does not end"
		}
		if *how != "imported" {
			b.shoot("discover")
			b.t.Fatalf("the search for the key has ended: %s", *how)
		}
		return true, fmt.Sprint(*how)
	})
}
