package mailbox_test

import (
	"errors"
	"testing"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

// TestSetSecret: the secret that the owner's program has made opens the account with all
// its mail from then on, under new keys, and can be set twice; the old one opens nothing.
func TestSetSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, c := w.owner(t, "b@example.org")
	w.deliver(t, message("from before", 0), "b@example.org")
	phone, _ := w.device(t, x, c, "phone")
	before, err := w.store.Account(t.Context(), c.Account)
	if err != nil {
		t.Fatal(err)
	}
	secret := seal.NewSecret().Reveal()
	if err := phone.SetSecret(t.Context(), secret); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("with a device password: got %v, want ErrAuth", err)
	}
	if err := x.SetSecret(t.Context(), "a password that somebody chose"); !errors.Is(err, mailbox.ErrName) {
		t.Errorf("a chosen password: got %v, want ErrName", err)
	}
	if err := x.SetSecret(t.Context(), c.Recovery); !errors.Is(err, mailbox.ErrExists) {
		t.Errorf("the recovery code: got %v, want ErrExists", err)
	}
	for range 2 {
		if err := x.SetSecret(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		<-x.Revoked()
		<-phone.Revoked()
		x = w.login(t, mailbox.Created{Address: c.Address, Secret: secret})
	}
	if got := texts(t, x, mailbox.Inbox); len(got) != 1 {
		t.Errorf("with the new secret: got %d mails, want 1", len(got))
	}
	if !x.Manages() {
		t.Error("the new secret does not manage the account")
	}
	for name, old := range map[string]string{"password": c.Secret, "new one in capitals": "R" + secret[1:]} {
		_, err := w.Login(t.Context(), mailbox.Login{User: "b", Secret: old})
		if want := name == "password"; errors.Is(err, mailbox.ErrAuth) != want {
			t.Errorf("login with the %s: got %v", name, err)
		}
	}
	after, err := w.store.Account(t.Context(), c.Account)
	if err != nil || after.Key.Generation <= before.Key.Generation {
		t.Errorf("generation of the keys: got %d after %d, %v", after.Key.Generation, before.Key.Generation, err)
	}
}
