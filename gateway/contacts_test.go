package gateway

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
	"github.com/restante/restante/pgp"
)

// newVault makes a vault that opens cheaply.
func newVault(t testing.TB) (*vault.Vault, vault.Options) {
	t.Helper()
	o := vault.Options{
		Dir:        t.TempDir(),
		Passphrase: func() (string, error) { return "x", nil },
		Stretch:    seal.Params{Time: 1, MemoryKiB: 1 << 10, Threads: 1},
	}
	v, err := vault.Create(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v, o
}

func reopenVault(t *testing.T, v *vault.Vault, o vault.Options) *vault.Vault {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// TestContacts: what is learned is there after the vault was closed and opened.
func TestContacts(t *testing.T) {
	t.Parallel()
	v, o := newVault(t)
	c := NewContacts(v)
	bob, a := generate(t, "Bob@example.org")
	_, b := generate(t, "bob@example.org")
	now := time.Now()
	if _, _, err := c.Cert(bob, now); !errors.Is(err, ErrNoKey) {
		t.Errorf("nothing known: got %v, want ErrNoKey", err)
	}
	see := func(k *pgp.Key, n int) Event {
		t.Helper()
		event, err := c.Update(bob, func(p Peer) (Peer, Event) {
			return p.See(bob, Sighting{Date: day(n), Cert: k.Cert(), Signer: k.Fingerprint(), Mutual: true})
		})
		if err != nil {
			t.Fatal(err)
		}
		return event
	}
	if got := see(a, 0); got != FirstKey {
		t.Errorf("got event %d, want FirstKey", got)
	}
	want, err := c.Peer(bob)
	if err != nil {
		t.Fatal(err)
	}
	c = NewContacts(reopenVault(t, v, o))
	got, err := c.Peer(addr.MustParse("bob@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("after reopening: got - want +\n%s", diff)
	}
	if cert, standing, err := c.Cert(bob, now); err != nil || cert.Fingerprint() != a.Fingerprint() || standing != Pinned {
		t.Errorf("got %v, %v, want the pinned key", standing, err)
	}
	see(b, 1)
	if _, _, err := c.Cert(bob, now); !errors.Is(err, ErrHeld) {
		t.Errorf("a changed key: got %v, want ErrHeld", err)
	}
	if certs, err := c.Certs(bob); err != nil || len(certs) != 2 {
		t.Errorf("got %d certificates, %v, want 2", len(certs), err)
	}
	if err := c.Accept(bob, a.Fingerprint()); err == nil {
		t.Error("accepting another key than the held one: got no error")
	}
	if err := c.Accept(bob, b.Fingerprint()); err != nil {
		t.Error(err)
	}
	if cert, _, err := c.Cert(bob, now); err != nil || cert.Fingerprint() != b.Fingerprint() {
		t.Errorf("after accepting: got %v, want the new key", err)
	}
	see(a, 2)
	if err := c.Refuse(bob, a.Fingerprint()); err != nil {
		t.Error(err)
	}
	if cert, _, err := c.Cert(bob, now); err != nil || cert.Fingerprint() != b.Fingerprint() {
		t.Errorf("after refusing: got %v, want the key as before", err)
	}
}

// TestContactsAtOnce: what several goroutines learn of one peer is all there.
func TestContactsAtOnce(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	c := NewContacts(v)
	bob, k := generate(t, "bob@example.org")
	var group sync.WaitGroup
	for i := range maxProvenance {
		group.Go(func() {
			_, err := c.Update(bob, func(p Peer) (Peer, Event) {
				return p.Hear(bob, k.Cert(), addr.MustParse(fmt.Sprintf("p%d@example.org", i)), day(i))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n := 0
	err := c.Each(func(a addr.Address, p Peer) error {
		n++
		if got := len(p.Certs[k.Fingerprint()].Provenance); !a.Equal(bob) || got != maxProvenance {
			t.Errorf("got %d sources, want %d", got, maxProvenance)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("got %d contacts, %v, want 1", n, err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	v, o := newVault(t)
	alice, first := generate(t, "alice@example.org")
	_, second := generate(t, "alice@example.org")
	_, foreign := generate(t, "eve@example.org")
	if _, err := LoadIdentity(v, alice); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("got %v, want ErrNoIdentity", err)
	}
	if err := AddKey(v, alice, foreign, day(0)); err == nil {
		t.Error("a key for another address: got no error")
	}
	for i, k := range []*pgp.Key{first, second} {
		if err := AddKey(v, alice, k, day(i)); err != nil {
			t.Fatal(err)
		}
	}
	v = reopenVault(t, v, o)
	got, err := LoadIdentity(v, alice)
	if err != nil {
		t.Fatal(err)
	}
	keys := got.Keys()
	if len(keys) != 2 || keys[0].Fingerprint() != second.Fingerprint() || keys[1].Fingerprint() != first.Fingerprint() {
		t.Errorf("got %d keys, want the second and then the first", len(keys))
	}
	// The crash between making one key current and the other not.
	old := ownKey{Address: alice.String(), Added: day(0), Current: true}
	if old.Secret, err = first.Bytes(nil); err != nil {
		t.Fatal(err)
	}
	if err := putKey(v, string(first.Fingerprint()), old); err != nil {
		t.Fatal(err)
	}
	if got, err = LoadIdentity(v, alice); err != nil || got.Current.Fingerprint() != second.Fingerprint() || len(got.Old) != 1 {
		t.Errorf("two current keys: got %v, want the later one", err)
	}
	if _, err := LoadIdentity(v, addr.MustParse("bob@example.org")); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("another address: got %v, want ErrNoIdentity", err)
	}
}

// TestRotationIsKept: the fields for rotating subkeys come back as they were.
func TestRotationIsKept(t *testing.T) {
	t.Parallel()
	v, o := newVault(t)
	want := ownKey{Address: "alice@example.org", Added: day(0), Rotation: []rotation{{"AB", []byte{1, 2}, day(1), day(2)}}}
	if err := putKey(v, "k", want); err != nil {
		t.Fatal(err)
	}
	v = reopenVault(t, v, o)
	err := eachKey(v, addr.MustParse("alice@example.org"), func(_ string, got ownKey) error {
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("got - want +\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	v, o := newVault(t)
	if _, err := LoadAccount(v); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("got %v, want ErrNoIdentity", err)
	}
	want := Account{Address: "alice@example.org", Password: "p", SMTPS: "a:465", IMAPS: "a:993", CA: []byte("pem")}
	if err := SaveAccount(v, want); err != nil {
		t.Fatal(err)
	}
	id := seal.NewStoreID()
	key, err := StoreKey(v, id)
	if err != nil {
		t.Fatal(err)
	}
	v = reopenVault(t, v, o)
	if got, err := LoadAccount(v); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if again, err := StoreKey(v, id); err != nil || again.Check() != key.Check() {
		t.Errorf("the store's key changed: %v", err)
	}
}
