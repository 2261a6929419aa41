package mailbox_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// estate is all that an owner sees of an account.
type estate struct {
	Inbox, Archive map[mailbox.UID]string
	IDs            map[mailbox.UID]string
	Folders, Words []string
	Entries        []mailbox.Entry
	Blocked        []string
	Devices        []string
	Addresses      []addr.Address
}

// settle fills an account: mail that was looked at and mail that was not, a folder, a
// keyword, an entry, a blocked sender.
func (w *world) settle(t *testing.T, x *mailbox.Session, to string) {
	t.Helper()
	archive, err := x.Create(t.Context(), "Archive/2026", mailbox.NoUse)
	if err != nil {
		t.Fatal(err)
	}
	w.deliver(t, message("small", 0), to)
	w.deliver(t, message("large", 3000), to)
	w.deliver(t, message("filed", 0), to)
	if _, err := x.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: archive.ID, Set: mailbox.AllUIDs()}); err != nil {
		t.Fatal(err) // which looks at them
	}
	w.deliver(t, message("unseen", 0), to)
	if _, err := x.FlagsOf(t.Context(), []string{"$Work"}); err != nil {
		t.Fatal(err)
	}
	if err := x.SetMetadata(t.Context(), archive.ID, entry("/private/comment", "taxes")); err != nil {
		t.Fatal(err)
	}
	if err := x.Block(t.Context(), "spam@example.net"); err != nil {
		t.Fatal(err)
	}
}

func survey(t *testing.T, x *mailbox.Session) estate {
	t.Helper()
	e := estate{Inbox: texts(t, x, mailbox.Inbox), IDs: map[mailbox.UID]string{}}
	archive, err := x.Folder(t.Context(), "Archive/2026")
	if err != nil {
		t.Fatal(err)
	}
	e.Archive = texts(t, x, archive.ID)
	folders, err := x.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		e.Folders = append(e.Folders, fmt.Sprint(f.Name, f.Subscribed, f.Mailbox.UIDNext))
	}
	err = x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		e.IDs[i.UID] = i.ID()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if e.Words, err = x.KeywordNames(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e.Entries, err = x.Metadata(t.Context(), archive.ID); err != nil {
		t.Fatal(err)
	}
	if e.Addresses, err = x.Addresses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !x.Manages() {
		return e
	}
	for _, d := range labels(t, x) {
		e.Devices = append(e.Devices, d.Label)
	}
	slices.Sort(e.Devices)
	blocked, err := x.BlockedSenders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocked {
		e.Blocked = append(e.Blocked, b.Sender)
	}
	return e
}

// generation is that of an account's key, and the former ones that are kept.
func (w *world) generation(t *testing.T, id mailbox.AccountID) (now uint32, former int) {
	t.Helper()
	row, err := w.store.Account(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.store.FormerKeys(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Generation > 0 {
			former++
		}
	}
	return row.Key.Generation, former
}

// TestRotate gives an account new keys several times, and has each of its passwords
// and codes be the first to come, by every way to log in: all are good, and all is
// there. Mail is sealed under one of the former keys until somebody came.
func TestRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, err := x.AddDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := x.AddKeepingDevice(t.Context(), "archive")
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t, x, "b@example.org")
	want := survey(t, x)
	byDevice := want
	byDevice.Devices, byDevice.Blocked = nil, nil

	main := c.Secret
	ways := []struct {
		name string
		want *estate
		come func() (*mailbox.Session, error)
	}{
		{"password", &want, func() (*mailbox.Session, error) { return w.Login(t.Context(), mailbox.Login{User: "b", Secret: main}) }},
		{"SCRAM", &want, func() (*mailbox.Session, error) { return w.bySCRAM(t, "b", main) }},
		{"device", &byDevice, func() (*mailbox.Session, error) { return w.Login(t.Context(), mailbox.Login{User: "b", Secret: phone}) }},
		{"device by SCRAM", &byDevice, func() (*mailbox.Session, error) { return w.bySCRAM(t, "b", phone) }},
		{"keeping device", &byDevice, func() (*mailbox.Session, error) {
			return w.Login(t.Context(), mailbox.Login{User: "b", Secret: keeper})
		}},
		{"recovery code", &want, func() (*mailbox.Session, error) {
			var err error
			if main, err = w.SetPassword(t.Context(), c.Account, c.Recovery, ""); err != nil {
				return nil, err
			}
			return w.Login(t.Context(), mailbox.Login{User: "b", Secret: main})
		}},
	}
	for i := range ways {
		for _, way := range append(slices.Clone(ways[i:]), ways[:i]...)[:3] {
			manager := w.login(t, mailbox.Created{Address: c.Address, Secret: main})
			before, _ := w.generation(t, c.Account)
			if err := manager.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-manager.Revoked()
			if now, _ := w.generation(t, c.Account); now != before+1 {
				t.Errorf("the key is of generation %d, want %d", now, before+1)
			}
			x, err := way.come()
			if err != nil {
				t.Fatalf("%s after new keys: %v", way.name, err)
			}
			if diff := cmp.Diff(*way.want, survey(t, x)); diff != "" {
				t.Errorf("%s sees after new keys (-want +got):\n%s", way.name, diff)
			}
			x.Close()
		}
	}
}

// TestRotateFollows: after new keys no message's body is written; all keys follow, even
// those of mailboxes that nobody opens, and then the former ones are gone. It goes on
// where a restart has broken it off.
func TestRotateFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.settle(t, x, "b@example.org")
	want := survey(t, x)
	if err := x.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, former := w.generation(t, c.Account); now != 2 || former != 1 {
		t.Fatalf("generation %d and %d former keys, want 2 and 1", now, former)
	}
	w.deliver(t, message("to the new key", 0), "b@example.org")
	if err := w.Service.Close(); err != nil {
		t.Fatal(err)
	}
	w.Service = w.newService(t)
	x = w.login(t, c)
	got := survey(t, x)
	if !strings.Contains(got.Inbox[5], "to the new key") {
		t.Errorf("mail that came after is %q", got.Inbox[5])
	}
	delete(got.Inbox, 5)
	delete(got.IDs, 5)
	got.Folders, want.Folders = nil, nil // UIDNEXT has moved
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after new keys and a restart (-want +got):\n%s", diff)
	}
	until(t, func() bool { _, former := w.generation(t, c.Account); return former == 0 })
	folders, err := x.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		rows, err := w.store.Messages(t.Context(), c.Account, f.ID, mailbox.AllUIDs(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rows {
			if m.Generation != 2 {
				t.Errorf("message %d of %s is sealed to generation %d", m.UID, f.Name, m.Generation)
			}
		}
	}
	if diff := cmp.Diff(want.Inbox[2], texts(t, x, mailbox.Inbox)[2]); diff != "" {
		t.Errorf("the large message: %s", diff)
	}
	if err := x.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.IDs[1], survey(t, w.login(t, c)).IDs[1]); diff != "" {
		t.Errorf("the identity of a message after the second time: %s", diff)
	}
}

// TestRotateWhenDue: the operator asks for new keys; sessions end, and whoever logs in
// next gets them, also two at the same moment.
func TestRotateWhenDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("before", 0), "b@example.org")
	if err := w.RequestRotation(t.Context(), c.Account); err != nil {
		t.Fatal(err)
	}
	<-x.Revoked()
	if now, _ := w.generation(t, c.Account); now != 1 {
		t.Errorf("the key is of generation %d before anybody came", now)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			x, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
			if i%2 == 0 {
				x, err = w.bySCRAM(t, "b", c.Secret)
			}
			if err != nil {
				t.Errorf("login that meets others: %v", err)
				return
			}
			x.Close()
		})
	}
	all.Wait()
	if now, _ := w.generation(t, c.Account); now != 2 {
		t.Errorf("the key is of generation %d, want 2: it was asked for once", now)
	}
	if got := texts(t, w.login(t, c), mailbox.Inbox); !strings.Contains(got[1], "before") {
		t.Errorf("reads %v", got)
	}
	if err := w.RequestRotation(t.Context(), 99); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("for no account: %v, want ErrNoAccount", err)
	}
}

// TestRotateWithPassword: who fears for his password and for what it opens changes both
// with either secret, and a wrong one changes nothing.
func TestRotateWithPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.settle(t, x, "b@example.org")
	want := survey(t, x)
	if _, err := w.SetPasswordAndKeys(t.Context(), c.Account, "wrong", "correct horse"); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("with a wrong password: %v, want ErrAuth", err)
	}
	if now, _ := w.generation(t, c.Account); now != 1 {
		t.Fatalf("a wrong password made new keys")
	}
	for i, old := range []string{c.Secret, c.Recovery, "correct horse 1"} {
		next := fmt.Sprint("correct horse ", i)
		if _, err := w.SetPasswordAndKeys(t.Context(), c.Account, old, next); err != nil {
			t.Fatal(err)
		}
		if now, _ := w.generation(t, c.Account); now != uint32(i+2) {
			t.Errorf("the key is of generation %d, want %d", now, i+2)
		}
		x := w.login(t, mailbox.Created{Address: c.Address, Secret: next})
		if diff := cmp.Diff(want, survey(t, x)); diff != "" {
			t.Errorf("with the new password (-want +got):\n%s", diff)
		}
	}
	if _, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("the old password: %v, want ErrAuth", err)
	}
}

// TestRotateNeedsRight: a device password can't make new keys.
func TestRotateNeedsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	phone, _ := w.device(t, x, c, "phone")
	if err := phone.Rotate(t.Context()); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("got %v, want ErrAuth", err)
	}
}

// TestRotateOldRows: a credential that has no key pair keeps its account from getting
// new keys, and nobody out of it.
func TestRotateOldRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.sql(t, "DELETE FROM credential_public WHERE credential_id IN (SELECT credential_id FROM credential WHERE kind = 2)")
	if err := x.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "new recovery code") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
	if err := w.RequestRotation(t.Context(), c.Account); err != nil {
		t.Fatal(err)
	}
	x = w.login(t, c)
	if now, _ := w.generation(t, c.Account); now != 1 {
		t.Errorf("the key is of generation %d", now)
	}
	if _, err := x.NewRecoveryCode(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Rotate(t.Context()); err != nil {
		t.Errorf("with a new recovery code: %v", err)
	}
}

// TestRotateOnAnotherNode: a session that has not heard of the new keys is refused what
// would be sealed to the old ones, and takes no message for damaged.
func TestRotateOnAnotherNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.settle(t, x, "b@example.org")
	node, _, far, _ := w.far(t, c.Secret)
	if err := x.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	near := w.login(t, c)
	until(t, func() bool { _, former := w.generation(t, c.Account); return former == 0 })
	err := far.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
		if _, err := i.Info(); !errors.Is(err, mailbox.ErrClosed) || !strings.Contains(err.Error(), fmt.Sprint("message ", i.UID)) {
			t.Errorf("message %d: %v, want ErrClosed with its row", i.UID, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := near.Folder(t.Context(), "Archive/2026")
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func() error{
		"create":    func() error { _, err := far.Create(t.Context(), "Late", mailbox.NoUse); return err },
		"subscribe": func() error { return far.Subscribe(t.Context(), "Late", true) },
		"keyword":   func() error { _, err := far.FlagsOf(t.Context(), []string{"late"}); return err },
		"metadata":  func() error { return far.SetMetadata(t.Context(), 0, entry("/private/late", "x")) },
		"block":     func() error { return far.Block(t.Context(), "late@example.net") },
		"device":    func() error { _, err := far.AddDevice(t.Context(), "late"); return err },
		"rotate":    func() error { return far.Rotate(t.Context()) },
	} {
		if err := write(); !errors.Is(err, mailbox.ErrGone) {
			t.Errorf("%s: %v, want ErrGone", name, err)
		}
	}
	if _, err := far.Append(t.Context(), archive.ID, mailbox.Append{Message: w.receive(t, message("late", 0))}); !errors.Is(err, mailbox.ErrGone) {
		t.Errorf("append: %v, want ErrGone", err)
	}
	if _, err := far.Copy(t.Context(), mailbox.CopyRequest{From: mailbox.Inbox, To: archive.ID, Set: mailbox.AllUIDs()}); err == nil {
		t.Error("messages were copied under the old keys")
	}
	w.clock.advance(25 * time.Second)
	node.TestOnlySweep(t.Context())
	<-far.Revoked()
	survey(t, near)
}

// TestRowsOfFormerKeys: rows that were kept from before, put back when the former keys
// are gone, open nothing, and never as something else.
func TestRowsOfFormerKeys(t *testing.T) {
	t.Parallel()
	kept := []string{"sealed", "message", "credential", "account_key", "address", "former_key"}
	for _, back := range [][]string{{"sealed"}, {"sealed", "message"}, {"credential"}, {"account_key"}, {"account_key", "address"}, {"former_key"}} {
		t.Run(strings.Join(back, " and "), func(t *testing.T) {
			t.Parallel()
			w := openWorld(t, filepath.Join(t.TempDir(), "mail.db"), false)
			x, c := w.owner(t, "b@example.org")
			w.deliver(t, message("one", 0), "b@example.org")
			if err := x.Rotate(t.Context()); err != nil { // so that there are former keys to keep
				t.Fatal(err)
			}
			for _, table := range kept {
				w.sql(t, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
			}
			x = w.login(t, c)
			if err := x.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			x = w.login(t, c)
			want := texts(t, x, mailbox.Inbox)
			until(t, func() bool { _, former := w.generation(t, c.Account); return former == 0 })
			x.Close()
			w.clock.advance(time.Minute)
			w.TestOnlySweep(t.Context()) // the keys in memory go
			for _, table := range back {
				w.sql(t, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table)
			}
			x, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: c.Secret})
			if err != nil {
				if !errors.Is(err, mailbox.ErrCorrupt) {
					t.Errorf("login: %v, want ErrCorrupt", err)
				}
				return
			}
			defer x.Close()
			err = x.Fetch(t.Context(), mailbox.Inbox, mailbox.AllUIDs(), func(i *mailbox.Item) error {
				text, err := textOf(t.Context(), i)
				if back[0] != "former_key" && !errors.Is(err, mailbox.ErrCorrupt) || back[0] == "former_key" && text != want[i.UID] {
					t.Errorf("reads %q, %v", text, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
