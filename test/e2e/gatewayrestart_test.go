//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// gatewayProcess is `restante gateway`, as a user has it.
type gatewayProcess struct {
	t   *testing.T
	dir string
	env []string

	cmd *exec.Cmd
	at  gatewayAt
}

// gatewayAt is what a gateway's ready file says.
type gatewayAt struct {
	IMAP     string `json:"imap"`
	SMTP     string `json:"smtp"`
	User     string `json:"user"`
	Password string `json:"password"`
	Page     string `json:"page"`

	Phones struct {
		IMAP  string `json:"imap"`
		SMTP  string `json:"smtp"`
		Setup string `json:"setup"`
		CA    string `json:"ca"`
	} `json:"phones"`
}

// newGatewayProcess sets a gateway up for an account whose servers are at these addresses.
func newGatewayProcess(t *testing.T, a account, imaps, smtps, ca string) *gatewayProcess {
	t.Helper()
	dir := t.TempDir()
	p := &gatewayProcess{t: t, dir: filepath.Join(dir, "gateway")}
	p.env = append(os.Environ(), "HOME="+dir, "RESTANTE_PASSPHRASE_FILE="+write(t, dir, "passphrase", "some words of nonsense\n"))
	p.must(a.Password+"\n", "init", a.Address, "--password-stdin", "--imap", imaps, "--smtp", smtps, "--ca", ca, "--no-wkd",
		"--listen-imap", "127.0.0.1:0", "--listen-smtp", "127.0.0.1:0")
	return p
}

func (p *gatewayProcess) command(args ...string) *exec.Cmd {
	c := exec.Command(binary(p.t), append([]string{"gateway", "--dir", p.dir}, args...)...)
	c.Env = p.env
	return c
}

// must runs a command to its end.
func (p *gatewayProcess) must(stdin string, args ...string) {
	p.t.Helper()
	c := p.command(args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		p.t.Fatalf("restante gateway %s: %v\n%s", args[0], err, out)
	}
}

// start runs the gateway and waits until it listens.
func (p *gatewayProcess) start() {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "ready.json")
	p.cmd = p.command("run", "--ready", file)
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, os.Stderr
	must(p.t, p.cmd.Start())
	late := time.After(patience)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if b, err := os.ReadFile(file); err == nil {
			must(p.t, json.Unmarshal(b, &p.at))
			return
		}
		select {
		case <-look.C:
		case <-late:
			p.kill()
			p.t.Fatal("the gateway is not ready")
		}
	}
}

// kill ends it as a crash would.
func (p *gatewayProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// submit sends a mail as the user's mail client.
func (p *gatewayProcess) submit(to, id, text string) error {
	host, _ := hostPort(p.t, p.at.SMTP)
	msg := fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: hello\r\nMessage-ID: <%s@client.test>\r\nDate: %s\r\n\r\n%s\r\n",
		p.at.User, to, id, time.Now().Format(time.RFC1123Z), text)
	return smtp.SendMail(p.at.SMTP, smtp.PlainAuth("", p.at.User, p.at.Password, host), p.at.User, []string{to}, []byte(msg))
}

// doorway is an address that stays the same while the server behind it comes and goes.
type doorway struct {
	addr string

	mu    sync.Mutex
	to    string // "": nobody is there
	conns map[net.Conn]bool
}

func newDoorway(t *testing.T, to string) *doorway {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	f := &doorway{addr: ln.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { f.carry(near) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		f.lead("")
		running.Wait()
	})
	return f
}

// lead puts another server behind it, or none. What is open ends.
func (f *doorway) lead(to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = to
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

// dial reaches the server that is there now, and keeps both connections for lead to end.
func (f *doorway) dial(near net.Conn) (far net.Conn, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if far, err = net.Dial("tcp", f.to); err == nil {
		f.conns[near], f.conns[far] = true, true
	}
	return far, err
}

func (f *doorway) carry(near net.Conn) {
	defer near.Close()
	far, err := f.dial(near)
	if err != nil {
		return
	}
	defer far.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, near); far.Close() })
	_, _ = io.Copy(near, far)
	near.Close()
	both.Wait()
}

// TestGatewayRestarts: while a mail client sends one mail after another, the relay is killed and comes back, and so is
// the gateway. Every mail that the gateway took arrives, encrypted and signed, once.
func TestGatewayRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startIn(t, dir)
	alice, bob := r.Accounts[0], r.Accounts[1]
	imaps, smtps := newDoorway(t, r.IMAPS), newDoorway(t, r.SMTPS)
	p := newGatewayProcess(t, alice, imaps.addr, smtps.addr, r.CAFile)
	key, err := pgp.Generate(addr.MustParse(bob.Address), pgp.KeyOptions{})
	must(t, err)
	p.must("", "accept", write(t, t.TempDir(), "bob.asc", string(key.Cert().Armor())), "--address", bob.Address)

	var taken []string
	send := func(n int) {
		t.Helper()
		for range n {
			id := fmt.Sprintf("mail-%d.", len(taken)+1)
			if err := p.submit(bob.Address, id, "this is "+id); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			taken = append(taken, id)
		}
	}
	p.start()
	send(8)
	r.kill(t) // in the midst of it
	imaps.lead("")
	smtps.lead("")
	send(8) // the gateway takes them all the same
	p.kill()
	p.sealed(map[string]string{
		"a text": "this is mail-", "a subject": "Subject: hello", "a Message-ID": "@client.test", "the sender": alice.Address, "a recipient": bob.Address,
		"the account's password": alice.Password, "the mail client's password": p.at.Password, "a key": "BEGIN PGP",
	})
	p.start()
	send(8)
	r = startIn(t, dir)
	imaps.lead(r.IMAPS)
	smtps.lead(r.SMTPS)
	send(8)
	p.kill()
	p.start()
	defer p.kill()

	got := r.awaitMails(t, bob, key, len(taken))
	for _, id := range taken {
		if got[id] != 1 {
			t.Errorf("%s arrived %d times", id, got[id])
		}
	}
}

// sealed looks for markers in what a gateway that was killed has left in its folder. A
// control shows that they would be found.
func (p *gatewayProcess) sealed(markers map[string]string) {
	p.t.Helper()
	for _, found := range scan(p.t, markers, p.dir) {
		p.t.Errorf("after the crash there is %s", found)
	}
	var all []string
	for _, text := range markers {
		all = append(all, text)
	}
	control := p.t.TempDir()
	write(p.t, control, "control", strings.Join(all, "\n"))
	if found := scan(p.t, markers, control); len(found) != len(markers) {
		p.t.Errorf("the scan finds %q only of %d markers in clear", found, len(markers))
	}
	if info, err := os.Stat(filepath.Join(p.dir, "mail.db")); err != nil || info.Size() == 0 {
		p.t.Errorf("there is no store that could have been looked at: %v", err)
	}
}

var mailWord = regexp.MustCompile(`this is (mail-\d+\.)`)

// awaitMails waits until an account has n mails that somebody encrypted and signed, and returns how often each is there.
// Servers that were down are tried again after longer and longer pauses, so that its patience is greater than others'.
func (r *relay) awaitMails(t *testing.T, a account, key *pgp.Key, n int) map[string]int {
	t.Helper()
	c := r.imap(t, a)
	late := time.After(5 * patience)
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		box, err := c.Select("INBOX", nil).Wait()
		must(t, err)
		if int(box.NumMessages) >= n {
			break
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("%d mails arrived, want %d", box.NumMessages, n)
		}
	}
	whole := &imap.FetchItemBodySection{}
	list, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	must(t, err)
	got := map[string]int{}
	for _, m := range list {
		var text bytes.Buffer
		opened, err := pgp.Open(&text, bytes.NewReader(m.FindBodySection(whole)), pgp.DecryptOptions{Keys: []*pgp.Key{key}})
		must(t, err)
		if opened.Signature == pgp.Unsigned {
			t.Errorf("a mail is not signed")
		}
		if word := mailWord.FindStringSubmatch(text.String()); word != nil {
			got[word[1]]++
		}
	}
	return got
}
