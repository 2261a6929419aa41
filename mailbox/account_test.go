package mailbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "Joe@example.org")
	if _, err := w.CreateAccount(t.Context(), addr.MustParse("joe@Example.org"), mailbox.NewAccountOptions{}); !errors.Is(err, mailbox.ErrExists) {
		t.Errorf("the same address again: %v, want ErrExists", err)
	}
	if _, err := seal.ParseSecret(c.Recovery); err != nil || c.Recovery == c.Secret {
		t.Errorf("recovery code: %v", err)
	}
	addresses, err := x.Addresses(t.Context())
	if err != nil || len(addresses) != 1 || addresses[0] != addr.MustParse("Joe@example.org") {
		t.Errorf("addresses %v, %v", addresses, err)
	}
	folders, err := x.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Name       string
		Use        mailbox.SpecialUse
		Subscribed bool
	}
	var got []line
	for _, f := range folders {
		got = append(got, line{f.Name, f.Use, f.Subscribed})
	}
	want := []line{{"INBOX", mailbox.NoUse, true}, {"Archive", mailbox.UseArchive, true}, {"Drafts", mailbox.UseDrafts, true},
		{"Junk", mailbox.UseJunk, true}, {"Sent", mailbox.UseSent, true}, {"Trash", mailbox.UseTrash, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPasswordThatReadsLikeASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{Password: seal.NewSecret().Reveal()})
	if !errors.Is(err, mailbox.ErrName) {
		t.Errorf("got %v, want ErrName", err)
	}
}

func TestFindAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.account(t, "b@example.org")
	c := w.account(t, "c@example.net")
	tests := []struct {
		name, ref string
		want      mailbox.AccountID
	}{
		{"address", "B@example.ORG", b.Account},
		{"local part", "b", b.Account},
		{"short id", c.Account.String(), c.Account},
		{"local part elsewhere", "c", 0},
		{"unknown address", "d@example.org", 0},
		{"nonsense", "@@", 0},
		{"empty", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info, err := w.FindAccount(t.Context(), tt.ref)
			if tt.want == 0 && !errors.Is(err, mailbox.ErrNoAccount) || tt.want != 0 && err != nil {
				t.Fatal(err)
			}
			if info.ID != tt.want {
				t.Errorf("account %v, want %v", info.ID, tt.want)
			}
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[mailbox.AccountID][]addr.Address{}
	for _, a := range []string{"b@example.org", "c@example.org", "d@example.net"} {
		want[w.account(t, a).Account] = []addr.Address{addr.MustParse(a)}
	}
	got := map[mailbox.AccountID][]addr.Address{}
	err := w.Accounts(t.Context(), func(a mailbox.AccountInfo) error { got[a.ID] = a.Addresses; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b addr.Address) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	stop := errors.New("enough")
	if err := w.Accounts(t.Context(), func(mailbox.AccountInfo) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the caller's error", err)
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("kept", 0), "b@example.org")
	texts(t, x, mailbox.Inbox)
	steps := []struct{ name, proof, password string }{
		{"secret to password", c.Secret, "first password"},
		{"password to password", "first password", "second password"},
		{"recovery code to secret", c.Recovery, ""},
		{"recovery code once more", c.Recovery, "third password"},
	}
	for _, s := range steps {
		if _, err := w.SetPassword(t.Context(), c.Account, "wrong", "x"); !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("%s: with a wrong secret: %v, want ErrAuth", s.name, err)
		}
		old := c.Secret
		var err error
		if c.Secret, err = w.SetPassword(t.Context(), c.Account, s.proof, s.password); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if s.password != "" && c.Secret != s.password {
			t.Errorf("%s: it says the password is %q", s.name, c.Secret)
		}
		if _, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: old}); !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("%s: the old secret: %v, want ErrAuth", s.name, err)
		}
		if got := texts(t, w.login(t, c), mailbox.Inbox); !strings.Contains(got[1], "kept") {
			t.Errorf("%s: the mail is gone", s.name)
		}
	}
}

func TestSetPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.account(t, "b@example.org")
	for range 4 {
		if _, err := w.SetPassword(t.Context(), c.Account, "guess", "x"); !errors.Is(err, mailbox.ErrAuth) {
			t.Fatal(err)
		}
	}
	if got := w.clock.waited(); len(got) != 1 {
		t.Errorf("waited %v", got)
	}
}

func TestResetAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("lost", 0), "b@example.org")
	if _, err := x.Create(t.Context(), "Mine/Own", mailbox.NoUse); err != nil {
		t.Fatal(err)
	}
	if err := x.Subscribe(t.Context(), "Mine/Own", true); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"second", "third"} {
		fresh, unreadable, err := w.ResetAccount(t.Context(), c.Account, "")
		if err != nil {
			t.Fatal(err)
		}
		if fresh.Address != c.Address || fresh.Account != c.Account {
			t.Errorf("reset %v", fresh.Account)
		}
		if want := int64(len(texts(t, w.login(t, fresh), mailbox.Inbox))); want != 0 {
			t.Errorf("%d messages are left", want)
		}
		if unreadable != 1 {
			t.Errorf("%d messages lost, want 1", unreadable)
		}
		folders, err := w.login(t, fresh).Folders(t.Context())
		if err != nil || len(folders) != 6 || folders[0].Name != "INBOX" || !folders[0].Subscribed {
			t.Errorf("folders %v, %v", folders, err)
		}
		w.deliver(t, message(subject, 0), "b@example.org")
		if got := texts(t, w.login(t, fresh), mailbox.Inbox); len(got) != 1 {
			t.Errorf("%d messages after a new one", len(got))
		}
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", w.log)
	}
}

func TestRemoveAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.owner(t, "b@example.org")
	w.deliver(t, message("gone", 3000), "b@example.org")
	if err := w.RemoveAccount(t.Context(), c.Account); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recipient(t.Context(), c.Address, 0); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("got %v, want ErrNoAccount", err)
	}
	w.owner(t, "b@example.org")
}
