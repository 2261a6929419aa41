//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
	"github.com/restante/restante/test/socks"
)

// phoneUser is a gateway at home that lets a phone in, and what the phone was told.
type phoneUser struct {
	*gatewayProcess
	password string
	ca       string // a file
	proxy    string // on the way to it; "" is none
	imaps    string // host:port, by the name that the phone knows
	smtps    string
}

var devicePassword = regexp.MustCompile(`(?m)^Password +(r1-\S+)$`)

// letIn has a gateway that does not run let a phone in at an address, under a name, and
// starts it. A server of a port 0 gets any.
func (p *gatewayProcess) letIn(address, host string) *phoneUser {
	p.t.Helper()
	p.must("", "device", "listen", address, "--host", host, "--imap-port", "0", "--smtp-port", "0", "--setup-port", "0")
	p.start()
	p.t.Cleanup(p.kill)
	u := &phoneUser{gatewayProcess: p, ca: write(p.t, p.t.TempDir(), "ca.pem", p.at.Phones.CA)}
	_, imap := hostPort(p.t, p.at.Phones.IMAP)
	_, smtp := hostPort(p.t, p.at.Phones.SMTP)
	u.imaps, u.smtps = fmt.Sprintf("%s:%d", host, imap), fmt.Sprintf("%s:%d", host, smtp)
	u.add("phone")
	return u
}

// add gives another device a password, which is the phone's from now on.
func (u *phoneUser) add(name string) {
	u.t.Helper()
	out := run(u.t, "", u.env, binary(u.t), "gateway", "--dir", u.dir, "device", "add", name)
	found := devicePassword.FindStringSubmatch(out)
	if found == nil {
		u.t.Fatalf("device add says no password:\n%s", out)
	}
	u.password = found[1]
}

// curl uses curl as the phone's mail program, with the gateway's authority and no other.
func (u *phoneUser) curl(args ...string) (string, error) {
	u.t.Helper()
	common := []string{"--silent", "--show-error", "--max-time", "60", "--cacert", u.ca, "--user", u.at.User + ":" + u.password}
	if u.proxy != "" {
		common = append(common, "--proxy", u.proxy)
	}
	return try(u.t, "", nil, "curl", append(common, args...)...)
}

// write sends a mail.
func (u *phoneUser) write(to, text string) error {
	file := write(u.t, u.t.TempDir(), "mail", fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: on the way\r\nDate: %s\r\n\r\n%s\r\n",
		u.at.User, to, time.Now().Format(time.RFC1123Z), text))
	out, err := u.curl("--verbose", "--mail-from", u.at.User, "--mail-rcpt", to, "--upload-file", file, "smtps://"+u.smtps)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// read waits for a mail with a text and returns it.
func (u *phoneUser) read(text string) string {
	u.t.Helper()
	late := time.After(patience)
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		found, err := u.curl("imaps://"+u.imaps+"/INBOX", "--request", fmt.Sprintf("UID SEARCH TEXT %q", text))
		if err != nil {
			u.t.Fatalf("search: %v\n%s", err, found)
		}
		if uids := strings.Fields(found); len(uids) > 2 { // "* SEARCH n"
			mail, err := u.curl("imaps://" + u.imaps + "/INBOX;UID=" + uids[2])
			must(u.t, err)
			return mail
		}
		select {
		case <-look.C:
		case <-late:
			u.t.Fatalf("no mail with %q came", text)
		}
	}
}

// refused fails the test unless curl ends with a code of its own (curl's manual page,
// EXIT CODES): 60, the certificate is of nobody that it trusts; 67, the login was denied.
func (u *phoneUser) refused(what string, code int, args ...string) {
	u.t.Helper()
	for _, server := range []string{"imaps://" + u.imaps + "/INBOX", "smtps://" + u.smtps} {
		out, err := u.curl(append(args, server)...)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("exit status %d", code)) {
			u.t.Errorf("%s at %s: got %v, want exit status %d\n%s", what, server, err, code, out)
		}
	}
}

// phoneFriends are a gateway that does not run yet, and a friend who has its key and
// whose key it has; and the file of an authority that has nothing to do with either.
func phoneFriends(t *testing.T) (p *gatewayProcess, friend *gatewayUser, otherCA string) {
	t.Helper()
	need(t, "curl", "curl")
	r := start(t)
	p = newGatewayProcess(t, r.Accounts[0], r.IMAPS, r.SMTPS, r.CAFile)
	friend = r.gatewayUser(t, r.Accounts[1])
	p.must("", "accept", write(t, t.TempDir(), "friend.asc", string(friend.Identity().Current.Cert().Armor())), "--address", r.Accounts[1].Address)
	cert, err := pgp.ParseCert([]byte(run(t, "", p.env, binary(t), "gateway", "--dir", p.dir, "key", "export")))
	must(t, err)
	must(t, friend.Contacts().Import(addr.MustParse(r.Accounts[0].Address), cert, time.Now()))
	return p, friend, r.CAFile
}

// TestGatewayPhone: from another address of the machine curl and neomutt write and read
// through the gateway at home, with a password of the device's own and under the gateway's
// authority. Who has another authority, or a password that was revoked, gets nothing.
func TestGatewayPhone(t *testing.T) {
	t.Parallel()
	need(t, "neomutt", "neomutt")
	p, friend, otherCA := phoneFriends(t)
	u := p.letIn("127.0.0.2", "127.0.0.2")
	must(t, u.write(friend.user.Address, "said by curl on a phone"))
	friend.await("INBOX", "said by curl on a phone")
	friend.send([]string{u.at.User}, "Subject: where are you?\r\n", "asked at home")
	if mail := u.read("asked at home"); !strings.Contains(mail, "Subject: where are you?") || strings.Contains(mail, "BEGIN PGP") {
		t.Errorf("the phone reads\n%s", mail)
	}
	if err := u.write("stranger@nowhere.test", "to somebody without a key"); err == nil || !strings.Contains(err.Error(), "523 5.7.10") {
		t.Errorf("mail to somebody without a key: got %v", err)
	}

	rc := u.neomutt(t.TempDir())
	reader := newTerminal(t, nil, "neomutt -F "+rc)
	reader.await("where are you?")
	reader.keys("Enter")
	reader.await("asked at home")
	reader.keys("q", "q")
	reader.awaitEnd()
	writer := newTerminal(t, nil, fmt.Sprintf("neomutt -F %s -s hello -i %s %s", rc, write(t, t.TempDir(), "text", "said by neomutt on a phone\n"), friend.user.Address))
	writer.await("y:Send")
	writer.keys("y")
	writer.awaitEnd()
	friend.await("INBOX", "said by neomutt on a phone")

	u.refused("an authority of somebody else", 60, "--cacert", otherCA)
	old := *u
	u.add("tablet")
	p.must("", "device", "revoke", "phone")
	old.refused("a revoked password", 67)
	u.read("asked at home")
	old.password = "r1-" + strings.Repeat("a", 30)
	old.refused("a wrong password", 67)
}

// TestGatewayPhoneOnion: the same by an onion name, which only the proxy knows, under a
// certificate for that name.
func TestGatewayPhoneOnion(t *testing.T) {
	t.Parallel()
	p, friend, _ := phoneFriends(t)
	onion := strings.Repeat("restante", 7) + ".onion"
	u := p.letIn("127.0.0.1", onion)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	tor := socks.Serve(t, ln, func(target string) string {
		if host, port, err := net.SplitHostPort(target); err == nil && host == onion {
			return net.JoinHostPort("127.0.0.1", port)
		}
		return ""
	})
	u.proxy = "socks5h://" + tor.Address
	must(t, u.write(friend.user.Address, "said through the onion"))
	friend.await("INBOX", "said through the onion")
	friend.send([]string{u.at.User}, "Subject: back\r\n", "answered through the onion")
	u.read("answered through the onion")
	for _, want := range []string{u.imaps, u.smtps} {
		if !slices.Contains(tor.Asked(), want) {
			t.Errorf("the proxy was not asked for a port of the onion name: %q", tor.Asked())
		}
	}
	// Another name leads to the same ports, and the certificate is not for it.
	u.proxy, u.imaps, u.smtps = "", strings.Replace(u.imaps, onion, "127.0.0.1", 1), strings.Replace(u.smtps, onion, "127.0.0.1", 1)
	u.refused("another name", 60)
}

// neomutt writes a configuration for the two ports with TLS.
func (u *phoneUser) neomutt(dir string) (file string) {
	user := url.QueryEscape(u.at.User)
	return neomuttrc(u.t, dir, account{Address: u.at.User, Password: u.password}, "smtps://"+user+"@"+u.smtps+"/", "imaps://"+user+"@"+u.imaps+"/", `
set certificate_file=`+u.ca+`
set ssl_verify_host=yes
set smtp_authenticators="plain"
set crypt_use_gpgme=no
`)
}
