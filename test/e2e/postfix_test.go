//go:build e2e

package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"

	"github.com/restante/restante/test/nameserver"
)

// A postOffice is a Postfix with an OpenDKIM, as another server of a country: its
// domain is post.test, and everybody there but nobody has a mailbox. OpenDKIM checks
// what comes from other servers, and signs what our own client brings.
type postOffice struct {
	country *country
	dir     string
	ip      string
	milter  string
	log     string
}

// postfixMain is main.cf. Mail for the country's relays goes by TLS with the
// certificate checked.
const postfixMain = `compatibility_level = 3.6
myhostname = mx.post.test
mydestination =
mynetworks = 127.0.0.77/32
inet_interfaces = loopback-only
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file_prefixes = %[1]s
maillog_file = %[1]s/log
virtual_mailbox_domains = post.test
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ { zoe@post.test = zoe/ } { late@post.test = late/ } }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = inline:{ { late@post.test = error:5.2.1 moved away } { here.test = smtp:[%[4]s]:%[3]d } }
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_cert_file = %[5]s
smtpd_tls_key_file = %[6]s
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
smtp_tls_CAfile = %[7]s
smtp_tls_policy_maps = inline:{ { [%[4]s]:%[3]d = secure match=mx.here.test } }
smtpd_milters = inet:%[2]s
non_smtpd_milters = inet:%[2]s
internal_mail_filter_classes = bounce
alias_maps =
alias_database =
`

// postfixMaster is master.cf: the services that Postfix has, none of them in a chroot.
const postfixMaster = `%s:%d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`

// openPost starts the two, beside a town to which they find the way.
func (c *country) openPost(t *testing.T, town *town) *postOffice {
	t.Helper()
	need(t, "postfix", "postfix")
	opendkim := need(t, "opendkim", "opendkim")
	daemons := strings.TrimSpace(run(t, "", nil, "postconf", "-dh", "daemon_directory"))
	dir, err := os.MkdirTemp("", "post")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755)) // Postfix's programs are several users
	p := &postOffice{country: c, dir: dir, ip: "127.0.1.50", milter: freeAddress(t), log: filepath.Join(dir, "log")}
	p.makeFolders(t)
	cert, key := c.ca.issue(t, "mx.post.test")
	main := fmt.Sprintf(postfixMain, dir, p.milter, c.smtp, town.ip, copyInto(t, dir, cert), copyInto(t, dir, key), copyInto(t, dir, c.ca.file))
	write(t, dir, "main.cf", main)
	write(t, dir, "master.cf", fmt.Sprintf(postfixMaster, p.ip, c.smtp))
	for _, name := range []string{"main.cf", "master.cf"} {
		must(t, os.Chmod(filepath.Join(dir, name), 0o644))
	}
	c.dns.Load(t, fmt.Sprintf("post.test. 60 MX 10 mx.post.test.\nmx.post.test. 60 A %s\n", p.ip))
	p.startOpenDKIM(t, opendkim)
	p.startPostfix(t, filepath.Join(daemons, "master"))
	return p
}

// makeFolders makes what Postfix keeps mail in, as its own set-up does.
func (p *postOffice) makeFolders(t *testing.T) {
	t.Helper()
	make := func(mode os.FileMode, owner string, names ...string) {
		for _, name := range names {
			folder := filepath.Join(p.dir, name)
			must(t, os.MkdirAll(folder, mode))
			run(t, "", nil, "chown", owner, folder)
		}
	}
	make(0o755, "root", "queue", "queue/pid")
	make(0o755, "nobody", "mail", "mail/zoe")
	make(0o700, "postfix", "data")
	for _, name := range strings.Fields("incoming active deferred defer bounce corrupt hold flush saved trace private maildrop public") {
		make(0o700, "postfix", "queue/"+name)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func copyInto(t *testing.T, dir, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return write(t, dir, filepath.Base(file), string(text))
}

// startOpenDKIM makes a key for post.test, publishes it, and hands OpenDKIM what our
// name server has for here.test.
func (p *postOffice) startOpenDKIM(t *testing.T, program string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	secret := write(t, p.dir, "dkim.key", encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)))
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	text := "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
	p.country.dns.Load(t, fmt.Sprintf("p1._domainkey.post.test. 60 TXT %q %q\n", text[:200], text[200:]))
	host, port, err := net.SplitHostPort(p.milter)
	must(t, err)
	conf := write(t, p.dir, "opendkim.conf", fmt.Sprintf("Socket inet:%s@%s\nMode sv\nDomain post.test\nSelector p1\nKeyFile %s\nTestPublicKeys %s\n"+
		"InternalHosts %s\nAlwaysAddARHeader yes\nRequireSafeKeys no\nAuthservID mx.post.test\nSyslog no\n",
		port, host, secret, write(t, p.dir, "keys", dkimKeys(p.country.dns)), write(t, p.dir, "internal", clientIP+"\n")))
	p.background(t, exec.Command(program, "-f", "-x", conf))
	eventually(t, "OpenDKIM listens", func() bool { return isOpen(p.milter) })
}

func (p *postOffice) startPostfix(t *testing.T, program string) {
	t.Helper()
	p.background(t, exec.Command(program, "-c", p.dir, "-s"))
	eventually(t, "Postfix listens", func() bool { return isOpen(fmt.Sprintf("%s:%d", p.ip, p.country.smtp)) })
}

// background runs a program until the test ends. Each ends those that it started.
func (p *postOffice) background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // by a signal
		if text, err := os.ReadFile(p.log); err == nil && t.Failed() {
			t.Logf("Postfix's log:\n%s", text)
		}
	})
}

func isOpen(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// dkimKeys lists the keys of a zone as OpenDKIM's TestPublicKeys takes them.
func dkimKeys(n *nameserver.Server) string {
	var b strings.Builder
	for _, rr := range n.Records() {
		if txt, ok := rr.(*dns.TXT); ok && strings.Contains(rr.Header().Name, "._domainkey.") {
			fmt.Fprintf(&b, "%s %s\n", strings.TrimSuffix(rr.Header().Name, "."), strings.Join(txt.Txt, ""))
		}
	}
	return b.String()
}

// mails reads zoe's mailbox.
func (p *postOffice) mails(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "mail", "zoe", "new", "*"))
	must(t, err)
	var mails []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		mails = append(mails, string(text))
	}
	return mails
}

// bring submits a mail of zoe's.
func (p *postOffice) bring(t *testing.T, to, mail string) {
	t.Helper()
	c, err := smtp.NewClientStartTLS(dial(t, fmt.Sprintf("%s:%d", p.ip, p.country.smtp)), p.country.ca.client("mx.post.test"))
	must(t, err)
	defer c.Close()
	must(t, send(c, "zoe@post.test", to, mail))
}

// TestPostfix exchanges mail with Postfix, both ways and under checked TLS: OpenDKIM
// finds our signatures good and we find its, and both tell of mail that nobody takes.
func TestPostfix(t *testing.T) {
	t.Parallel()
	c := newCountry(t)
	here := c.found(t, "here.test", "")
	here.straight(t)
	post := c.openPost(t, here)
	alice, zoe := here.citizen(t, "alice"), account{Address: "zoe@post.test"}
	g := newGnuPG(t, []account{alice, zoe})
	client := here.smtp(t, alice)

	letter := g.discreet(t, alice, zoe, "to Postfix")
	must(t, send(client, alice.Address, zoe.Address, letter))
	eventually(t, "zoe has her mail", func() bool { return len(post.mails(t)) == 1 })
	got := post.mails(t)[0]
	for _, want := range []string{"dkim=pass", "header.d=here.test", "TLSv1.3"} {
		if !strings.Contains(got, want) {
			t.Errorf("what Postfix has lacks %q:\n%s", want, got)
		}
	}
	if text := g.decrypt(t, got); !strings.Contains(text, "to Postfix") {
		t.Errorf("zoe reads %q", text)
	}

	post.bring(t, alice.Address, g.discreet(t, zoe, alice, "from Postfix"))
	eventually(t, "alice has her mail", func() bool { return inboxSize(t, here.relay, alice) == 1 })

	// One is refused at once and the other later, and alice hears of both.
	for i, nobody := range []string{"nobody@post.test", "late@post.test"} {
		must(t, send(client, alice.Address, nobody, strings.ReplaceAll(letter, "<TestPostfix@", fmt.Sprintf("<%d@", i))))
		eventually(t, "alice has a report of "+nobody, func() bool { return inboxSize(t, here.relay, alice) == uint32(i+2) })
	}
	post.bring(t, "nobody@here.test", g.discreet(t, zoe, alice, "to nobody"))
	eventually(t, "zoe has a report", func() bool { return len(post.mails(t)) == 2 })
	if report := strings.Join(post.mails(t), ""); !strings.Contains(report, "550 5.1.1 There is no such mailbox here") {
		t.Errorf("zoe's report does not say what was wrong:\n%s", report)
	}
}
