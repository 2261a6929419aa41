package gateway

import (
	"bytes"
	"context"
	"fmt"

	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/pgp"
)

// TestSync carries each kind of change over, in both directions.
func TestSync(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkSync)
}

func checkSync(t *testing.T, h *home, r *remote) {
	t.Helper()
	// New mail, both ways.
	h.put(t, r, "INBOX", 1, `\seen`, "$important")
	two := h.put(t, r, "INBOX", 2)
	h.keepHere(t, "Drafts", 3, mailbox.Draft|mailbox.Seen)
	h.sync(t)
	want := state{"INBOX": {`mail-1 $important \seen`, "mail-2"}, "Drafts": {`mail-3 \draft \seen`}}
	h.same(t, r, want)
	h.sync(t)
	h.same(t, r, want)

	// Flags, of one mail on both sides.
	must(t, r.store("INBOX", []imap.UID{two}, imap.StoreFlagsAdd, newFlagSet(`\flagged`)))
	h.flagHere(t, "INBOX", "mail-2", mailbox.AddFlags, mailbox.Seen)
	h.flagHere(t, "INBOX", "mail-1", mailbox.RemoveFlags, mailbox.Seen)
	h.sync(t)
	want["INBOX"] = []string{"mail-1 $important", `mail-2 \flagged \seen`}
	h.same(t, r, want)

	// Moves, both ways, and a copy here.
	h.copyHere(t, "INBOX", "mail-2", "Archive", true)
	h.copyHere(t, "INBOX", "mail-1", "Sent", false)
	_, err := r.copy("Drafts", uidThere(t, r, "Drafts"), "Trash", true)
	must(t, err)
	h.sync(t)
	want = state{"INBOX": {"mail-1 $important"}, "Archive": {`mail-2 \flagged \seen`}, "Sent": {"mail-1 $important"}, "Trash": {`mail-3 \draft \seen`}}
	h.same(t, r, want)

	// A mailbox from here and one from there.
	_, err = h.Local().Session.Create(t.Context(), "Mine", mailbox.NoUse)
	must(t, err)
	must(t, r.create("Theirs"))
	h.keepHere(t, "Mine", 4, 0)
	h.put(t, r, "Theirs", 5)
	h.sync(t)
	want["Mine"], want["Theirs"] = []string{"mail-4"}, []string{"mail-5"}
	h.same(t, r, want)

	// A deletion here.
	if h.account.IMAPS != "" && r.client.Caps().Has(imap.CapUIDPlus) {
		h.expungeHere(t, "INBOX", "mail-1")
		must(t, h.Local().Session.Delete(t.Context(), "Mine"))
		h.sync(t)
		delete(want, "INBOX")
		delete(want, "Mine")
		h.same(t, r, want)
		boxes, err := r.mailboxes()
		must(t, err)
		if slices.ContainsFunc(boxes, func(p place) bool { return p.name == "Mine" }) {
			t.Error("the mailbox that was deleted here is still there")
		}
	}

	// One that vanished there, and was not deleted here.
	must(t, r.store("Trash", []imap.UID{uidThere(t, r, "Trash")}, imap.StoreFlagsAdd, newFlagSet(`\deleted`)))
	must(t, r.selectBox("Trash"))
	must(t, r.client.Expunge().Close())
	for range 2 {
		h.sync(t)
		here, gone := h.here(t)
		delete(want, "Trash")
		if diff := cmp.Diff(here, want); diff != "" {
			t.Errorf("here: got - want +\n%s", diff)
		}
		if diff := cmp.Diff(gone, state{"Trash": {`mail-3 \draft \seen`}}); diff != "" {
			t.Errorf("no longer on the server: got - want +\n%s", diff)
		}
		if diff := cmp.Diff(h.there(t, r), want); diff != "" {
			t.Errorf("there: got - want +\n%s", diff)
		}
	}
}

// uidThere returns the UID of the only message in a mailbox at the provider.
func uidThere(t *testing.T, r *remote, box string) imap.UID {
	t.Helper()
	l, err := r.look(box, newLedger(""))
	must(t, err)
	if len(l.messages) != 1 {
		t.Fatalf("%d messages in %s, want 1", len(l.messages), box)
	}
	for uid := range l.messages {
		return uid
	}
	return 0
}

// TestUploadIsSealed: what the client stores, in whatever mailbox, is at the provider
// only in encrypted form, with Bcc inside, and nothing of it is in clear on this disk.
func TestUploadIsSealed(t *testing.T) {
	t.Parallel()
	h := newHome(t, providers["relay"](t))
	r := other(t, h.account)
	kept := []string{"Sent", "Drafts", "Junk", "Archive", "INBOX"}
	for i, box := range kept {
		h.keepHere(t, box, i, mailbox.Seen)
	}
	h.sync(t)
	for _, box := range kept {
		var text bytes.Buffer
		raw := bytes.NewBuffer(fetchOne(t, r, box, uidThere(t, r, box)))
		for _, secret := range []string{"Subject: mail", "secret@x.test", "Bcc:"} {
			outer, _, _ := strings.Cut(raw.String(), "-----BEGIN")
			if strings.Contains(outer, secret) {
				t.Errorf("%s: the provider sees %q", box, secret)
			}
		}
		opened, err := pgp.Open(&text, raw, pgp.DecryptOptions{Keys: h.own.Load().Keys()})
		must(t, err)
		if opened.Recipients != 2 || !strings.Contains(text.String(), "Bcc: secret@x.test") {
			t.Errorf("%s: opens with %d keys; content %q", box, opened.Recipients, text.String())
		}
	}
	h.scan(t, "mail-0", "secret@x.test", "Subject")
}

// TestUIDValidity: when the server numbers all mail anew nothing is deleted or
// doubled, and changes go on.
func TestUIDValidity(t *testing.T) {
	t.Parallel()
	account, user := newForeign(t, imap.CapUIDPlus, imap.CapMove, imap.CapUnselect)
	h := newHome(t, account)
	r := other(t, account)
	must(t, r.create("Work"))
	for n := range 4 {
		h.put(t, r, "Work", n, `\seen`)
	}
	h.sync(t)
	want := state{"Work": {`mail-0 \seen`, `mail-1 \seen`, `mail-2 \seen`, `mail-3 \seen`}}
	h.same(t, r, want)
	_, before := h.uidHere(t, "Work", "mail-2")

	// The mail goes to a new mailbox of the same name, but for one that is lost.
	must(t, user.Rename("Work", "Old", nil))
	must(t, r.create("Work"))
	l, err := r.look("Old", newLedger(""))
	must(t, err)
	lost := slices.Max(slices.Collect(maps.Keys(l.messages)))
	for uid := range l.messages {
		if uid != lost {
			_, err := r.copy("Old", uid, "Work", false)
			must(t, err)
		}
	}
	r.open = ""
	must(t, r.client.Delete("Old").Wait())
	h.sync(t)
	here, gone := h.here(t)
	want = state{"Work": {`mail-0 \seen`, `mail-1 \seen`, `mail-2 \seen`}}
	if diff := cmp.Diff(here, want); diff != "" {
		t.Errorf("here: got - want +\n%s", diff)
	}
	if diff := cmp.Diff(gone, state{"Work": {`mail-3 \seen`}}); diff != "" {
		t.Errorf("no longer on the server: got - want +\n%s", diff)
	}
	if _, after := h.uidHere(t, "Work", "mail-2"); after != before {
		t.Errorf("the client sees UID %d become %d", before, after)
	}
	h.flagHere(t, "Work", "mail-2", mailbox.AddFlags, mailbox.Flagged)
	h.sync(t)
	want["Work"][2] = `mail-2 \flagged \seen`
	if diff := cmp.Diff(h.there(t, r), want); diff != "" {
		t.Errorf("there: got - want +\n%s", diff)
	}
}

// TestConversation: two people with mail clients that know no OpenPGP write to each
// other through the relay, by SMTP and IMAP on loopback, with everything running.
func TestConversation(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	alice.knows(t, bob.account.Address, bob.key.Cert())
	must(t, bob.Contacts().Welcome(addr.MustParse(alice.account.Address)))
	inboxes := map[*home]*imapclient.Client{}
	for _, h := range []*home{alice, bob} {
		ln := listenLoopback(t)
		serve(t, func(ctx context.Context) error { return h.ServeIMAP(ctx, ln) })
		serve(t, h.Run)
		inboxes[h] = h.mailClient(t, ln.Addr().String())
	}
	write := func(from, to *home, subject string) {
		t.Helper()
		mail := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nhello\r\n", from.account.Address, to.account.Address, subject)
		must(t, from.submit(t, []string{to.account.Address}, mail))
	}
	write(alice, bob, "mail-1")
	if got := bob.awaitSubject(t, inboxes[bob], 1); got != "mail-1" {
		t.Errorf("Bob reads %q", got)
	}
	write(bob, alice, "mail-2") // his key for her came with her mail
	if got := alice.awaitSubject(t, inboxes[alice], 1); got != "mail-2" {
		t.Errorf("Alice reads %q", got)
	}
	p, err := bob.Contacts().Peer(addr.MustParse(alice.account.Address))
	must(t, err)
	if p.Pinned != alice.key.Fingerprint() {
		t.Errorf("Bob has pinned %q", p.Pinned)
	}
	status, err := alice.Status()
	must(t, err)
	if status.Synced.IsZero() || status.Trouble != nil || len(status.Outbox) != 0 || len(status.Held) != 0 {
		t.Errorf("Alice's status: %+v", status)
	}
}

// mailClient is the user's mail client, logged in to the local IMAP server.
func (h *home) mailClient(t *testing.T, hostport string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(hostport, nil)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.Login(h.Local().User, h.Local().Password).Wait())
	return c
}

// awaitSubject waits until INBOX has n messages and returns the last one's subject.
func (h *home) awaitSubject(t *testing.T, c *imapclient.Client, n uint32) string {
	t.Helper()
	changed := make(chan struct{}, 1)
	defer h.Local().Session.Notify(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	timeout := time.After(testTimeout)
	for {
		selected, err := c.Select("INBOX", nil).Wait()
		must(t, err)
		if selected.NumMessages >= n {
			found, err := c.Fetch(imap.SeqSetNum(n), &imap.FetchOptions{Envelope: true}).Collect()
			must(t, err)
			return found[0].Envelope.Subject
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatal("the mail did not come")
		}
	}
}

// TestLostLedger: a crash after mail came in and before the ledger was written doubles
// nothing.
func TestLostLedger(t *testing.T) {
	t.Parallel()
	eachProvider(t, checkLostLedger)
}

func checkLostLedger(t *testing.T, h *home, r *remote) {
	t.Helper()
	for n := range 3 {
		h.put(t, r, "INBOX", n, `\seen`)
	}
	h.sync(t)
	must(t, h.vault.Delete(ledgerKind, "INBOX"))
	h.reopen(t)
	h.sync(t)
	h.sync(t)
	h.same(t, r, state{"INBOX": {`mail-0 \seen`, `mail-1 \seen`, `mail-2 \seen`}})
}

// TestOffline: without the provider the client reads and writes as before, and what it
// did is carried over when the provider is back, after a restart too.
func TestOffline(t *testing.T) {
	t.Parallel()
	account := providers["relay"](t)
	h := newHome(t, account)
	r := other(t, account)
	h.put(t, r, "INBOX", 1)
	h.sync(t)
	away := account
	away.IMAPS = "127.0.0.1:1" // nobody listens there
	must(t, SaveAccount(h.vault, away))
	h.reopen(t)
	if err := h.trySync(t); err == nil {
		t.Fatal("the provider was reached")
	}
	h.flagHere(t, "INBOX", "mail-1", mailbox.AddFlags, mailbox.Flagged)
	h.copyHere(t, "INBOX", "mail-1", "Archive", true)
	h.keepHere(t, "Drafts", 2, mailbox.Draft)
	must(t, SaveAccount(h.vault, account))
	h.reopen(t)
	h.sync(t)
	h.same(t, r, state{"Archive": {`mail-1 \flagged`}, "Drafts": {`mail-2 \draft`}})
}
