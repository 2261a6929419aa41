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

// fill submits letters to an account.
func fill(t *testing.T, r *relay, g gnupg, to account, n int) {
	t.Helper()
	for i := range n {
		submit(t, r, r.Accounts[0], to, g.mail(t, r.Accounts[0], to, fmt.Sprintf("letter %d", i+1)))
	}
}

// TestImapclient has go-imap's client flag, move and expunge what another session of
// it has selected.
func TestImapclient(t *testing.T) {
	t.Parallel()
	r := start(t)
	bob := r.Accounts[1]
	fill(t, r, newGnuPG(t, r.Accounts), bob, 3)
	w, c := watch(t, r, bob, "INBOX"), watch(t, r, bob, "INBOX")
	set := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, "$Work"}}
	_, err := c.Store(imap.UIDSetNum(1), set, nil).Collect()
	c.must(err)
	w.want("STORE", `1 $Work \Flagged`)
	_, err = c.Move(imap.UIDSetNum(2), "Archive").Wait()
	c.must(err)
	w.want("MOVE", "2 gone")
	_, err = c.Store(imap.UIDSetNum(3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Collect()
	c.must(err)
	w.want("STORE", `2 \Deleted`)
	_, err = c.UIDExpunge(imap.UIDSetNum(3)).Collect()
	c.must(err)
	w.want("EXPUNGE", "2 gone")
	if got := imapFlags(t, r, bob, "Archive"); len(got) != 1 {
		t.Errorf("Archive has %d messages, want 1", len(got))
	}
}

// TestCurlSession gives curl a session's commands, each on a connection of its own.
func TestCurlSession(t *testing.T) {
	t.Parallel()
	need(t, "curl", "curl")
	r := start(t)
	bob := r.Accounts[1]
	g := newGnuPG(t, r.Accounts)
	fill(t, r, g, bob, 3)
	w := watch(t, r, bob, "INBOX")
	curl := func(args ...string) string {
		args = append([]string{"--silent", "--show-error", "--cacert", r.CAFile, "--user", bob.Address + ":" + bob.Password}, args...)
		return run(t, "", nil, "curl", args...)
	}
	inbox := "imaps://" + r.IMAPS + "/INBOX"
	if got := curl("imaps://" + r.IMAPS + "/"); !strings.Contains(got, `"/" INBOX`) {
		t.Errorf("the list of mailboxes: %q", got)
	}
	curl(inbox, "--request", `UID STORE 1 +FLAGS (\Flagged)`)
	w.want("STORE", `1 \Flagged`)
	curl(inbox, "--request", "UID MOVE 2 Archive")
	w.want("MOVE", "2 gone")
	curl(inbox, "--request", `UID STORE 3 +FLAGS.SILENT (\Deleted)`)
	w.want("STORE", `2 \Deleted`)
	curl(inbox, "--request", "EXPUNGE")
	w.want("EXPUNGE", "2 gone")
	curl(inbox, "--upload-file", write(t, t.TempDir(), "mail.eml", g.mail(t, bob, bob, "put here by curl")))
	w.wait("APPEND", "2 messages", func() bool {
		w.told()
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.exists == 2
	})
	if got := curl(inbox + "?UNSEEN"); !strings.Contains(got, "SEARCH") {
		t.Errorf("the answer to a search: %q", got)
	}
}

// TestOfflineimap syncs a Maildir both ways with a mailbox that another session has
// selected.
func TestOfflineimap(t *testing.T) {
	t.Parallel()
	need(t, "offlineimap", "offlineimap3")
	r := start(t)
	bob := r.Accounts[1]
	fill(t, r, newGnuPG(t, r.Accounts), bob, 3)
	o := newOfflineimap(t, r, bob)
	w := watch(t, r, bob, "INBOX")
	o.sync(t)
	mails := o.list(t, "INBOX")
	if len(mails) != 3 {
		t.Fatalf("the Maildir has %d messages, want 3", len(mails))
	}

	// Locally: one message flagged, one moved, one deleted.
	o.setFlags(t, mails[0], "FS")
	base, _, _ := strings.Cut(filepath.Base(mails[1]), ",")
	if err := os.Rename(mails[1], filepath.Join(o.path("Archive", "new"), base)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(mails[2]); err != nil {
		t.Fatal(err)
	}
	o.sync(t)
	w.wait("a sync", "flags and two expunges", func() bool {
		news := w.told()
		return strings.Contains(news, `\Flagged \Seen`) && strings.Count(news, "gone") == 2
	})
	if got := imapFlags(t, r, bob, "Archive"); len(got) != 1 {
		t.Errorf("Archive has %d messages on the server, want 1", len(got))
	}

	// On the server: another flag, and then an expunge.
	answered := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagAnswered}}
	_, err := w.Store(imap.SeqSetNum(1), answered, nil).Collect()
	w.must(err)
	o.sync(t)
	if got := o.list(t, "INBOX"); len(got) != 1 || !strings.HasSuffix(got[0], "FRS") {
		t.Errorf("the Maildir has %q, want one message with the flags FRS", got)
	}
	_, err = w.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Collect()
	w.must(err)
	_, err = w.Expunge().Collect()
	w.must(err)
	o.sync(t)
	if got := o.list(t, "INBOX"); len(got) != 0 {
		t.Errorf("the Maildir still has %q", got)
	}
}

// offlineimap is a Maildir and the configuration that syncs it.
type offlineimap struct{ mbsync }

func newOfflineimap(t *testing.T, r *relay, a account) offlineimap {
	t.Helper()
	dir := t.TempDir()
	_, port := hostPort(t, r.IMAPS)
	rc := write(t, dir, "offlineimaprc", fmt.Sprintf(`[general]
accounts = relay
metadata = %[1]s/state
maxsyncaccounts = 1
ui = basic

[Account relay]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = %[1]s/mail

[Repository far]
type = IMAP
remotehost = localhost
remoteport = %[2]d
remoteuser = %[3]s
remotepass = %[4]s
ssl = yes
sslcacertfile = %[5]s
`, dir, port, a.Address, a.Password, r.CAFile))
	return offlineimap{mbsync{dir, rc}}
}

func (o offlineimap) sync(t *testing.T) {
	t.Helper()
	run(t, "", []string{"HOME=" + o.dir}, "offlineimap", "-c", o.rc, "-o", "-1")
}

// list sorts what is there: the names tell the order in which the messages came.
func (o offlineimap) list(t *testing.T, folder string) []string {
	t.Helper()
	all := o.mbsync.list(t, folder)
	slices.Sort(all)
	return all
}
