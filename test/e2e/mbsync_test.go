//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// TestMbsync syncs a Maildir both ways with a mailbox that another session has
// selected: new mail down and up, flags, new folders, moves and expunges on either side.
func TestMbsync(t *testing.T) {
	t.Parallel()
	need(t, "mbsync", "isync libsasl2-modules")
	r := start(t)
	alice, bob := r.Accounts[0], r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	m := newMbsync(t, r, bob)

	for i := range 4 {
		submit(t, r, alice, bob, g.mail(t, alice, bob, fmt.Sprintf("letter %d", i)))
	}
	w := watch(t, r, bob, "INBOX")
	m.sync(t)
	inbox := m.list(t, "INBOX")
	if len(inbox) != 4 {
		t.Fatalf("the Maildir has %d messages, want 4", len(inbox))
	}
	mail, err := os.ReadFile(inbox[0])
	if err != nil {
		t.Fatal(err)
	}
	if text := g.decrypt(t, string(mail)); !strings.Contains(text, "letter") {
		t.Errorf("decrypted %q", text)
	}

	// Locally: one message read and flagged, one deleted, one moved, one added elsewhere.
	m.setFlags(t, inbox[0], "FS")
	m.setFlags(t, inbox[1], "ST")
	base, _, _ := strings.Cut(filepath.Base(inbox[2]), ",") // what follows is the UID in INBOX
	if err := os.Rename(inbox[2], filepath.Join(m.path("Archive", "new"), base)); err != nil {
		t.Fatal(err)
	}
	write(t, m.path("Letters", "new"), "1.local", g.mail(t, bob, bob, "written offline"))
	for _, d := range []string{"cur", "tmp"} {
		if err := os.MkdirAll(m.path("Letters", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.sync(t)
	w.wait("a sync", "flags and two expunges", func() bool {
		news := w.told()
		return strings.Contains(news, `\Flagged \Seen`) && strings.Count(news, "gone") == 2
	})
	if got := imapFlags(t, r, bob, "INBOX"); !slices.Equal(got, []string{"", `\Flagged \Seen`}) {
		t.Errorf("flags on the server: %q", got)
	}
	if got := imapFlags(t, r, bob, "Letters"); len(got) != 1 {
		t.Errorf("the folder made locally has %d messages on the server, want 1", len(got))
	}

	if got := imapFlags(t, r, bob, "Archive"); len(got) != 1 {
		t.Errorf("the folder moved to has %d messages on the server, want 1", len(got))
	}

	// On the server: one message moved, then everything in INBOX deleted.
	_, err = w.Move(imap.SeqSetNum(1), "Archive").Wait()
	w.must(err)
	m.sync(t)
	if here, there := len(m.list(t, "INBOX")), len(m.list(t, "Archive")); here != 1 || there != 2 {
		t.Errorf("after a move on the server the Maildir has %d and %d messages, want 1 and 2", here, there)
	}
	imapDo(t, r, bob, `imap.select("INBOX"); imap.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)"); imap.expunge()`)
	m.sync(t)
	if left := m.list(t, "INBOX"); len(left) != 0 {
		t.Errorf("expunged on the server but still in the Maildir: %q", left)
	}
}

// mbsync is a Maildir and the configuration that syncs it.
type mbsync struct{ dir, rc string }

func newMbsync(t *testing.T, r *relay, a account) mbsync {
	t.Helper()
	dir := t.TempDir()
	_, port := hostPort(t, r.IMAPS)
	rc := write(t, dir, "mbsyncrc", fmt.Sprintf(`IMAPAccount relay
Host localhost
Port %d
User %s
Pass %s
AuthMechs SCRAM-SHA-256
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account relay

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`, port, a.Address, a.Password, r.CAFile, dir, dir))
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	return mbsync{dir, rc}
}

func (m mbsync) path(folder ...string) string {
	return filepath.Join(append([]string{m.dir, "mail"}, folder...)...)
}

func (m mbsync) sync(t *testing.T) {
	t.Helper()
	run(t, "", []string{"HOME=" + m.dir}, "mbsync", "--config", m.rc, "--all")
}

// list returns the messages of a local folder.
func (m mbsync) list(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	for _, d := range []string{"new", "cur"} {
		files, err := filepath.Glob(filepath.Join(m.path(folder, d), "*"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

// setFlags gives a Maildir message the flags, as a mail reader does.
func (m mbsync) setFlags(t *testing.T, file, flags string) {
	t.Helper()
	base, _, _ := strings.Cut(filepath.Base(file), ":2,")
	dest := filepath.Join(filepath.Dir(filepath.Dir(file)), "cur", base+":2,"+flags)
	if err := os.Rename(file, dest); err != nil {
		t.Fatal(err)
	}
}
