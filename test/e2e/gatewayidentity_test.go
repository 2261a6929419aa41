//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
)

// TestGatewayIdentities: Alice, with a gateway, is one person to Bob and another to Carol,
// who both have Delta Chat. All that the two cores know of her, put side by side, has
// nothing in common; and when she gives Bob's up, Carol's goes on.
func TestGatewayIdentities(t *testing.T) {
	t.Parallel()
	r := start(t, "--accounts", "3")
	core := newCore(t)
	alice := r.gatewayUser(t, r.Accounts[0])
	bob, carol := core.device(r, r.Accounts[1]), core.device(r, r.Accounts[2])
	toBob, err := alice.NewIdentity(t.Context(), addr.Address{})
	must(t, err)
	toCarol, err := alice.NewIdentity(t.Context(), addr.Address{})
	must(t, err)

	i, err := alice.InviteAs(t.Context(), toBob, "")
	must(t, err)
	var atBob int
	bob.call(&atBob, "secure_join", bob.id, i.Link())
	bob.awaitDone("SecurejoinJoinerProgress")
	var link string
	carol.call(&link, "get_chat_securejoin_qr_code", carol.id, nil)
	_, err = alice.AcceptAs(t.Context(), toCarol, link)
	must(t, err)
	carol.awaitDone("SecurejoinInviterProgress")
	alice.awaitJoin()
	var atCarol int
	carol.call(&atCarol, "create_chat_by_contact_id", carol.id, carol.contactOf(toCarol.String()))

	known := map[*device]string{
		bob:   alice.chatAs(bob, atBob, toBob),
		carol: alice.chatAs(carol, atCarol, toCarol),
	}
	prints := map[addr.Address]string{addr.MustParse(alice.user.Address): string(alice.Identity().Current.Fingerprint())}
	list, err := alice.Identities()
	must(t, err)
	for _, x := range list {
		prints[x.Address] = string(x.Fingerprint)
	}
	for d, own := range map[*device]addr.Address{bob: toBob, carol: toCarol} {
		text := strings.ToUpper(strings.Join(strings.Fields(known[d]), ""))
		for a, print := range prints {
			named, keyed := strings.Contains(text, strings.ToUpper(a.Local())), strings.Contains(text, print)
			if (named || keyed) != a.Equal(own) || named != keyed {
				t.Errorf("device %d, who knows Alice as %v: names %v %v, has its key %v", d.id, own, a, named, keyed)
			}
		}
	}

	must(t, alice.EndIdentity(t.Context(), toBob, false))
	bob.awaitMsg("MsgFailed", bob.write(atBob, "are you there?"))
	carol.write(atCarol, "and you?")
	alice.await("INBOX", "and you?")
}

// chatAs lets the user's mail client and Delta Chat write to each other twice, and returns
// all that Delta Chat has then of the mails and their sender, raw.
func (u *gatewayUser) chatAs(d *device, chat int, own addr.Address) string {
	u.t.Helper()
	greeting := "Dear " + own.Local()
	d.write(chat, greeting)
	got := u.await("INBOX", greeting)
	if as := got.Header.Get("X-Restante-Identity"); as != own.String() {
		u.t.Errorf("the mail came to %q, want %s", as, own)
	}
	id := got.Header.Get("Message-ID")
	answer := "In-Reply-To: " + id + "\r\nReferences: " + id + "\r\n"
	u.send([]string{d.user.Address}, "Subject: Re: it\r\nMessage-ID: <1@"+u.user.Address+">\r\nReply-To: <"+u.user.Address+">\r\n"+answer, "first answer")
	u.send([]string{d.user.Address}, "Subject: and\r\nMessage-ID: <2@"+u.user.Address+">\r\n", "second thought")
	var all strings.Builder
	for _, text := range []string{"first answer", "second thought"} {
		m := d.receiveSaid(text)
		if m.ChatID != chat {
			u.t.Errorf("device %d has %q in chat %d, want %d", d.id, text, m.ChatID, chat)
		}
		var info string
		d.call(&info, "get_message_info", d.id, m.ID)
		all.WriteString(info)
	}
	var contacts []int
	d.call(&contacts, "get_contact_ids", d.id, 0, nil)
	for _, c := range contacts {
		var contact json.RawMessage
		var keys string
		d.call(&contact, "get_contact", d.id, c)
		d.call(&keys, "get_contact_encryption_info", d.id, c)
		all.WriteString(string(contact) + keys)
	}
	d.write(chat, greeting+" again")
	u.await("INBOX", greeting+" again")
	return all.String()
}
