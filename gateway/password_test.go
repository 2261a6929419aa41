package gateway

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/pgp"
)

// opens reports whether the relay lets somebody in.
func (r *testRelay) opens(t *testing.T, address, secret string) bool {
	t.Helper()
	x, err := r.service.Login(t.Context(), mailbox.Login{User: address, Secret: secret})
	if err == nil {
		x.Close()
	} else if !errors.Is(err, mailbox.ErrAuth) {
		t.Fatal(err)
	}
	return err == nil
}

// owner opens an account as who has its password.
func (r *testRelay) owner(t *testing.T, a Account) *mailbox.Session {
	t.Helper()
	x, err := r.service.Login(t.Context(), mailbox.Login{User: a.Address, Secret: a.Password})
	must(t, err)
	t.Cleanup(x.Close)
	return x
}

// kept is the account as the vault has it.
func (h *home) kept(t *testing.T) Account {
	t.Helper()
	a, err := LoadAccount(h.vault)
	must(t, err)
	return a
}

// TestLostWhileRunning: the relay gets a new password from a gateway that runs, and the old
// one opens nothing. The gateway sends and fetches with the new one by itself. A contact
// is told of the new subkey, and what they write then, the old key does not open.
func TestLostWhileRunning(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice, bob := newHome(t, relay.account(t, "alice")), newHome(t, relay.account(t, "bob"))
	alice.knows(t, bob.account.Address, bob.key.Cert())
	bob.knows(t, alice.account.Address, alice.key.Cert())
	for _, h := range []*home{alice, bob} {
		must(t, h.Contacts().Welcome(addr.MustParse("alice@relay.test")))
		must(t, h.Contacts().Welcome(addr.MustParse("bob@relay.test")))
		serve(t, h.Run)
	}
	atAlice, atBob := alice.mailClient(t, alice.serveIMAP(t)), bob.mailClient(t, bob.serveIMAP(t))
	write := func(from *home, to, id string) {
		t.Helper()
		must(t, from.submit(t, []string{to}, clientMail(to, id, "", "x")))
	}
	must(t, bob.submit(t, []string{"alice@relay.test"}, "From: <bob@relay.test>\r\nTo: <alice@relay.test>\r\nSubject: first\r\n\r\nx\r\n"))
	alice.awaitSubject(t, atAlice, 1)
	write(alice, "bob@relay.test", "two")
	bob.awaitSubject(t, atBob, 1)

	old, oldKey := alice.kept(t).Password, alice.Identity().Current
	must(t, alice.RenewPassword(t.Context()))
	if now := alice.kept(t); relay.opens(t, now.Address, old) || !relay.opens(t, now.Address, now.Password) || now.Coming != "" {
		t.Error("the relay takes the old password, or not the new one")
	}
	must(t, alice.LostDevice(t.Context()))
	told, err := alice.TellContacts()
	if err != nil || told != 1 {
		t.Errorf("told %d contacts, want 1 (%v)", told, err)
	}
	if got := bob.awaitSubject(t, atBob, 2); got != toldSubject {
		t.Errorf("Bob reads %q", got)
	}
	must(t, bob.submit(t, []string{"alice@relay.test"}, "From: <bob@relay.test>\r\nTo: <alice@relay.test>\r\nSubject: after\r\n\r\nx\r\n"))
	if got := alice.awaitSubject(t, atAlice, 2); got != "after" {
		t.Errorf("Alice reads %q", got)
	}
	for i, raw := range relay.inbox(t, alice.kept(t)) {
		_, err := pgp.Open(&bytes.Buffer{}, bytes.NewReader(raw), pgp.DecryptOptions{Keys: []*pgp.Key{oldKey}})
		if before := i == 0; before != (err == nil) || !before && !errors.Is(err, pgp.ErrNoKey) {
			t.Errorf("mail %d with the old key: got %v", i+1, err)
		}
	}
}

// serveIMAP lets a mail client read until the test ends.
func (h *home) serveIMAP(t *testing.T) string {
	t.Helper()
	ln := listenLoopback(t)
	serve(t, func(ctx context.Context) error { return h.ServeIMAP(ctx, ln) })
	return ln.Addr().String()
}

// TestPasswordInterrupted: whether the relay has taken a password before a crash or not,
// the gateway finds the right one.
func TestPasswordInterrupted(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]bool{"taken": true, "not taken": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relay := newRelay(t)
			alice := newHome(t, relay.account(t, "alice"))
			account := alice.account
			account.Coming = seal.NewSecret().Reveal()
			must(t, SaveAccount(alice.vault, account))
			if taken {
				must(t, relay.owner(t, account).SetSecret(t.Context(), account.Coming))
			}
			r, err := alice.connect(t.Context())
			must(t, err)
			must(t, r.close())
			if got := alice.kept(t).Password; (got == account.Coming) != taken {
				t.Errorf("in use: got %q of %q and %q", got, account.Password, account.Coming)
			}
			must(t, alice.RenewPassword(t.Context()))
			if now := alice.kept(t); now.Coming != "" || now.Password == account.Coming || !relay.opens(t, now.Address, now.Password) {
				t.Errorf("renewed after that: got %+v", now)
			}
		})
	}
}

// TestRevokeDevices: the passwords of devices at the relay and at the gateway are revoked
// by their names, or all of them; that of the mail client on this machine stays.
func TestRevokeDevices(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	alice := newHome(t, relay.account(t, "alice"))
	x := relay.owner(t, alice.account)
	secrets := map[string]string{}
	for _, name := range []string{"phone", "old tablet", ""} {
		secret, err := x.AddDevice(t.Context(), name)
		must(t, err)
		secrets[name] = secret
	}
	_, err := alice.AddDevice(t.Context(), "phone")
	must(t, err)
	if got, err := alice.RevokeDevices(t.Context(), "phone", "watch"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("one that nobody has: got %q, %v, want ErrNoDevice", got, err)
	}
	got, err := alice.RevokeDevices(t.Context(), "phone")
	if diff := cmp.Diff(got, []string{"phone"}); diff != "" || err != nil {
		t.Errorf("one: %v %s", err, diff)
	}
	for name, secret := range secrets {
		if want := name != "phone"; relay.opens(t, alice.account.Address, secret) != want {
			t.Errorf("the password of %q opens the account: want %v", name, want)
		}
	}
	got, err = alice.RevokeDevices(t.Context())
	if diff := cmp.Diff(got, []string{"", "old tablet"}); diff != "" || err != nil {
		t.Errorf("all others: %v %s", err, diff)
	}
	if list, err := alice.Devices(t.Context()); len(list) != 0 || err != nil {
		t.Errorf("at the gateway: got %v, %v, want none", list, err)
	}
	alice.mailClient(t, alice.serveIMAP(t)).Close()
}

// TestDevicePasswordChangesNone: a gateway that logs in with a device password changes and
// revokes nothing at the relay, and says so; with a password of the user's own it goes on.
func TestDevicePasswordChangesNone(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	account := relay.account(t, "alice")
	owner := relay.owner(t, account)
	main := account.Password
	var err error
	account.Password, err = owner.AddDevice(t.Context(), "gateway")
	must(t, err)
	alice := newHome(t, account)
	_, revoked := alice.RevokeDevices(t.Context())
	for _, err := range []error{alice.MayRenewPassword(t.Context()), alice.RenewPassword(t.Context()), revoked} {
		if !errors.Is(err, ErrDevicePassword) {
			t.Errorf("got %v, want ErrDevicePassword", err)
		}
	}
	if !relay.opens(t, account.Address, main) || !relay.opens(t, account.Address, account.Password) {
		t.Error("a password was changed")
	}
	if err := alice.UsePassword(t.Context(), "not mine"); !errors.Is(err, ErrPassword) {
		t.Errorf("a wrong password: got %v, want ErrPassword", err)
	}
	must(t, alice.UsePassword(t.Context(), main))
	if got := alice.kept(t).Password; got != main {
		t.Errorf("in use: got %q, want the account's own", got)
	}
	must(t, alice.MayRenewPassword(t.Context()))
}
