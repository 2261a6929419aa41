//go:build e2e

package e2e

import (
	"testing"

	"github.com/restante/restante/gateway"
	"github.com/restante/restante/internal/addr"
)

// verified holds the gateway's user to have verified somebody.
func (u *gatewayUser) verified(address string) {
	u.t.Helper()
	p, err := u.Contacts().Peer(addr.MustParse(address))
	must(u.t, err)
	if _, standing, err := p.Fingerprint(); err != nil || standing != gateway.Verified {
		u.t.Errorf("%s stands as %v, %v; want verified", address, standing, err)
	}
}

// TestGatewayInvitesDeltaChat: Delta Chat scans the gateway's invitation, and both talk.
func TestGatewayInvitesDeltaChat(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice, bob := r.gatewayUser(t, r.Accounts[0]), newCore(t).device(r, r.Accounts[1])
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	var chat int
	bob.call(&chat, "secure_join", bob.id, i.Link())
	bob.awaitDone("SecurejoinJoinerProgress")
	alice.verified(bob.user.Address)
	talk(t, alice, bob, chat)
}

// TestGatewayFollowsDeltaChat: the gateway follows Delta Chat's invitation.
func TestGatewayFollowsDeltaChat(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice, bob := r.gatewayUser(t, r.Accounts[0]), newCore(t).device(r, r.Accounts[1])
	var link string
	bob.call(&link, "get_chat_securejoin_qr_code", bob.id, nil)
	_, err := alice.Accept(t.Context(), link)
	must(t, err)
	bob.awaitDone("SecurejoinInviterProgress")
	alice.awaitJoin()
	alice.verified(bob.user.Address)
	var ids []int
	bob.call(&ids, "get_contact_ids", bob.id, 0, alice.user.Address)
	var chat int
	bob.call(&chat, "create_chat_by_contact_id", bob.id, ids[0])
	talk(t, alice, bob, chat)
}

// talk lets both write, Delta Chat first, and looks for the padlock and for the read
// receipts that both ask for.
func talk(t *testing.T, alice *gatewayUser, bob *device, chat int) {
	t.Helper()
	bob.write(chat, "Dear Alice")
	got := alice.await("INBOX", "Dear Alice")
	if status := got.Header.Get("X-Restante-Status"); status[:5] != "good;" {
		t.Errorf("Alice's client shows %q", status)
	}
	alice.send([]string{bob.user.Address}, "Subject: Re: hello\r\nIn-Reply-To: "+got.Header.Get("Message-ID")+
		"\r\nReferences: "+got.Header.Get("Message-ID")+"\r\n", "Dear Bob")
	if m := bob.receiveText("Dear Bob"); m.ChatID != chat {
		t.Errorf("the answer is in chat %d, want %d", m.ChatID, chat)
	}
}
