//go:build e2e

package e2e

import (
	"fmt"
	"sync"
	"testing"
)

// TestFederationSlow slows the line between two relays to a trickle in mid-run, cuts
// it while messages crawl over it, and lets it crawl on before it is well again. What
// was acknowledged is there, once, and nobody is told otherwise.
func TestFederationSlow(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 40
	c := newCountry(t)
	here, there := c.found(t, "here.test", ""), c.found(t, "there.test", "")
	line := newCutter(t, there)
	alice, bob := here.citizen(t, "alice"), there.citizen(t, "bob")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, "over a slow line")

	var acked ledger
	var sending sync.WaitGroup
	for i := range senders {
		client := here.smtp(t, alice)
		sending.Go(func() {
			for n := range each {
				id := fmt.Sprintf("s%d.%d@slow.invalid", i, n)
				if err := send(client, alice.Address, bob.Address, messageID.ReplaceAllString(body, "Message-ID: <"+id+">")); err != nil {
					t.Error(err)
					return
				}
				acked.add(id)
			}
		})
	}
	acked.wait(senders * each / 4)
	line.slow.Store(true)
	sending.Wait() // nobody who submits waits for the other relay
	line.awaitCrawl(t, 300)
	waiting := here.queued(t)
	line.cutAll()
	line.awaitCrawl(t, 300)
	line.slow.Store(false)
	here.empty(t)

	if waiting == 0 {
		t.Error("nothing waited for the slow line: the test tried nothing")
	}
	got := messageIDs(t, there.relay, bob)
	for id := range acked.all() {
		if got[id] != 1 {
			t.Errorf("acknowledged message %s is there %d times", id, got[id])
		}
	}
	if len(got) != senders*each {
		t.Errorf("%d messages are there, want %d", len(got), senders*each)
	}
	if n := inboxSize(t, here.relay, alice); n != 0 {
		t.Errorf("the sender got %d reports, the first:\n%s", n, firstMail(t, here.relay, alice))
	}
	t.Logf("%d messages waited in mid-run", waiting)
}
