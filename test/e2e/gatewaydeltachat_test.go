//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/mail"
	"os"
	"strings"
	"testing"
	"time"

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

// talk lets both write, Delta Chat first, and looks for the padlock, a file each way,
// and the receipts for reading that both ask for.
func talk(t *testing.T, alice *gatewayUser, bob *device, chat int) {
	t.Helper()
	first := bob.write(chat, "Dear Alice")
	got := alice.await("INBOX", "Dear Alice")
	if status := got.Header.Get("X-Restante-Status"); !strings.HasPrefix(status, "good; ") || !strings.HasSuffix(status, "trust=verified") {
		t.Errorf("Alice's client shows %q", status)
	}
	alice.sendReceipt(got)
	bob.awaitMsg("MsgRead", first)

	reply := "In-Reply-To: " + got.Header.Get("Message-ID") + "\r\nReferences: " + got.Header.Get("Message-ID") + "\r\n"
	alice.send([]string{bob.user.Address}, "Subject: Re: hello\r\nMessage-ID: <reply@client.test>\r\nDisposition-Notification-To: <"+alice.user.Address+">\r\n"+reply, "Dear Bob")
	m := bob.receiveText("Dear Bob")
	if m.ChatID != chat {
		t.Errorf("the answer is in chat %d, want %d", m.ChatID, chat)
	}
	bob.call(nil, "markseen_msgs", bob.id, []int{m.ID})
	receipt := alice.await("INBOX", "Original-Message-ID: <reply@client.test>")
	if kind := receipt.Header.Get("Content-Type"); !strings.Contains(kind, "disposition-notification") {
		t.Errorf("the receipt is %q", kind)
	}
	exchangeFiles(t, alice, bob, chat, reply)
}

// sendReceipt answers a mail that asks for a receipt, as mail clients do.
func (u *gatewayUser) sendReceipt(m shown) {
	u.t.Helper()
	to, err := mail.ParseAddress(m.Header.Get("Disposition-Notification-To"))
	must(u.t, err)
	part := "--b\r\nContent-Type: text/plain\r\n\r\nIt was shown.\r\n" +
		"--b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822;" + u.user.Address + "\r\n" +
		"Original-Message-ID: " + m.Header.Get("Message-ID") + "\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--b--"
	u.send([]string{to.Address}, "Subject: Return Receipt\r\n"+
		"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n", part)
}

// exchangeFiles sends a file each way and compares what arrives.
func exchangeFiles(t *testing.T, alice *gatewayUser, bob *device, chat int, reply string) {
	t.Helper()
	file := make([]byte, 50_000)
	rand.Read(file)
	var lines strings.Builder
	for text := base64.StdEncoding.EncodeToString(file); text != ""; {
		n := min(76, len(text))
		lines.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	alice.send([]string{bob.user.Address}, "Subject: Re: a file\r\nContent-Type: multipart/mixed; boundary=b\r\n"+reply,
		"--b\r\nContent-Type: text/plain\r\n\r\nthe file\r\n--b\r\nContent-Type: application/octet-stream; name=\"film.bin\"\r\n"+
			"Content-Disposition: attachment; filename=\"film.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"+lines.String()+"--b--")
	m := bob.receive()
	arrived, err := os.ReadFile(m.File)
	must(t, err)
	if !bytes.Equal(arrived, file) {
		t.Errorf("Delta Chat has a file of %d other bytes, want the %d sent", len(arrived), len(file))
	}
	bob.call(nil, "send_msg", bob.id, chat, map[string]any{"file": write(t, t.TempDir(), "back.bin", string(file)), "viewtype": "File", "text": "the same file"})
	got := alice.await("INBOX", "the same file")
	sent := strings.ReplaceAll(lines.String(), "\r\n", "")
	if body := strings.ReplaceAll(got.text, "\r\n", ""); !strings.Contains(body, sent) {
		t.Errorf("the file did not arrive in %d octets of mail", len(got.text))
	}
}

// TestGatewayDeltaChatGroup: Alice, with a gateway, makes a group of two people with
// Delta Chat, adds, removes and renames; a fourth joins by the gateway's invitation;
// and Delta Chat makes one in its turn.
func TestGatewayDeltaChatGroup(t *testing.T) {
	t.Parallel()
	r := start(t, "--accounts", "4")
	core := newCore(t)
	alice := r.gatewayUser(t, r.Accounts[0])
	bob, carol, dave := core.device(r, r.Accounts[1]), core.device(r, r.Accounts[2]), core.device(r, r.Accounts[3])
	for _, d := range []*device{bob, carol} {
		i, err := alice.Invite(t.Context(), "")
		must(t, err)
		var chat int
		d.call(&chat, "secure_join", d.id, i.Link())
		d.awaitDone("SecurejoinJoinerProgress")
	}
	_, err := alice.NewGroup(t.Context(), "Family", addr.MustParse(bob.user.Address), addr.MustParse(carol.user.Address))
	must(t, err)
	alice.send([]string{"family@group.local"}, "Subject: hello\r\n", "Dear all")
	atBob, atCarol := bob.inGroup("Dear all", "Family", 3), carol.inGroup("Dear all", "Family", 3)

	bob.write(atBob, "said Bob")
	got := alice.await("INBOX", "said Bob")
	if to := got.Header.Get("To"); to != `"Family" <family@group.local>` {
		t.Errorf("Alice's client answers to %q", to)
	}
	if m := carol.receiveSaid("said Bob"); m.ChatID != atCarol {
		t.Errorf("Bob's mail is in chat %d of Carol's, want %d", m.ChatID, atCarol)
	}

	i, err := alice.Invite(t.Context(), "family")
	must(t, err)
	var atDave int
	dave.call(&atDave, "secure_join", dave.id, i.Link())
	dave.awaitDone("SecurejoinJoinerProgress")
	dave.awaitMembers(atDave, 4)
	bob.awaitMembers(atBob, 4)
	dave.write(atDave, "said Dave")
	alice.await("INBOX", "said Dave")
	bob.receiveSaid("said Dave")

	must(t, alice.RemoveMember(t.Context(), "family", addr.MustParse(carol.user.Address)))
	bob.awaitMembers(atBob, 3)
	bob.call(nil, "set_chat_name", bob.id, atBob, "Clan")
	bob.call(nil, "add_contact_to_chat", bob.id, atBob, bob.contact(carol))
	carol.awaitMembers(atCarol, 4)
	alice.awaitGroup("Clan", 4)
	must(t, alice.RenameGroup(t.Context(), "family", "Tribe"))
	bob.awaitChat(atBob, "the new name", func(c fullChat) bool { return c.Name == "Tribe" })

	var other int
	bob.call(&other, "create_group_chat", bob.id, "Bob's", false)
	bob.call(nil, "add_contact_to_chat", bob.id, other, bob.contactOf(alice.user.Address))
	bob.write(other, "Dear Alice alone")
	if to := alice.await("INBOX", "Dear Alice alone").Header.Get("To"); to != `"Bob's" <bob-s@group.local>` {
		t.Errorf("Alice's client answers to %q", to)
	}
	alice.send([]string{"bob-s@group.local"}, "Subject: Re: it\r\n", "Dear Bob alone")
	if m := bob.receiveSaid("Dear Bob alone"); m.ChatID != other {
		t.Errorf("Bob received %q in chat %d, want %d", m.Text, m.ChatID, other)
	}
}

// awaitGroup waits until the gateway's only group has a name and so many members.
func (u *gatewayUser) awaitGroup(name string, members int) {
	u.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		x := u.Groups()
		if len(x) == 1 && x[0].Name == name && len(x[0].Members()) == members {
			return
		}
		select {
		case <-look.C:
		case <-late:
			u.t.Fatalf("the gateway has the groups %+v, want %s with %d", x, name, members)
		}
	}
}

// fullChat is what Delta Chat knows of a chat.
type fullChat struct {
	Name       string `json:"name"`
	ContactIDs []int  `json:"contactIds"`
}

// receiveSaid is receiveText but for news about who comes and goes, which it skips, and
// for the Subject that Delta Chat shows of mail.
func (d *device) receiveSaid(text string) chatMessage {
	d.t.Helper()
	for {
		m := d.receive()
		if m.IsInfo {
			continue
		}
		if !strings.Contains(m.Text, text) || !m.ShowPadlock {
			d.t.Fatalf("device %d received %+v, want %q with a padlock", d.id, m, text)
		}
		return m
	}
}

// inGroup waits for a mail in a group, which must have a name and so many members, and
// returns the chat.
func (d *device) inGroup(text, name string, members int) (chat int) {
	d.t.Helper()
	m := d.receiveSaid(text)
	d.call(nil, "accept_chat", d.id, m.ChatID)
	var c fullChat
	d.call(&c, "get_full_chat_by_id", d.id, m.ChatID)
	if c.Name != name || len(c.ContactIDs) != members {
		d.t.Errorf("device %d has the group %+v, want %s with %d", d.id, c, name, members)
	}
	return m.ChatID
}

func (d *device) awaitMembers(chat, n int) {
	d.t.Helper()
	d.awaitChat(chat, fmt.Sprint(n, " members"), func(c fullChat) bool { return len(c.ContactIDs) == n })
}

// awaitChat waits until a chat is as f says.
func (d *device) awaitChat(chat int, what string, f func(fullChat) bool) {
	d.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		var c fullChat
		d.call(&c, "get_full_chat_by_id", d.id, chat)
		if f(c) {
			return
		}
		select {
		case <-look.C:
		case <-late:
			d.t.Fatalf("device %d: chat %d has not %s within %v: %+v", d.id, chat, what, patience, c)
		}
	}
}

// contactOf returns the contact with an address.
func (d *device) contactOf(address string) int {
	d.t.Helper()
	var ids []int
	d.call(&ids, "get_contact_ids", d.id, 0, address)
	if len(ids) != 1 {
		d.t.Fatalf("device %d has the contacts %v, want one", d.id, ids)
	}
	return ids[0]
}
