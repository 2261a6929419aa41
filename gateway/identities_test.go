package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// clientMail is a mail of Alice's client, which gives away what clients give away.
func clientMail(to, id, extra, text string) string {
	return "From: Alice Archer <alice@relay.test>\r\nTo: " + to + "\r\nReply-To: alice@relay.test\r\nSender: alice@relay.test\r\n" + extra +
		"Subject: hello\r\nDate: Mon, 23 Nov 2026 09:00:00 +0500\r\nMessage-ID: <" + id + "@archers-laptop>\r\n" +
		"Disposition-Notification-To: Alice Archer <alice@relay.test>\r\nUser-Agent: marker-agent\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n"
}

// witness is somebody who keeps all mail that they get, as it comes from the relay.
type witness struct {
	*home
	relay   *testRelay
	secrets [][]byte // of the invitations between them and Alice
	raw     map[string]bool
}

func newWitness(t *testing.T, relay *testRelay, name string) *witness {
	t.Helper()
	return &witness{newHome(t, relay.account(t, name)), relay, nil, map[string]bool{}}
}

// look keeps what is in the mailbox.
func (w *witness) look(t *testing.T) {
	t.Helper()
	for _, m := range w.relay.inbox(t, w.account) {
		w.raw[string(m)] = true
	}
}

// correspond is exchange that lets the witnesses look first.
func correspond(t *testing.T, alice *home, witnesses ...*witness) {
	t.Helper()
	for range 8 {
		alice.flush(t)
		for _, w := range witnesses {
			w.look(t)
			w.sync(t)
			w.flush(t)
		}
		alice.sync(t)
	}
}

// received opens all that a witness got: the mails whole, with what is inside.
func (w *witness) received(t *testing.T, certs ...*pgp.Cert) (list []sent) {
	t.Helper()
	for raw := range w.raw {
		var text bytes.Buffer
		opened, err := pgp.Open(&text, strings.NewReader(raw), pgp.DecryptOptions{
			Keys: []*pgp.Key{w.key}, Passphrases: w.secrets, Generated: true, Certs: certs,
		})
		must(t, err)
		list = append(list, sent{raw, opened, text.String()})
	}
	return list
}

// identity makes an identity apart and returns it.
func (h *home) identity(t *testing.T) *Identity {
	t.Helper()
	a, err := h.NewIdentity(t.Context(), addr.Address{})
	must(t, err)
	return h.own.Load().of(a)
}

// clientSends lets the user's mail client send a mail to one address.
func (h *home) clientSends(t *testing.T, to, id, extra, text string) error {
	t.Helper()
	return h.Send(t.Context(), []addr.Address{addr.MustParse(to)}, strings.NewReader(clientMail(to, id, extra, text)))
}

// answering returns the header by which the user's client answers the last mail that it
// shows with a text in it.
func (h *home) answering(t *testing.T, text string) string {
	t.Helper()
	for _, m := range slices.Backward(h.mailHere(t, inboxName)) {
		if !strings.Contains(m, text) {
			continue
		}
		for _, line := range strings.Split(m, "\r\n") {
			if id, ok := strings.CutPrefix(line, "Message-ID: "); ok {
				return "In-Reply-To: " + id + "\r\nReferences: " + id + "\r\n"
			}
		}
	}
	t.Fatalf("no mail with %q is here", text)
	return ""
}

// TestIdentitiesApart: Alice is one person to Bob and another to Carol. Nothing that the
// two have received, put side by side, belongs together, and nothing names Alice.
func TestIdentitiesApart(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	account := relay.account(t, "alice")
	account.Name = "Alice Archer"
	alice, bob, carol := newHome(t, account), newWitness(t, relay, "bob"), newWitness(t, relay, "carol")
	toBob, toCarol := alice.identity(t), alice.identity(t)

	i, err := alice.InviteAs(t.Context(), toBob.Address, "")
	must(t, err)
	bob.secrets = [][]byte{i.secret()}
	_, err = bob.Accept(t.Context(), i.Link())
	must(t, err)
	j, err := carol.Invite(t.Context(), "")
	must(t, err)
	carol.secrets = [][]byte{j.secret()}
	_, err = alice.AcceptAs(t.Context(), toCarol.Address, j.Link())
	must(t, err)
	correspond(t, alice, bob, carol)

	for _, w := range []*witness{bob, carol} {
		name := addr.MustParse(w.account.Address).Local()
		must(t, alice.clientSends(t, w.account.Address, "first-"+name, "", "text-1"))
		correspond(t, alice, bob, carol)
		own := map[string]*Identity{"bob": toBob, "carol": toCarol}[name].Address.String()
		mail := plain(w.account.Address, own, w.answering(t, "text-1"), "answer-of-"+name)
		mail = strings.Replace(mail, "<one@client.test>", "<answer@"+name+".test>", 1)
		must(t, w.Send(t.Context(), []addr.Address{addr.MustParse(own)}, strings.NewReader(mail)))
		correspond(t, alice, bob, carol)
		must(t, alice.clientSends(t, w.account.Address, "second-"+name, alice.answering(t, "answer-of-"+name), "text-2"))
		correspond(t, alice, bob, carol)
	}

	all := []*pgp.Cert{alice.key.Cert(), toBob.Current.Cert(), toCarol.Current.Cert()}
	compareWitnesses(t, bob.received(t, all...), toBob, alice.Identity(), toCarol)
	compareWitnesses(t, carol.received(t, all...), toCarol, alice.Identity(), toBob)
	shown := alice.mailHere(t, inboxName)
	for n, own := range []*Identity{toBob, toCarol} {
		if n >= len(shown) {
			t.Fatalf("Alice is shown %d mails, want 2", len(shown))
		}
		name := []string{"bob", "carol"}[n]
		for _, want := range []string{identityField + ": " + own.Address.String(), "In-Reply-To: <first-" + name + "@archers-laptop>", "X-Restante-Status: good; "} {
			if !strings.Contains(shown[n], "\r\n"+want) && !strings.HasPrefix(shown[n], want) {
				t.Errorf("what Alice is shown has no %q:\n%s", want, shown[n])
			}
		}
	}
}

// compareWitnesses holds what somebody received of Alice to naming one identity of hers
// and no other: not in what everybody sees, nor inside, nor by a key.
func compareWitnesses(t *testing.T, mails []sent, own *Identity, others ...*Identity) {
	t.Helper()
	if len(mails) < 4 {
		t.Errorf("%s: only %d mails came", own.Address, len(mails))
	}
	forbidden := []string{"archer", "laptop", "marker-agent", "0500"}
	for _, o := range others {
		forbidden = append(forbidden, strings.ToLower(o.Address.Local()), strings.ToLower(string(o.Current.Fingerprint())))
	}
	for _, m := range mails {
		text := strings.ToLower(m.raw + fmt.Sprint(m.Header) + m.text)
		for _, word := range forbidden {
			if strings.Contains(text, word) {
				t.Errorf("%s: a mail has %q in it:\n%s\n%v\n%s", own.Address, word, m.raw[:300], m.Header, m.text)
			}
		}
		if m.Signer != "" && m.Signer != own.Current.Fingerprint() {
			t.Errorf("%s: a mail is signed by %s", own.Address, m.Signer)
		}
		if a, ok := pgp.FindAutocrypt(m.Header, own.Address); ok && a.Cert.Fingerprint() != own.Current.Fingerprint() {
			t.Errorf("%s: a mail carries the key %s", own.Address, a.Cert.Fingerprint())
		}
		for _, o := range others {
			if _, err := pgp.Open(io.Discard, strings.NewReader(m.raw), pgp.DecryptOptions{Keys: o.Keys()}); !errors.Is(err, pgp.ErrNoKey) {
				t.Errorf("%s: the key of %s opens a mail: %v", own.Address, o.Address, err)
			}
		}
	}
}

// sentBy returns those of the mails that an address has sent.
func sentBy(mails []sent, from addr.Address) []sent {
	return slices.DeleteFunc(mails, func(m sent) bool { return !strings.Contains(m.get("From"), from.String()) })
}

// TestIdentityOfGroup: in a group Alice is one person, and alone with its members another.
func TestIdentityOfGroup(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob, carol := newHome(t, relay.account(t, "alice")), newWitness(t, relay, "bob"), newWitness(t, relay, "carol")
	for _, w := range []*witness{bob, carol} {
		alice.knows(t, w.account.Address, w.key.Cert())
		must(t, alice.Contacts().Welcome(addr.MustParse(w.account.Address)))
	}
	own := alice.identity(t)
	_, err := alice.NewGroupAs(t.Context(), own.Address, "Readers", addr.MustParse("bob@relay.test"), addr.MustParse("carol@relay.test"))
	must(t, err)
	for _, w := range []*witness{bob, carol} {
		must(t, w.Contacts().Welcome(own.Address))
	}
	must(t, alice.clientSends(t, "readers@group.local", "one", "", "text-1"))
	correspond(t, alice, bob, carol)
	must(t, alice.RenameGroup(t.Context(), "readers", "Writers"))
	must(t, alice.clientSends(t, "readers@group.local", "two", "", "text-2"))
	must(t, bob.Send(t.Context(), []addr.Address{addr.MustParse("readers@group.local")},
		strings.NewReader(plain(bob.account.Address, "readers@group.local", "", "said-bob"))))
	correspond(t, alice, bob, carol)
	must(t, alice.clientSends(t, "readers@group.local", "four", alice.answering(t, "said-bob"), "text-3"))
	correspond(t, alice, bob, carol)
	for _, w := range []*witness{bob, carol} {
		compareWitnesses(t, sentBy(w.received(t, own.Current.Cert(), bob.key.Cert()), own.Address), own, alice.Identity())
		if got, want := w.group(t, "readers"), "Writers: bob carol "+own.Address.Local(); sorted(got) != sorted(want) {
			t.Errorf("%s has the group %q, want %q", w.account.Address, got, want)
		}
	}
	if got := len(alice.Groups()[0].Members()); got != 3 {
		t.Errorf("Alice has %d members, want 3", got)
	}
	before := len(bob.raw)
	must(t, alice.clientSends(t, "bob@relay.test", "alone", "", "between us"))
	alice.flush(t)
	bob.look(t)
	alone := sentBy(bob.received(t, alice.key.Cert()), addr.MustParse(alice.account.Address))
	if len(bob.raw) != before+1 || len(alone) != 1 || alone[0].Signer != alice.key.Fingerprint() {
		t.Errorf("Bob alone has %d mails of Alice's own address, want 1", len(alone))
	}
}

func sorted(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// TestEndIdentity: an identity is given up alone. Mail to it is refused, mail by it too,
// on every device; all else goes on.
func TestEndIdentity(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	ended, kept := alice.identity(t), alice.identity(t)
	backUp(t, alice)
	other := restored(t, alice.account, recoveryCode(t, alice))
	alice.knows(t, bob.account.Address, bob.key.Cert())
	must(t, alice.UseIdentity(ended.Address, addr.MustParse(bob.account.Address)))
	invitation, err := alice.InviteAs(t.Context(), ended.Address, "")
	must(t, err)
	for _, i := range []*Identity{ended, kept} {
		bob.knows(t, i.Address.String(), i.Current.Cert())
	}

	must(t, alice.EndIdentity(t.Context(), ended.Address, true))
	if err := alice.clientSends(t, bob.account.Address, "x", "", "x"); !errors.Is(err, ErrEnded) {
		t.Errorf("to Bob: got %v, want ErrEnded", err)
	}
	if _, err := alice.InviteAs(t.Context(), ended.Address, ""); !errors.Is(err, ErrEnded) {
		t.Errorf("an invitation: got %v, want ErrEnded", err)
	}
	if _, open := alice.joins.invites[invitation.Auth]; open {
		t.Error("its invitation is open")
	}
	alice.reopen(t)
	for _, k := range alice.own.Load().Keys() {
		if k.Fingerprint() == ended.Current.Fingerprint() {
			t.Error("its key was not forgotten")
		}
	}
	for _, i := range []*Identity{kept, ended} {
		must(t, bob.Send(t.Context(), []addr.Address{i.Address}, strings.NewReader(plain(bob.account.Address, i.Address.String(), "", "x"))))
	}
	bob.flush(t)
	if back := bob.mailHere(t, inboxName); len(back) != 1 || !strings.Contains(back[0], "not sent to:\r\n\r\n    "+ended.Address.String()) {
		t.Errorf("Bob is told %q, want that the mail to %s is refused", back, ended.Address)
	}
	if got := len(relay.inbox(t, alice.account)); got != 1 {
		t.Errorf("%d mails came, want that to the other identity", got)
	}
	backUp(t, alice)
	must(t, other.Backup(t.Context()))
	if i, err := other.own.Load().live(ended.Address); !errors.Is(err, ErrEnded) && !errors.Is(err, ErrNotOwn) {
		t.Errorf("on the other device: got %v, %v; want it ended", i, err)
	}
	if _, err := other.own.Load().live(kept.Address); err != nil {
		t.Errorf("the other identity on the other device: %v", err)
	}
	must(t, alice.UseIdentity(kept.Address, addr.MustParse(bob.account.Address)))
	must(t, alice.clientSends(t, bob.account.Address, "y", "", "y"))
}

func TestPickVoice(t *testing.T) {
	t.Parallel()
	main, a, b := person("main"), person("a"), person("b")
	var none addr.Address
	type known = [][]addr.Address
	tests := []struct {
		name         string
		said, thread addr.Address
		known        known
		want         addr.Address // zero is ErrLinks
	}{
		{"strangers", none, none, known{nil, nil}, main},
		{"nobody", none, none, nil, main},
		{"who knows one", none, none, known{{a}}, a},
		{"who knows one, and a stranger", none, none, known{nil, {a}}, a},
		{"who knows several", none, none, known{{b, a, main}}, b},
		{"what both know", none, none, known{{b, a}, {a}}, a},
		{"who know different ones", none, none, known{{a}, {b}}, none},
		{"the account's own among others", none, none, known{{a}, {main}}, none},
		{"an answer", none, a, known{{b, a}}, a},
		{"an answer to a stranger", none, a, known{nil}, a},
		{"an answer by the account's own", none, main, known{{a, main}}, main},
		{"an answer that goes to somebody else too", none, a, known{{a}, {main}}, none},
		{"the user's choice", b, a, known{{a}}, b},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := pickVoice(main, tt.said, tt.thread, tt.known)
			if errors.Is(err, ErrLinks) != tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// TestIdentityTraps: what somebody tries who suspects that two addresses are one person's
// leads to no mail that tells them.
func TestIdentityTraps(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	own := alice.identity(t)
	main := addr.MustParse(alice.account.Address)
	bob.knows(t, own.Address.String(), alice.key.Cert()) // mail to one address, for the key of the other
	bob.knows(t, main.String(), alice.key.Cert())
	mail := func(to addr.Address, id string) {
		t.Helper()
		text := strings.Replace(plain(bob.account.Address, to.String(), "", "to "+to.Local()), "<one@client.test>", "<"+id+"@x>", 1)
		must(t, bob.Send(t.Context(), []addr.Address{to}, strings.NewReader(text)))
		bob.flush(t)
		alice.sync(t)
	}
	mail(own.Address, "other-key")
	if got := alice.mailHere(t, requestsName); len(got)+len(alice.mailHere(t, inboxName)) != 1 || !strings.Contains(strings.Join(append(got, alice.mailHere(t, inboxName)...), ""), "[NOT WRITTEN TO YOU]") {
		t.Errorf("Alice is shown %q, want a warning", got)
	}

	_, err := bob.Contacts().Update(own.Address, func(Peer) (Peer, Event) { return Peer{}, Nothing })
	must(t, err)
	bob.knows(t, own.Address.String(), own.Current.Cert())
	mail(main, "twice")
	mail(own.Address, "twice") // the same id: by which address is it answered?
	err = alice.clientSends(t, bob.account.Address, "trapped", "In-Reply-To: <twice@x>\r\n", "x")
	if !errors.Is(err, ErrLinks) {
		t.Errorf("an answer to both: got %v, want ErrLinks", err)
	}
	// A copy to oneself would name the other address.
	must(t, alice.UseIdentity(own.Address, addr.MustParse(bob.account.Address)))
	err = alice.Send(t.Context(), []addr.Address{addr.MustParse(bob.account.Address), main},
		strings.NewReader(clientMail(bob.account.Address, "copy", "Cc: alice@relay.test\r\n", "x")))
	if !errors.Is(err, ErrLinks) {
		t.Errorf("a copy to oneself: got %v, want ErrLinks", err)
	}
}

// TestDisguisedReceipt: a receipt for reading names the identity, and not the program.
func TestDisguisedReceipt(t *testing.T) {
	t.Parallel()
	const report = "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nShown to Alice@Relay.test.\r\n" +
		"--b\r\nContent-Type: message/disposition-notification\r\n\r\nReporting-UA: archers-laptop; marker-agent\r\n" +
		"Final-Recipient: rfc822;alice@relay.test\r\nOriginal-Message-ID: <1@x>\r\n\r\n--b--\r\n"
	o, err := readOutgoing(strings.NewReader("From: alice@relay.test\r\nTo: bob@relay.test\r\n"+report),
		func(addr.Address) bool { return true }, []addr.Address{addr.MustParse("bob@relay.test")}, t.TempDir())
	must(t, err)
	defer o.content.close()
	main, own := &Identity{Address: addr.MustParse("alice@relay.test")}, &Identity{Address: addr.MustParse("q7@relay.test")}
	must(t, o.speakAs(own, &identities{main: main, apart: []*Identity{own}}, &threads{}))
	b, err := io.ReadAll(iotest.OneByteReader(o.body()))
	must(t, err)
	got := string(b)
	for _, word := range []string{"alice", "laptop", "Reporting-UA"} {
		if strings.Contains(strings.ToLower(got), strings.ToLower(word)) {
			t.Errorf("the receipt has %q in it:\n%s", word, got)
		}
	}
	if !strings.Contains(got, "Final-Recipient: rfc822;q7@relay.test\r\nOriginal-Message-ID: <1@x>\r\n") {
		t.Errorf("got\n%s", got)
	}
}

// TestKeyOverrules: of what two devices know of a key, its end counts.
func TestKeyOverrules(t *testing.T) {
	t.Parallel()
	live := ownKey{Secret: []byte("x"), Added: day(1)}
	later, ended, forgotten := live, live, live
	later.Added = day(2)
	ended.Ended = day(3)
	forgotten.Ended, forgotten.Secret = day(3), nil
	order := []ownKey{live, later, ended, forgotten}
	for i, x := range order {
		for j, y := range order {
			if got := y.overrules(x); got != (j > i) {
				t.Errorf("%d over %d: got %v", j, i, got)
			}
		}
	}
}
