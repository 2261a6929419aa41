//go:build e2e

package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/restante/restante/gateway/deltachat"
)

// TestThunderbirdOneKey: one person reads one mail in Delta Chat, in Thunderbird, with gpg
// and through the gateway. The key comes out of a backup of Delta Chat's by `gateway key
// import`, which refuses one under a passphrase, and gets to the other programs by
// `gateway key export`; to a second Delta Chat too.
func TestThunderbirdOneKey(t *testing.T) {
	r := start(t, "--accounts", "3")
	anna, bobs := r.Accounts[0], r.Accounts[1]
	annas, g := newGnuPG(t, []account{anna}), newGnuPG(t, nil)
	c := newCore(t)
	bob := c.device(r, bobs)
	bob.staysAtRelay()
	bob.join(c.device(r, r.Accounts[2])) // with which it makes its key

	p := newGatewayProcess(t, bobs, r.IMAPS, r.SMTPS, r.CAFile)
	locked := p.command("key", "import", bob.backup("secret"))
	if out, err := locked.CombinedOutput(); err == nil || !strings.Contains(string(out), deltachat.ErrPassphrase.Error()) {
		t.Errorf("a backup under a passphrase: %v\n%s", err, out)
	}
	p.must("", "key", "import", bob.backup(nil))
	public, secret := p.export("key", "export"), p.export("key", "export", "--secret", "--without-passphrase")
	run(t, "", annas.env, "gpg", "--batch", "--quiet", "--import", public)
	run(t, "", g.env, "gpg", "--batch", "--quiet", "--import", secret)
	phone := c.blankDevice(bobs)
	phone.call(nil, "import_self_keys", phone.id, secret, nil)
	phone.configure(r)
	phone.staysAtRelay()
	b := newThunderbird(t, r, bobs)
	b.takes("takeKey", readFile(t, secret))
	b.takes("acceptKey", run(t, "", annas.env, "gpg", "--armor", "--export", anna.Address))

	const text = "One mail for all of my programs"
	cert := run(t, "", annas.env, "gpg", "--batch", "--export", "--export-options", "export-minimal", anna.Address)
	mail := "Autocrypt: addr=" + anna.Address + "; keydata=" + base64.StdEncoding.EncodeToString([]byte(cert)) + "\r\n" + // Delta Chat shows no mail of signers it can't know
		annas.discreet(t, anna, bobs, text)
	must(t, r.smtp(t, anna).SendMail(anna.Address, []string{bobs.Address}, strings.NewReader(mail)))
	bob.receiveText(text)
	phone.receiveText(text)
	b.read(anna, text, "message-signed-verified.svg")
	box, err := r.imap(t, bobs).Select("INBOX", nil).Wait()
	must(t, err)
	if got := r.awaitGPG(t, g, bobs, box.NumMessages).text; !strings.Contains(got, text) {
		t.Errorf("gpg reads %q, want %q in it", got, text)
	}
	p.start()
	defer p.kill()
	p.await("Requests", text) // to the gateway Anna is a stranger
}

// staysAtRelay has Delta Chat leave mail to the user's other devices.
func (d *device) staysAtRelay() { d.call(nil, "set_config", d.id, "bcc_self", "1") }

// takes gives Thunderbird a key.
func (b *thunderbird) takes(action, key string) {
	b.t.Helper()
	var fault string
	if b.act(&fault, action, key); fault != "" {
		b.t.Fatalf("%s: %s", action, fault)
	}
}

// export runs a command that writes a file.
func (p *gatewayProcess) export(args ...string) (file string) {
	p.t.Helper()
	file = filepath.Join(p.t.TempDir(), "exported")
	p.must("", append(args, "-o", file)...)
	return file
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return string(b)
}

// await waits until the mail client finds a mail with a text in it.
func (p *gatewayProcess) await(mailbox, text string) {
	p.t.Helper()
	c, err := imapclient.DialInsecure(p.at.IMAP, nil)
	must(p.t, err)
	defer c.Close()
	must(p.t, c.Login(p.at.User, p.at.Password).Wait())
	u := &gatewayUser{t: p.t, imap: c}
	late := time.After(patience)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		if _, ok := u.find(mailbox, text); ok {
			return
		}
		select {
		case <-look.C:
		case <-late:
			p.t.Fatalf("no mail with %q in %s within %v", text, mailbox, patience)
		}
	}
}
