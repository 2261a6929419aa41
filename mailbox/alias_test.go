package mailbox_test

import (
	"errors"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

var aliasOfB = addr.MustParse("alias@example.org")

// TestAliasSurvivesReset: new keys are those of all addresses, and their choices stay.
func TestAliasSurvivesReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, b := w.owner(t, "b@example.org")
	o := mailbox.AddressOptions{Cleartext: true, Publish: true}
	if err := errors.Join(x.AddAlias(t.Context(), aliasOfB), x.SetAddressOptions(t.Context(), aliasOfB, o)); err != nil {
		t.Fatal(err)
	}
	before, err := w.Recipient(t.Context(), aliasOfB, 0)
	if err != nil || before.Account != b.Account || before.Options != o {
		t.Fatalf("before: %+v, %v", before, err)
	}
	if _, _, err := w.ResetAccount(t.Context(), b.Account, ""); err != nil {
		t.Fatal(err)
	}
	after, err := w.Recipient(t.Context(), aliasOfB, 0)
	if err != nil || after.Account != b.Account || after.Options != o {
		t.Errorf("after: %+v, %v", after, err)
	}
	first, err := w.Recipient(t.Context(), b.Address, 0)
	if err != nil || first.Options != (mailbox.AddressOptions{}) {
		t.Errorf("the first address: %+v, %v", first, err)
	}
}

// TestAliasRefused: no addresses at other domains, none that were given up.
func TestAliasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, b := w.owner(t, "b@example.org")
	if err := x.AddAlias(t.Context(), addr.MustParse("alias@example.net")); !errors.Is(err, mailbox.ErrName) {
		t.Errorf("at another domain: %v", err)
	}
	if err := errors.Join(x.AddAlias(t.Context(), aliasOfB), x.RetireAlias(t.Context(), aliasOfB)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recipient(t.Context(), aliasOfB, 0); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("mail to an address that was given up: %v", err)
	}
	if _, err := w.CreateAccount(t.Context(), aliasOfB, mailbox.NewAccountOptions{}); !errors.Is(err, mailbox.ErrExists) {
		t.Errorf("an account with it: %v", err)
	}
	if _, err := w.Login(t.Context(), mailbox.Login{User: aliasOfB.String(), Secret: b.Secret}); !errors.Is(err, mailbox.ErrAuth) {
		t.Errorf("a login with it: %v", err)
	}
}

// TestDeviceManagesNoAddress: it takes the account's own password.
func TestDeviceManagesNoAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x, b := w.owner(t, "b@example.org")
	secret, err := x.AddDevice(t.Context(), "phone")
	if err != nil {
		t.Fatal(err)
	}
	b.Secret = secret
	d := w.login(t, b)
	ctx := t.Context()
	for name, f := range map[string]func() error{
		"Aliases":           func() error { _, err := d.Aliases(ctx); return err },
		"AddAlias":          func() error { return d.AddAlias(ctx, aliasOfB) },
		"RetireAlias":       func() error { return d.RetireAlias(ctx, b.Address) },
		"SetAddressOptions": func() error { return d.SetAddressOptions(ctx, b.Address, mailbox.AddressOptions{}) },
		"Block":             func() error { return d.Block(ctx, "eve@example.net") },
		"Unblock":           func() error { return d.Unblock(ctx, "00") },
		"BlockedSenders":    func() error { _, err := d.BlockedSenders(ctx); return err },
		"MailboxTerms":      func() error { _, err := d.MailboxTerms(ctx); return err },
		"SetMailboxDays":    func() error { return d.SetMailboxDays(ctx, mailbox.Inbox, 1) },
	} {
		if err := f(); !errors.Is(err, mailbox.ErrAuth) {
			t.Errorf("%s: got %v, want ErrAuth", name, err)
		}
	}
}

// TestPublishedIsBound: somebody who can write to the database can't have a
// certificate served for another address than its own.
func TestPublishedIsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.account(t, "b@example.org"), w.account(t, "c@example.org")
	for n, c := range []mailbox.Created{one, other} {
		cert := mailbox.Certificate{Fingerprint: c.Address.String(), Bytes: []byte{byte(n)}}
		if err := w.Publish(t.Context(), c.Account, c.Address, cert); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.Certificate(t.Context(), one.Address.WKDHash(), "example.org")
	if err != nil || len(got) != 1 || got[0] != 0 {
		t.Fatalf("got %x, %v", got, err)
	}
	w.sql(t, "UPDATE published SET cert_ct = (SELECT cert_ct FROM published AS p WHERE p.addr_mac <> published.addr_mac)")
	if got, err := w.Certificate(t.Context(), one.Address.WKDHash(), "example.org"); !errors.Is(err, mailbox.ErrCorrupt) {
		t.Errorf("got %x, %v, want ErrCorrupt", got, err)
	}
	if _, err := w.Certificate(t.Context(), "nothing", "example.org"); !errors.Is(err, mailbox.ErrNoAccount) {
		t.Errorf("nothing: %v", err)
	}
}

// TestBlockedIsPrivate: the same sender has another MAC in each account.
func TestBlockedIsPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := map[string]bool{}
	for _, address := range []string{"b@example.org", "c@example.org"} {
		x, c := w.owner(t, address)
		if err := x.Block(t.Context(), "eve@example.net"); err != nil {
			t.Fatal(err)
		}
		list, err := x.BlockedSenders(t.Context())
		if err != nil || len(list) != 1 || list[0].Sender != "eve@example.net" {
			t.Fatalf("got %v, %v", list, err)
		}
		ids[list[0].ID] = true
		me := mailbox.Recipient{Account: c.Account}
		if got, err := w.Blocks(t.Context(), me, addr.Address{}); err != nil || got {
			t.Errorf("the null sender is blocked: %v, %v", got, err)
		}
	}
	if len(ids) != 2 {
		t.Error("two accounts have one MAC for a sender")
	}
}
