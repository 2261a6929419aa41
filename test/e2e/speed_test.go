//go:build e2e && speed

package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// speedMails is how many messages of about 4 KiB the measurements take.
const speedMails = 2000

// speedText is what makes a message of that size: gpg would compress a repetition.
func speedText() string {
	var b strings.Builder
	for range 130 {
		b.WriteString(rand.Text())
	}
	return b.String()
}

// TestSpeedRelays measures mail from one relay to another: 16 clients submit, and the
// clock runs until the last message is in the mailbox on the other side.
//
//	go test -tags 'e2e speed' -run Speed -v ./test/e2e
func TestSpeedRelays(t *testing.T) {
	c := newCountry(t)
	here, there := c.found(t, "here.test", "[limits]\ncommand_rate = 1000000\n"), c.found(t, "there.test", "[limits]\ncommand_rate = 1000000\nmails_per_domain = 1000000\nmails_per_network = 1000000\n")
	there.straight(t)
	alice, bob := here.citizen(t, "alice"), there.citizen(t, "bob")
	body := newGnuPG(t, []account{alice, bob}).discreet(t, alice, bob, speedText())
	start := time.Now()
	var sending sync.WaitGroup
	for i := range 16 {
		client := here.smtp(t, alice)
		sending.Go(func() {
			for n := range speedMails / 16 {
				mail := messageID.ReplaceAllString(body, fmt.Sprintf("Message-ID: <%d.%d@speed.invalid>", i, n))
				if err := send(client, alice.Address, bob.Address, mail); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	sending.Wait()
	submitted := time.Since(start)
	eventually(t, "all is there", func() bool { return inboxSize(t, there.relay, bob) == speedMails })
	all := time.Since(start)
	t.Logf("%d bytes each: submitted at %.0f/s, there at %.0f/s", len(body), speedMails/submitted.Seconds(), speedMails/all.Seconds())
}

// speedMain is main.cf of a Postfix that passes everything on.
const speedMain = `compatibility_level = 3.6
myhostname = mx.post.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file_prefixes = %[1]s
maillog_file = %[1]s/log
transport_maps = inline:{ { sink.test = smtp:[127.0.0.1]:%[2]s } }
relay_domains = sink.test
alias_maps =
alias_database =
`

// TestSpeedPostfix measures the same of Postfix, without TLS, logins, signatures,
// sealing or a mailbox, which its tools smtp-source and smtp-sink don't have.
func TestSpeedPostfix(t *testing.T) {
	source, sink := need(t, "smtp-source", "postfix"), need(t, "smtp-sink", "postfix")
	at := freeAddress(t)
	cmd := exec.Command(sink, "-u", "nobody", at, "256")
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // by a signal
	})
	p := newCountry(t).openSpeedPost(t, at)
	start := time.Now()
	run(t, "", nil, source, "-s", "16", "-m", fmt.Sprint(speedMails), "-l", "4096", "-f", "a@here.test", "-t", "b@sink.test", fmt.Sprintf("%s:%d", p.ip, p.country.smtp))
	submitted := time.Since(start)
	eventually(t, "the queue is empty", func() bool { return p.queued(t) == 0 })
	all := time.Since(start)
	t.Logf("submitted at %.0f/s, there at %.0f/s", speedMails/submitted.Seconds(), speedMails/all.Seconds())
}

// openSpeedPost starts a Postfix that passes everything on to an address.
func (c *country) openSpeedPost(t *testing.T, sink string) *postOffice {
	t.Helper()
	dir, err := os.MkdirTemp("", "post")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	p := &postOffice{country: c, dir: dir, ip: "127.0.1.51", log: filepath.Join(dir, "log")}
	p.makeFolders(t)
	_, port, _ := strings.Cut(sink, ":")
	write(t, dir, "main.cf", fmt.Sprintf(speedMain, dir, port))
	write(t, dir, "master.cf", fmt.Sprintf(postfixMaster, p.ip, c.smtp))
	for _, name := range []string{"main.cf", "master.cf"} {
		must(t, os.Chmod(filepath.Join(dir, name), 0o644))
	}
	daemons := strings.TrimSpace(run(t, "", nil, "postconf", "-dh", "daemon_directory"))
	p.startPostfix(t, filepath.Join(daemons, "master"))
	return p
}

// queued counts the files of Postfix's queue.
func (p *postOffice) queued(t *testing.T) (n int) {
	t.Helper()
	for _, folder := range []string{"maildrop", "incoming", "active", "deferred"} {
		err := filepath.WalkDir(filepath.Join(p.dir, "queue", folder), func(_ string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				n++
			}
			return nil // it was delivered meanwhile
		})
		must(t, err)
	}
	return n
}
