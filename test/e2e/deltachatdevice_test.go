//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"time"
)

// device is one account of a core: Delta Chat on one device of a user.
type device struct {
	*core
	id   int
	user account
}

// chatMessage is what Delta Chat shows of a message.
type chatMessage struct {
	ID            int    `json:"id"`
	ChatID        int    `json:"chatId"`
	Text          string `json:"text"`
	ShowPadlock   bool   `json:"showPadlock"`
	IsInfo        bool   `json:"isInfo"`
	File          string `json:"file"`
	FileBytes     int64  `json:"fileBytes"`
	DownloadState string `json:"downloadState"`
	Error         string `json:"error"`
}

// device sets Delta Chat up for an account of a relay, as its app does when the
// user gives the servers, and waits until it idles in the inbox: a mail sent
// before that is not shown as new.
func (c *core) device(r *relay, a account) *device {
	c.t.Helper()
	d := c.blankDevice(a)
	d.configure(r)
	return d
}

// configure gives a blank device its account.
func (d *device) configure(r *relay) {
	d.t.Helper()
	imapHost, imapPort := hostPort(d.t, r.IMAPS)
	smtpHost, smtpPort := hostPort(d.t, r.SMTPS)
	d.call(nil, "add_or_update_transport", d.id, map[string]any{
		"addr": d.user.Address, "password": d.user.Password,
		"imapServer": imapHost, "imapPort": imapPort, "imapSecurity": "ssl",
		"smtpServer": smtpHost, "smtpPort": smtpPort, "smtpSecurity": "ssl",
		"certificateChecks": "acceptInvalidCertificates",
	})
	d.call(nil, "set_config", d.id, "displayname", d.user.Address)
	d.goOnline()
}

// blankDevice is Delta Chat as it is when just installed. It neither signs up at
// relays of its own choice nor sends statistics.
func (c *core) blankDevice(a account) *device {
	c.t.Helper()
	d := &device{core: c, user: a}
	d.call(&d.id, "add_account")
	d.call(nil, "batch_set_config", d.id, map[string]string{"autorelay": "0", "stats_sending": "0"})
	return d
}

// devices sets up one device for each account of a relay.
func (c *core) devices(r *relay) []*device {
	c.t.Helper()
	var all []*device
	for _, a := range r.Accounts {
		all = append(all, c.device(r, a))
	}
	return all
}

// await takes the first event that match accepts, and waits for it if need be.
func (d *device) await(what string, match func(coreEvent) bool) coreEvent {
	d.t.Helper()
	late := time.After(patience)
	for {
		e, ok, more := d.take(d.id, match)
		if ok {
			return e
		}
		select {
		case <-more:
		case <-d.dead:
			d.t.Fatalf("device %d waits for %s: %v", d.id, what, errCoreEnded)
		case <-late:
			d.t.Fatalf("device %d: no %s within %v", d.id, what, patience)
		}
	}
}

// awaitKind is await for the next event of a kind.
func (d *device) awaitKind(kind string) coreEvent {
	d.t.Helper()
	return d.await(kind, func(e coreEvent) bool { return e.Kind == kind })
}

// awaitMsg is await for an event about one message.
func (d *device) awaitMsg(kind string, msg int) {
	d.t.Helper()
	d.await(kind, func(e coreEvent) bool { return e.Kind == kind && e.MsgID == msg })
}

// awaitDone waits until something with progress has come to its end. Progress 0
// is the core's word for an error.
func (d *device) awaitDone(kind string) {
	d.t.Helper()
	e := d.await(kind+" to end", func(e coreEvent) bool { return e.Kind == kind && (e.Progress == 0 || e.Progress == 1000) })
	if e.Progress == 0 {
		d.t.Fatalf("device %d: %s: %s", d.id, kind, e.Comment)
	}
}

func (d *device) goOnline() {
	d.t.Helper()
	d.call(nil, "start_io", d.id)
	d.awaitKind("ImapInboxIdle")
}

func (d *device) goOffline() {
	d.t.Helper()
	d.call(nil, "stop_io", d.id)
}

// join scans the invitation of another user, waits until each has verified the
// other's key, and returns the chat.
func (d *device) join(inviter *device) (chat int) {
	d.t.Helper()
	var qr string
	inviter.call(&qr, "get_chat_securejoin_qr_code", inviter.id, nil)
	d.call(&chat, "secure_join", d.id, qr)
	d.awaitDone("SecurejoinJoinerProgress")
	inviter.awaitDone("SecurejoinInviterProgress")
	return chat
}

// chatWith returns the chat with a user whom the device knows.
func (d *device) chatWith(peer *device) (chat int) {
	d.t.Helper()
	d.call(&chat, "create_chat_by_contact_id", d.id, d.contact(peer))
	return chat
}

func (d *device) contact(peer *device) int {
	d.t.Helper()
	var ids []int
	d.call(&ids, "get_contact_ids", d.id, 0, peer.user.Address)
	if len(ids) != 1 {
		d.t.Fatalf("device %d has %d contacts with the address of device %d, want 1", d.id, len(ids), peer.id)
	}
	return ids[0]
}

// write puts a text into a chat and returns its message, which is sent as soon
// as the device is online.
func (d *device) write(chat int, text string) (msg int) {
	d.t.Helper()
	d.call(&msg, "misc_send_text_message", d.id, chat, text)
	return msg
}

// receive waits for the next message that Delta Chat would notify its user of.
func (d *device) receive() chatMessage {
	d.t.Helper()
	return d.message(d.awaitKind("IncomingMsg").MsgID)
}

// receiveText is receive for a message that must have this text and must have
// been encrypted and signed.
func (d *device) receiveText(text string) chatMessage {
	d.t.Helper()
	m := d.receive()
	if m.Text != text {
		d.t.Fatalf("device %d received %q, want %q", d.id, m.Text, text)
	}
	if !m.ShowPadlock {
		d.t.Errorf("device %d received %q without a padlock", d.id, text)
	}
	return m
}

func (d *device) message(id int) (m chatMessage) {
	d.t.Helper()
	d.call(&m, "get_message", d.id, id)
	return m
}

// texts returns what people wrote in a chat, as it is shown, oldest first.
func (d *device) texts(chat int) []string {
	d.t.Helper()
	var ids []int
	d.call(&ids, "get_message_ids", d.id, chat, false, false)
	var texts []string
	for _, id := range ids {
		if m := d.message(id); !m.IsInfo {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// awaitText waits until a message that the user sent from another device is
// shown, of which the core tells without saying that it is new.
func (d *device) awaitText(text string) {
	d.t.Helper()
	changed := func(e coreEvent) bool { return e.Kind == "MsgsChanged" && e.MsgID != 0 }
	for {
		e := d.await("message "+text, changed)
		if d.message(e.MsgID).Text == text {
			return
		}
	}
}

// awaitShown waits until a message is shown, also one of somebody whom the user has
// not met.
func (d *device) awaitShown(text string) {
	d.t.Helper()
	news := func(e coreEvent) bool { return (e.Kind == "MsgsChanged" || e.Kind == "IncomingMsg") && e.MsgID != 0 }
	for {
		e := d.await("message "+text, news)
		if strings.Contains(d.message(e.MsgID).Text, text) {
			return
		}
	}
}

// secondDevice moves a copy of the account to a new device, by a backup file.
func (d *device) secondDevice() *device {
	d.t.Helper()
	second := d.blankDevice(d.user)
	second.call(nil, "import_backup", second.id, d.backup(nil), nil)
	second.goOnline()
	return second
}

// backup writes a backup, encrypted if the passphrase is a string, and returns its file.
func (d *device) backup(passphrase any) (file string) {
	d.t.Helper()
	dir := d.t.TempDir()
	d.call(nil, "export_backup", d.id, dir, passphrase)
	backups, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil || len(backups) != 1 {
		d.t.Fatalf("the backup is in the files %q, want one (%v)", backups, err)
	}
	return backups[0]
}
