//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// eventually waits for something, and looks again and again.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for late := time.After(2 * patience); !happened(); {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("within %v it did not happen that %s", 2*patience, what)
		}
	}
}

// empty tries what waits at once, as an operator does after an outage, until nothing
// is left.
func (w *town) empty(t *testing.T) {
	t.Helper()
	eventually(t, "the queue is empty", func() bool {
		if w.queued(t) == 0 {
			return true
		}
		w.command(t, "queue", "retry", "--all")
		return false
	})
}

// TestFederationKill kills two relays that write to each other, in the midst of it and
// by turns. Each message that was acknowledged is there, once.
func TestFederationKill(t *testing.T) {
	t.Parallel()
	c := newCountry(t)
	here, there := c.found(t, "here.test", ""), c.found(t, "there.test", "")
	here.straight(t)
	there.straight(t)
	alice, bob := here.citizen(t, "alice"), there.citizen(t, "bob")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, "over two relays")

	var acked ledger
	for round, victim := range []*town{there, here, there, here} {
		var sending sync.WaitGroup
		for i := range 4 {
			client := here.smtp(t, alice)
			sending.Go(func() { sendUntilCut(client, &acked, alice, bob, body, fmt.Sprintf("f%d.s%d", round, i)) })
		}
		acked.wait(len(acked.all()) + 60) // then in the midst of it:
		victim.kill(t)
		if victim == there { // the others don't notice; they are taken leave of now
			acked.wait(len(acked.all()) + 20)
			here.kill(t)
			here.open(t)
		}
		sending.Wait()
		victim.open(t)
	}
	here.empty(t)
	got := messageIDs(t, there.relay, bob)
	for id := range acked.all() {
		if got[id] != 1 {
			t.Errorf("acknowledged message %s is there %d times", id, got[id])
		}
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("message %s is there %d times", id, n)
		}
	}
	t.Logf("%d acknowledged, %d there", len(acked.all()), len(got))
	if n := inboxSize(t, here.relay, alice); n != 0 {
		t.Errorf("the sender got %d reports", n)
	}
}

// TestFederationCut cuts the line between two relays at many places of the dialogue,
// the handshake and the message. What was acknowledged is there, once.
func TestFederationCut(t *testing.T) {
	t.Parallel()
	c := newCountry(t)
	here, there := c.found(t, "here.test", ""), c.found(t, "there.test", "")
	line := newCutter(t, there, 0, 10, 40, 300, 600, 900, 1200, 1600, 2000, 3000, 3500, 4000)
	alice, bob := here.citizen(t, "alice"), there.citizen(t, "bob")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, strings.Repeat("a long text ", 100))
	client := here.smtp(t, alice)
	for i := range 5 {
		mail := messageID.ReplaceAllString(body, fmt.Sprintf("Message-ID: <%d@cut.invalid>", i))
		if err := send(client, alice.Address, bob.Address, mail); err != nil {
			t.Fatal(err)
		}
	}
	here.empty(t)
	got := messageIDs(t, there.relay, bob)
	if len(got) != 5 {
		t.Errorf("%d messages are there, want 5", len(got))
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("message %s is there %d times", id, n)
		}
	}
	line.mu.Lock()
	defer line.mu.Unlock()
	if line.cuts < 6 {
		t.Errorf("only %d connections were cut: the test tried nothing", line.cuts)
	}
}

// TestFederationLeaksNothing: what two relays keep and log after mail between them, a
// report and a message that waits, names nobody.
func TestFederationLeaksNothing(t *testing.T) {
	t.Parallel()
	c := newCountry(t)
	here, there := c.found(t, "here.test", ""), c.found(t, "there.test", "")
	there.straight(t)
	c.dns.Load(t, "down.test. 60 MX 10 mx.down.test.\nmx.down.test. 60 A 127.0.1.250\n")
	alice, bob := here.citizen(t, "alice-marked"), there.citizen(t, "bob-marked")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, "unmarked")
	client := here.smtp(t, alice)
	for i, to := range []string{bob.Address, "nobody-marked@there.test", "zoe-marked@down.test"} {
		mail := messageID.ReplaceAllString(body, fmt.Sprintf("Message-ID: <%d@marked.invalid>", i))
		if err := send(client, alice.Address, to, mail); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "bob has his mail", func() bool { return inboxSize(t, there.relay, bob) == 1 })
	eventually(t, "alice has a report", func() bool { return inboxSize(t, here.relay, alice) == 1 })
	eventually(t, "one message waits", func() bool { return strings.Contains(here.command(t, "queue", "list"), "4.4.1") })
	if n := here.queued(t); n != 1 {
		t.Errorf("%d messages wait, want 1", n)
	}
	for _, w := range []*town{here, there} {
		if strings.Contains(w.output(), "marked") || strings.Contains(w.output(), clientIP) || strings.Contains(w.output(), w.ip) {
			t.Errorf("the log of %s names somebody:\n%s", w.domain, w.output())
		}
		if found := scan(t, map[string]string{"a name": "marked"}, w.relay.dir); len(found) > 0 {
			t.Errorf("what %s keeps names somebody: %v", w.domain, found)
		}
	}
	report := firstMail(t, here.relay, alice)
	for _, want := range []string{"Action: failed", "Status: 5.1.1"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q in it:\n%s", want, report)
		}
	}
}

// inboxSize counts the messages of an INBOX.
func inboxSize(t *testing.T, r *relay, a account) uint32 {
	t.Helper()
	c := r.imap(t, a)
	defer c.Close()
	status, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true}).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return *status.NumMessages
}

// firstMail reads the first message of an INBOX.
func firstMail(t *testing.T, r *relay, a account) string {
	t.Helper()
	c := r.imap(t, a)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(msgs) != 1 {
		t.Fatalf("got %d messages, %v", len(msgs), err)
	}
	return string(msgs[0].FindBodySection(section))
}

// TestFederationChats lets people of three relays meet, talk and hold a group, with
// Delta Chat and with a gateway, and tells one of them that another has gone.
func TestFederationChats(t *testing.T) {
	t.Parallel()
	c := newCountry(t)
	towns := []*town{c.found(t, "one.test", ""), c.found(t, "two.test", ""), c.found(t, "three.test", "")}
	core := newCore(t)
	var people []*device
	for i, name := range []string{"alice", "bob", "carol"} {
		towns[i].straight(t)
		people = append(people, core.device(towns[i].relay, towns[i].citizen(t, name)))
	}
	alice, bob, carol := people[0], people[1], people[2]
	chat := bob.join(alice)
	carol.join(alice)

	var group int
	alice.call(&group, "create_group_chat", alice.id, "three relays", false)
	for _, friend := range []*device{bob, carol} {
		alice.call(nil, "add_contact_to_chat", alice.id, group, alice.contact(friend))
	}
	alice.write(group, "Dear all")
	atBob := bob.receiveText("Dear all").ChatID
	atCarol := carol.receiveText("Dear all").ChatID
	bob.write(atBob, "said Bob")
	alice.receiveText("said Bob")
	if m := carol.receiveText("said Bob"); m.ChatID != atCarol {
		t.Errorf("Bob's answer is in chat %d of Carol, want %d", m.ChatID, atCarol)
	}

	dave := towns[2].gatewayUser(t, towns[2].citizen(t, "dave"))
	invitation, err := dave.Invite(t.Context(), "")
	must(t, err)
	var withDave int
	bob.call(&withDave, "secure_join", bob.id, invitation.Link())
	bob.awaitDone("SecurejoinJoinerProgress")
	talk(t, dave, bob, withDave)

	// Delta Chat shows no report as long as it wants everything encrypted.
	bob.call(nil, "set_config", bob.id, "force_encryption", "0")
	towns[0].command(t, "account", "remove", "alice", "--yes")
	lost := bob.write(chat, "Are you there?")
	bob.awaitMsg("MsgFailed", lost)
}
