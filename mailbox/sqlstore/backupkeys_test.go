package sqlstore

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBackupOfNewKeys: an account whose keys were replaced, twice, with mail that has
// not followed yet, comes back with all of it and is opened by each of its words.
func TestBackupOfNewKeys(t *testing.T) {
	t.Parallel()
	testBackupOfNewKeys(t, options(t), options(t))
}

var validity = regexp.MustCompile(`UIDVALIDITY \d+`)

// withoutValidity leaves out what a restore raises.
func withoutValidity(seen []string) (list []string) {
	for _, line := range seen {
		list = append(list, validity.ReplaceAllString(line, "UIDVALIDITY"))
	}
	return list
}

func testBackupOfNewKeys(t *testing.T, here, there Options) {
	t.Helper()
	here.Now, there.Now = oldClock(0), oldClock(0)
	s := open(t, here)
	service := serviceOn(t, s)
	was := fillOld(t, service)
	dir := backupOf(t, s, BackupOptions{})
	must(t, loginTo(t, service, was.User, was.Words.Password).Rotate(t.Context()))
	must(t, service.Close())
	_, err := Backup(t.Context(), s, dir, BackupOptions{}) // takes what has changed
	must(t, err)
	_, err = Restore(t.Context(), dir, there, RestoreOptions{})
	must(t, err)
	back := open(t, there)
	again := serviceOn(t, back)
	x := loginTo(t, again, was.User, was.Words.Password)
	if d := cmp.Diff(withoutValidity(was.Seen), withoutValidity(ownerSees(t, again, x))); d != "" {
		t.Errorf("what the owner sees, before and after (-before +after):\n%s", d)
	}
	loginTo(t, again, was.User, was.Words.Device)
	_, err = again.SetPasswordAndKeys(t.Context(), x.Account(), was.Words.Recovery, "four new words here")
	must(t, err)
	x = loginTo(t, again, was.User, "four new words here")
	if d := cmp.Diff(withoutValidity(was.Seen), withoutValidity(ownerSees(t, again, x))); d != "" {
		t.Errorf("what the owner sees with newer keys (-before +after):\n%s", d)
	}
	must(t, again.Close())
}
