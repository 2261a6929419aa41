//go:build e2e && linux

package e2e

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	_ "github.com/mattn/go-sqlite3"

	"github.com/restante/restante/mailbox/seal"
)

const markMemory = "markmemoryqzx"

// TestMemory reads the memory of a running relay, as a core dump would have it: after
// an account's last session no key, password or text of the account is left in it. That
// a minute is enough for it is the relay's schedule, which TestScrubSchedule holds to that
// (package mailbox); here the log says how long it took on this machine. While a session is open they are found, so the scan would find them.
// Key schedules of ciphers are out of its scope: they are not the keys as they stand
// in RFCs and files.
func TestMemory(t *testing.T) {
	t.Parallel()
	r, db := serveOne(t)
	alice := r.Accounts[0]
	mail := newGnuPG(t, r.Accounts).mail(t, alice, alice, markText)
	mail = messageID.ReplaceAllString(mail, "Message-ID: <"+markMemory+"@client.invalid>")
	s := r.smtp(t, alice)
	if err := send(s, alice.Address, alice.Address, mail); err != nil {
		t.Fatal(err)
	}
	s.Quit()
	c := r.imap(t, alice)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	whole := &imap.FetchOptions{Envelope: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
	if got, err := c.Fetch(imap.SeqSetNum(1), whole).Collect(); err != nil || len(got) != 1 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	needles := secretsOf(t, db, alice)
	if found := searchMemory(t, r.PID, needles); !strings.Contains(found, "root secret") {
		t.Errorf("with a session open the scan finds only %q: it would not find what is left either", found)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Fatal(err)
	}
	awaitForgotten(t, r.PID, needles)
}

// awaitForgotten waits until nothing of the needles is in a process's memory.
func awaitForgotten(t *testing.T, pid int, needles map[string][]byte) {
	t.Helper()
	ended := time.Now()
	late := time.After(5 * time.Minute)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		found := searchMemory(t, pid, needles)
		if found == "" {
			t.Logf("%v after the last session nothing is left", time.Since(ended).Round(time.Second))
			return
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("long after the last session the memory has %s", found)
		}
	}
}

// serveOne runs `restante serve`, unlike the demonstration a process that never knows
// a password but while it checks it, with one account. It returns the database too.
func serveOne(t *testing.T) (*relay, string) {
	t.Helper()
	return serveIn(t, t.TempDir(), binary(t), nil)
}

// serveOneAs is serveOne as another user, which takes root.
func serveOneAs(t *testing.T, uid uint32) (*relay, string) {
	t.Helper()
	dir, program := giveTo(t, int(uid))
	return serveIn(t, dir, program, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}})
}

// serveIn serves from a folder, as the user that attr says.
func serveIn(t *testing.T, work, program string, attr *syscall.SysProcAttr) (*relay, string) {
	t.Helper()
	dir := filepath.Join(work, "relay")
	config := write(t, work, "config.toml", fmt.Sprintf(`domain = "relay.test"
data_dir = %q
[listen]
smtps = { address = "127.0.0.1:0" }
submission = { address = "" }
mx = { address = "" }
imaps = { address = "127.0.0.1:0" }
imap = { address = "" }
https = { address = "" }
http = { address = "" }
`, dir))
	must(t, os.Chmod(config, 0o644))
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, append(args, "--config", config)...)
		cmd.SysProcAttr = attr
		return cmd
	}
	made, err := command("account", "new", "alice").CombinedOutput()
	password := regexp.MustCompile(`Password +(r1-[0-9a-z-]+)`).FindStringSubmatch(string(made))
	if password == nil {
		t.Fatalf("no password, %v, in\n%s", err, made)
	}
	logFile, err := os.Create(filepath.Join(work, "output"))
	if err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(work, "ready.json")
	r := &relay{cmd: command("serve", "--ready", ready), exited: make(chan error, 1), log: logFile, dir: dir}
	r.cmd.Stdout, r.cmd.Stderr = logFile, logFile
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.exited <- r.cmd.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	r.waitReady(t, ready)
	r.Accounts = []account{{"alice@relay.test", password[1]}}
	return r, filepath.Join(dir, "restante.db")
}

// secretsOf opens the account as its owner could with the database and the password,
// and returns what must not be in memory while he is away.
func secretsOf(t *testing.T, file string, a account) map[string][]byte {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	one := func(query string, dest ...any) {
		t.Helper()
		late := time.After(patience)
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for { // a session wraps keys again in the background
			err := db.QueryRow(query).Scan(dest...)
			if err == nil {
				return
			}
			if err != sql.ErrNoRows {
				t.Fatalf("%s: %v", query, err)
			}
			select {
			case <-look.C:
			case <-late:
				t.Fatalf("%s: %v", query, err)
			}
		}
	}
	var store, kdfBytes, wrapped, blob, key []byte
	var id, generation, credential, uid int64
	one(`SELECT store_id FROM meta`, &store)
	one(`SELECT account_id, generation FROM account_key`, &id, &generation)
	one(`SELECT credential_id, kdf, wrapped FROM credential WHERE kind = 0`, &credential, &kdfBytes, &wrapped)
	one(`SELECT blob_id, message.uid, key_ct FROM message JOIN sealed USING (account_id, mailbox_id, uid) WHERE stage = 1`, &blob, &uid, &key)
	kdf, err := seal.ParseKDF(kdfBytes)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := seal.ParseSecret(a.Password)
	if err != nil {
		t.Fatal(err)
	}
	factor, err := kdf.Secret(secret)
	if err != nil {
		t.Fatal(err)
	}
	owner := seal.Owner{Store: seal.StoreID(store), Account: id, Generation: uint32(generation)}
	root, err := factor.UnwrapRoot(owner, credential, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	message, err := root.Keys(owner).OpenKey1(seal.BlobID(blob), seal.Place{Mailbox: 1, UID: uint32(uid)}, key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"root secret": root[:], "mailbox key": mailboxKey(t, root[:]), "key of a message": message.DEK[:],
		"password": []byte(a.Password), "password without dashes": []byte(strings.ReplaceAll(a.Password, "-", "")),
		"header of a message": []byte(markMemory),
	}
}

// mailboxKey derives the key under which those of messages are wrapped (package seal).
func mailboxKey(t *testing.T, root []byte) []byte {
	t.Helper()
	extracted, err := hkdf.Extract(sha256.New, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hkdf.Expand(sha256.New, extracted, "restante/seal/1 mailbox", 32)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var mapping = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) rw`)

// searchMemory looks through all that a process can write to, and names what it
// finds. It takes the rights of a debugger: the process keeps others out.
func searchMemory(t *testing.T, pid int, needles map[string][]byte) string {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatalf("read the relay's memory (this takes root): %v", err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatalf("read the relay's memory (this takes root): %v", err)
	}
	defer mem.Close()
	var found []string
	for _, m := range mapping.FindAllStringSubmatch(string(maps), -1) {
		var low, high int64
		if _, err := fmt.Sscanf(m[1]+" "+m[2], "%x %x", &low, &high); err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(io.NewSectionReader(mem, low, high-low)) // guard pages can't be read
		for name, needle := range needles {
			if bytes.Contains(b, needle) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ", ")
}
