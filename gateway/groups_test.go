package gateway

import (
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// friends are three homes of which Alice knows both others, and they do not know each
// other.
func friends(t *testing.T) (relay *testRelay, alice, bob, carol *home) {
	t.Helper()
	relay = newRelay(t)
	alice, bob, carol = newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob")), newHome(t, relay.account(t, "carol"))
	for _, h := range []*home{bob, carol} {
		alice.knows(t, h.account.Address, h.key.Cert())
		h.knows(t, alice.account.Address, alice.key.Cert())
		must(t, h.Contacts().Welcome(addr.MustParse(alice.account.Address)))
		must(t, alice.Contacts().Welcome(addr.MustParse(h.account.Address)))
	}
	return relay, alice, bob, carol
}

// toGroup lets the user's mail client write to a group, and everybody fetch.
func (h *home) toGroup(t *testing.T, group, subject string, all ...*home) {
	t.Helper()
	to := group + "@" + groupDomain
	mail := strings.Replace(plain(h.account.Address, to, "", "x"), "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", subject, 1)
	mail = strings.Replace(mail, "<one@client.test>", "<"+subject+"@client.test>", 1)
	must(t, h.submit(t, []string{to}, mail))
	exchange(t, all...)
}

func (h *home) group(t *testing.T, name string) string {
	t.Helper()
	x, err := h.groups.get(name)
	if err != nil {
		return err.Error()
	}
	return x.Name + ": " + x.members()
}

// TestGroup: a group of three gateways, of which two have never met. Everybody can
// write to it at its address, and the relay hears nothing of it.
func TestGroup(t *testing.T) {
	t.Parallel()
	relay, alice, bob, carol := friends(t)
	all := []*home{alice, bob, carol}
	x, err := alice.NewGroup(t.Context(), "Family", addr.MustParse("bob@relay.test"), addr.MustParse("carol@relay.test"))
	must(t, err)
	if x.Address().String() != "family@group.local" {
		t.Errorf("the group has the address %v", x.Address())
	}
	alice.toGroup(t, "family", "mail-1", all...)
	for _, m := range relay.inbox(t, bob.account) {
		if strings.Contains(strings.ToLower(string(m)), "family") || strings.Contains(string(m), "Chat-Group") {
			t.Errorf("the relay sees the group:\n%s", m)
		}
	}
	bob.reopen(t)
	bob.toGroup(t, "family", "mail-2", all...)
	carol.toGroup(t, "family", "mail-3", all...)
	for h, want := range map[*home]string{alice: "mail-2 mail-3", bob: "mail-1 mail-3", carol: "mail-1 mail-2"} {
		here, _ := h.here(t)
		if got := strings.Join(here[inboxName], " "); got != want || len(here) != 1 {
			t.Errorf("%s has %v, want %q in INBOX", h.account.Address, here, want)
		}
		if got := h.group(t, "family"); got != "Family: alice bob carol" {
			t.Errorf("%s has the group %q", h.account.Address, got)
		}
		for _, m := range h.mailHere(t, inboxName) {
			if !strings.Contains(m, "\r\nTo: \"Family\" <family@group.local>\r\n") || strings.Contains(m, "\r\nTo: <") {
				t.Errorf("%s is shown\n%s", h.account.Address, m)
			}
		}
	}
}

// TestGroupChanges: members come, go, leave and rename, and all agree.
func TestGroupChanges(t *testing.T) {
	t.Parallel()
	_, alice, bob, carol := friends(t)
	all := []*home{alice, bob, carol}
	bobs, carols := addr.MustParse("bob@relay.test"), addr.MustParse("carol@relay.test")
	_, err := alice.NewGroup(t.Context(), "Family", bobs)
	must(t, err)
	alice.toGroup(t, "family", "mail-1", all...)
	agree := func(want string, homes ...*home) {
		t.Helper()
		exchange(t, all...)
		for _, h := range homes {
			if got := h.group(t, "family"); got != want {
				t.Errorf("%s has the group %q, want %q", h.account.Address, got, want)
			}
		}
	}
	must(t, alice.AddMember(t.Context(), "family", carols))
	agree("Family: alice bob carol", all...)
	must(t, bob.RenameGroup(t.Context(), "family", "Clan"))
	agree("Clan: alice bob carol", all...)
	must(t, carol.RemoveMember(t.Context(), "family", bobs))
	agree("Clan: alice carol", alice, carol)
	agree(ErrNoGroup.Error(), bob)
	must(t, carol.RemoveMember(t.Context(), "family", carols)) // leaves
	agree("Clan: alice", alice)
	agree(ErrNoGroup.Error(), bob, carol)
	must(t, alice.AddMember(t.Context(), "family", bobs)) // comes back
	agree("Clan: alice bob", alice, bob)
}

// TestGroupInvitation: somebody who follows an invitation to a group is in it, and
// everybody hears of it.
func TestGroupInvitation(t *testing.T) {
	t.Parallel()
	relay, alice, bob, carol := friends(t)
	dave := newHome(t, relay.account(t, "dave"))
	_, err := alice.NewGroup(t.Context(), "Family", addr.MustParse("bob@relay.test"))
	must(t, err)
	alice.toGroup(t, "family", "mail-1", alice, bob, carol)
	i, err := alice.Invite(t.Context(), "family")
	must(t, err)
	_, err = dave.Accept(t.Context(), i.Link())
	must(t, err)
	exchange(t, dave, alice, bob)
	exchange(t, dave, alice, bob)
	for _, h := range []*home{alice, bob, dave} {
		if got := h.group(t, "family"); got != "Family: alice bob dave" {
			t.Errorf("%s has the group %q", h.account.Address, got)
		}
	}
	if got := dave.joinStates(t); len(got) != 1 || got[0] != JoinDone {
		t.Errorf("Dave's invitation is %v, want done", got)
	}
	dave.toGroup(t, "family", "mail-2", dave, alice, bob)
	if here, _ := bob.here(t); !strings.Contains(strings.Join(here[inboxName], " "), "mail-2") {
		t.Errorf("Bob has %v", here)
	}
}

// TestGroupRefuses: what a client writes to a group in vain, it hears at once.
func TestGroupRefuses(t *testing.T) {
	t.Parallel()
	_, alice, _, _ := friends(t)
	_, err := alice.NewGroup(t.Context(), "Family", addr.MustParse("bob@relay.test"))
	must(t, err)
	_, err = alice.NewGroup(t.Context(), "Alone")
	must(t, err)
	tests := []struct {
		name string
		to   []string
		say  string
	}{
		{"no such group", []string{"nobody@group.local"}, "no such group"},
		{"somebody who is not in it", []string{"family@group.local", "carol@relay.test"}, "add the others"},
		{"two groups", []string{"family@group.local", "alone@group.local"}, "one group alone"},
		{"nobody else", []string{"alone@group.local"}, "alone in this group"},
	}
	for _, tt := range tests {
		err := alice.submit(t, tt.to, plain(alice.account.Address, strings.Join(tt.to, ", "), "", "x"))
		if err == nil || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.say)
		}
	}
	// A member beside the group's address, as an answer to all has it, gets one copy.
	must(t, alice.submit(t, []string{"family@group.local", "bob@relay.test"}, plain(alice.account.Address, "family@group.local, bob@relay.test", "", "x")))
	items, err := alice.Outbox()
	must(t, err)
	if len(items) != 1 || len(items[0].Parts) != 1 || strings.Join(items[0].Parts[0].To, " ") != "bob@relay.test" {
		t.Errorf("the outbox has %+v", items)
	}
}

// TestGroupCommands: the user manages a group by mails to its request address, which
// are answered in INBOX and go nowhere.
func TestGroupCommands(t *testing.T) {
	t.Parallel()
	_, alice, bob, carol := friends(t)
	for _, tt := range []struct{ subject, say, group string }{
		{"new bob@relay.test", "family@group.local", "family: alice bob"},
		{"Add <carol@relay.test>", "carol@relay.test", "family: alice bob carol"},
		{"add stranger@relay.test", "No key for stranger@relay.test", "family: alice bob carol"},
		{"add carol@relay.test", "changes nothing", "family: alice bob carol"},
		{"remove carol@relay.test", "bob@relay.test", "family: alice bob"},
		{"name The Clan", "The group The Clan", "The Clan: alice bob"},
		{"members", "bob@relay.test", "The Clan: alice bob"},
		{"hello", "no command", "The Clan: alice bob"},
		{"add", "no command", "The Clan: alice bob"},
		{"leave", "left the group", ErrNoGroup.Error()},
		{"members", "no such group", ErrNoGroup.Error()},
	} {
		mail := "From: <alice@relay.test>\r\nTo: <family-request@group.local>\r\nSubject: " + tt.subject + "\r\n\r\n\r\n"
		before := len(alice.mailHere(t, inboxName))
		must(t, alice.submit(t, []string{"family-request@group.local"}, mail))
		list := alice.mailHere(t, inboxName)
		if len(list) != before+1 || !strings.Contains(list[before], tt.say) {
			t.Fatalf("%s: answered %q, want %q", tt.subject, list[before:], tt.say)
		}
		if got := alice.group(t, "family"); got != tt.group {
			t.Errorf("%s: the group is %q, want %q", tt.subject, got, tt.group)
		}
	}
	exchange(t, alice, bob, carol)
	if here, _ := carol.here(t); len(here[inboxName]) != 2 {
		t.Errorf("Carol has %v, want that she came and went", here)
	}
}

// TestGroupThread: an answer that does not name the group is shown in it; one of
// somebody who is not in it is not.
func TestGroupThread(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	me, key := generate(t, "me@x.test")
	g, err := openGroups(v, me)
	must(t, err)
	x, err := g.create("Family", me, key.Fingerprint(), 1)
	must(t, err)
	_, _, err = g.change(x.ID, func(x *Group) error { x.add(person("bob"), "", 1); return nil })
	must(t, err)
	must(t, g.remember(x.ID, "<1@x>"))
	if got, ok := g.thread(messageIDs("<0@x> <1@x>"), person("bob")); !ok || got.ID != x.ID {
		t.Error("a member's answer is not in the group")
	}
	if _, ok := g.thread(messageIDs("<1@x>"), person("eve")); ok {
		t.Error("a stranger's answer is in the group")
	}
	if _, ok := g.thread(messageIDs("<2@x>"), person("bob")); ok {
		t.Error("another mail is in the group")
	}
}

// TestGroupStranger: whom the user has not accepted is a member with the key that the
// group knows of them only, and makes no group.
func TestGroupStranger(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	me, key := generate(t, "me@x.test")
	g, err := openGroups(v, me)
	must(t, err)
	x, err := g.create("Family", me, key.Fingerprint(), 1)
	must(t, err)
	_, _, err = g.change(x.ID, func(x *Group) error { x.add(person("bob"), "B", 1); return nil })
	must(t, err)
	mail := func(id string, print pgp.Fingerprint) groupMail {
		return groupMail{id: id, name: "Gang", nameAt: 9, from: Member{Address: person("bob"), Fingerprint: print}, to: []Member{{Address: me}}}
	}
	tests := []struct {
		name  string
		mail  groupMail
		known bool
		want  string // the name of the group that the mail is in
	}{
		{"another key", mail(x.ID, "E"), false, ""},
		{"a new group", mail(newToken(), "B"), false, ""},
		{"the member's key", mail(x.ID, "B"), false, "Gang"},
		{"somebody accepted, with a new key", mail(x.ID, "E"), true, "Gang"},
		{"somebody accepted, with a new group", mail(newToken(), "E"), true, "Gang"},
		{"a new group without the user", groupMail{id: newToken(), name: "Gang", from: Member{Address: person("bob")}}, true, ""},
	}
	for _, tt := range tests {
		got, ok, err := g.see(tt.mail, "<1@x>", tt.known, me)
		must(t, err)
		if ok != (tt.want != "") || got.Name != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got.Name, ok, tt.want)
		}
	}
}
