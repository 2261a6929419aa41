//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-smtp"
)

// TestKill kills the relay in the midst of deliveries, several times, and then
// looks for every message that was acknowledged: each is there, once, whole.
func TestKill(t *testing.T) {
	t.Parallel()
	const rounds, senders = 3, 8
	dir := t.TempDir()
	r := startIn(t, dir)
	alice, bob := r.Accounts[0], r.Accounts[1]
	body := newGnuPG(t, r.Accounts).mail(t, alice, bob, "through a crash")

	var acked ledger
	for round := range rounds {
		if round > 0 {
			r = startIn(t, dir)
		}
		var sending sync.WaitGroup
		for i := range senders {
			c := r.smtp(t, alice)
			sending.Go(func() { sendUntilCut(c, &acked, alice, bob, body, fmt.Sprintf("r%d.s%d", round, i)) })
		}
		acked.wait((round + 1) * 200) // then in the midst of it:
		r.kill(t)
		sending.Wait()
	}

	r = startIn(t, dir)
	got := messageIDs(t, r, bob)
	for id := range acked.all() {
		if got[id] != 1 {
			t.Errorf("acknowledged message %s is there %d times", id, got[id])
		}
	}
	t.Logf("%d acknowledged, %d there", len(acked.all()), len(got))
}

// ledger is what was acknowledged.
type ledger struct {
	mu  sync.Mutex
	ids map[string]bool
	cue chan struct{}
	at  int
}

func (l *ledger) add(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids == nil {
		l.ids = map[string]bool{}
	}
	l.ids[id] = true
	if l.cue != nil && len(l.ids) >= l.at {
		close(l.cue)
		l.cue = nil
	}
}

// wait waits until n messages are acknowledged.
func (l *ledger) wait(n int) {
	l.mu.Lock()
	cue := make(chan struct{})
	if l.at = n; len(l.ids) >= n {
		close(cue)
	} else {
		l.cue = cue
	}
	l.mu.Unlock()
	<-cue
}

func (l *ledger) all() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids
}

var messageID = regexp.MustCompile(`Message-ID: <[^>]*>`)

// sendUntilCut submits messages until the connection breaks.
func sendUntilCut(c *smtp.Client, acked *ledger, from, to account, body, prefix string) {
	for n := 0; ; n++ {
		id := fmt.Sprintf("%s.%d@kill.invalid", prefix, n)
		mail := messageID.ReplaceAllString(body, "Message-ID: <"+id+">")
		if send(c, from.Address, to.Address, mail) != nil {
			return
		}
		acked.add(id)
	}
}

// messageIDs counts the Message-IDs in INBOX, and reads every body on the way.
func messageIDs(t *testing.T, r *relay, a account) map[string]int {
	t.Helper()
	c := r.imap(t, a)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{
		Envelope: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{section},
	}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, m := range msgs {
		ids[m.Envelope.MessageID]++
		if got := int64(len(m.FindBodySection(section))); got != m.RFC822Size || got == 0 {
			t.Errorf("message %d has %d bytes of %d", m.SeqNum, got, m.RFC822Size)
		}
	}
	return ids
}
