//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/restante/restante/internal/addr"
)

// TestNeomuttWithoutGPG: neomutt, which is told nothing of OpenPGP, writes to and reads
// from a friend with Delta Chat, and a group with a second gateway in it.
func TestNeomuttWithoutGPG(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	r := start(t, "--accounts", "3")
	alice, carol := r.gatewayUser(t, r.Accounts[0]), r.gatewayUser(t, r.Accounts[2])
	bob := newCore(t).device(r, r.Accounts[1])
	carol.meet(alice)
	i, err := alice.Invite(t.Context(), "")
	must(t, err)
	var chat int
	bob.call(&chat, "secure_join", bob.id, i.Link())
	bob.awaitDone("SecurejoinJoinerProgress")
	_, err = alice.NewGroup(t.Context(), "Family", addr.MustParse(bob.user.Address), addr.MustParse(carol.user.Address))
	must(t, err)

	dir := t.TempDir()
	rc := alice.neomutt(dir)
	write := func(to, subject, text string) {
		t.Helper()
		file := write(t, dir, "text", text+"\n")
		writer := newTerminal(t, nil, fmt.Sprintf("neomutt -F %s -s '%s' -i %s %s", rc, subject, file, to))
		writer.await("y:Send")
		writer.keys("y")
		writer.awaitEnd()
	}
	write(bob.user.Address, "Re: us", "Dear Bob, this is neomutt.")
	bob.receiveText("Dear Bob, this is neomutt.")
	bob.write(chat, "Dear Alice, this is Delta Chat.")
	alice.await("INBOX", "this is Delta Chat")
	reader := newTerminal(t, nil, "neomutt -F "+rc)
	reader.await(bob.user.Address[:5])
	reader.keys("Enter")
	reader.await("Dear Alice, this is Delta Chat.")
	reader.keys("q", "q")
	reader.awaitEnd()

	write("family@group.local", "all", "Dear all, this is neomutt.")
	bob.inGroup("Dear all, this is neomutt.", "Family", 3)
	if to := carol.await("INBOX", "Dear all, this is neomutt.").Header.Get("To"); to != `"Family" <family@group.local>` {
		t.Errorf("Carol's client would answer %q", to)
	}
}

// neomutt writes a configuration without OpenPGP, for the gateway's two ports.
func (u *gatewayUser) neomutt(dir string) (file string) {
	u.t.Helper()
	user := url.QueryEscape(u.user.Address)
	local := account{Address: u.user.Address, Password: u.Local().Password}
	return neomuttrc(u.t, dir, local, "smtp://"+user+"@"+u.smtp+"/", "imap://"+user+"@"+u.imapAt+"/", `
set smtp_authenticators="plain"
set ssl_force_tls=no
set ssl_starttls=no
set crypt_use_gpgme=no
`)
}
