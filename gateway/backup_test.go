package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// restored sets up another machine of the same user, with the recovery code alone.
func restored(t *testing.T, account Account, code string) *home {
	t.Helper()
	v, o := newVault(t)
	if err := Restore(t.Context(), v, account, code, time.Now()); err != nil {
		t.Fatal(err)
	}
	h := &home{dir: t.TempDir(), account: account, options: o, vault: v}
	h.open(t)
	t.Cleanup(func() { h.close(t) })
	return h
}

func recoveryCode(t *testing.T, h *home) string {
	t.Helper()
	code, err := RecoveryCode(h.vault)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func backUp(t *testing.T, h *home) {
	t.Helper()
	if err := h.Backup(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// kept lists the mails in the devices' mailbox at the provider.
func kept(t *testing.T, h *home) (list []deviceMail) {
	t.Helper()
	err := h.upstream.onServer(t.Context(), func(r *remote) (err error) {
		list, err = r.deviceMails()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// settled reads what a gateway knows, in the form in which it is carried.
func settled(t *testing.T, h *home) map[string]string {
	t.Helper()
	b, err := newBundle(h.vault, time.Time{}, false)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range b.Records {
		got[r.Kind+" "+r.Name] = string(r.lasting())
	}
	return got
}

// TestRestore: a new machine has everything from the recovery code alone, and from no
// other code anything.
func TestRestore(t *testing.T) {
	t.Parallel()
	account := newRelay(t).account(t, "alice")
	a := newHome(t, account)
	bob, bobKey := generate(t, "bob@example.org")
	_, carolKey := generate(t, "carol@example.org")
	if err := a.Contacts().Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	a.knows(t, "carol@example.org", carolKey.Cert())
	if _, err := a.NewGroup(t.Context(), "Family", bob); err != nil {
		t.Fatal(err)
	}
	v, _ := newVault(t)
	code := recoveryCode(t, a)
	if err := Restore(t.Context(), v, account, code, time.Now()); !errors.Is(err, ErrNoBackup) {
		t.Errorf("before there is a backup: got %v, want ErrNoBackup", err)
	}
	backUp(t, a)
	other, _ := newVault(t)
	wrong, err := RecoveryCode(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{wrong, code[:len(code)-1], ""} {
		if err := Restore(t.Context(), v, account, c, time.Now()); !errors.Is(err, ErrRecoveryCode) {
			t.Errorf("another code: got %v, want ErrRecoveryCode", err)
		}
	}
	if _, err := LoadAccount(v); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("after another code there is something in the vault: %v", err)
	}
	closeOrFail(t, v)

	b := restored(t, account, code)
	if diff := cmp.Diff(settled(t, b), settled(t, a)); diff != "" {
		t.Errorf("restored, and what was saved:\n%s", diff)
	}
	if got, want := b.Identity().Current.Fingerprint(), a.key.Fingerprint(); got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	if _, standing, err := b.Contacts().Cert(bob, time.Now()); standing != Verified || err != nil {
		t.Errorf("bob is %v, %v, want verified", standing, err)
	}
	if len(b.Groups()) != 1 {
		t.Errorf("groups: %v", b.Groups())
	}
	backUp(t, b)
	if got := kept(t, a); len(got) != 1 {
		t.Errorf("%d mails in the devices' mailbox, want 1: nothing had changed", len(got))
	}
}

// TestBackupFollowsChanges: what changes while the gateway runs is saved without asking,
// and a mail that says nothing new about its writer is no change.
func TestBackupFollowsChanges(t *testing.T) {
	t.Parallel()
	a := newHome(t, newRelay(t).account(t, "alice"))
	a.keeper.settle = time.Millisecond
	serve(t, a.keeper.run)
	first := awaitBackup(t, a, "")
	bob, bobKey := generate(t, "bob@example.org")
	if err := a.Contacts().Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	second := awaitBackup(t, a, first.Digest)
	_, err := a.Contacts().Update(bob, func(p Peer) (Peer, Event) {
		return p.See(bob, Sighting{Date: time.Now(), Cert: bobKey.Cert(), Signer: bobKey.Fingerprint()})
	})
	if err != nil {
		t.Fatal(err)
	}
	backUp(t, a)
	if s, _, err := a.keeper.state(); err != nil || s.ID != second.ID {
		t.Errorf("a mail from bob has made another backup: %v, %v", s, err)
	}
	if list := kept(t, a); len(list) != 1 || list[0].id != second.ID {
		t.Errorf("in the devices' mailbox: %v, want %s alone", list, second.ID)
	}
}

// awaitBackup waits for a backup of something else than digest.
func awaitBackup(t *testing.T, h *home, digest string) BackupState {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		s, fault, err := h.keeper.state()
		if err != nil {
			t.Fatal(err)
		}
		if s.Digest != digest && fault == nil {
			return s
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("no backup was made: %v", fault)
		}
	}
}

// TestBackupOfTwoDevices: each learns what the other has learned, and a key that one has
// made is the current one of both.
func TestBackupOfTwoDevices(t *testing.T) {
	t.Parallel()
	account := newRelay(t).account(t, "alice")
	a := newHome(t, account)
	backUp(t, a)
	b := restored(t, account, recoveryCode(t, a))
	bob, bobKey := generate(t, "bob@example.org")
	carol, carolKey := generate(t, "carol@example.org")
	if err := a.Contacts().Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.Contacts().Import(carol, carolKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	_, newKey := generate(t, account.Address)
	if err := AddKey(b.vault, b.upstream.Address, newKey, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*home{a, b, a} {
		backUp(t, h)
	}
	if diff := cmp.Diff(settled(t, a), settled(t, b)); diff != "" {
		t.Errorf("the devices know different things:\n%s", diff)
	}
	if _, standing, err := a.Contacts().Cert(carol, time.Now()); standing != Pinned || err != nil {
		t.Errorf("carol is %v, %v, want pinned", standing, err)
	}
	if got := a.Identity().Current.Fingerprint(); got != newKey.Fingerprint() {
		t.Errorf("the first device uses %s, want %s", got, newKey.Fingerprint())
	}
}

// TestForeignBackup: a backup under another code is neither read nor removed.
func TestForeignBackup(t *testing.T) {
	t.Parallel()
	account := newRelay(t).account(t, "alice")
	a, stranger := newHome(t, account), newHome(t, account)
	backUp(t, a)
	if err := stranger.Backup(t.Context()); !errors.Is(err, pgp.ErrNoKey) {
		t.Errorf("got %v, want pgp.ErrNoKey", err)
	}
	if has, err := a.upstream.HasBackup(t.Context()); !has || err != nil {
		t.Errorf("the backup is gone: %v", err)
	}
	restored(t, account, recoveryCode(t, a))
}

// TestBackupSaysNothing: what lies at the provider has no name of anybody in it.
func TestBackupSaysNothing(t *testing.T) {
	t.Parallel()
	a := newHome(t, newRelay(t).account(t, "alice"))
	bob, bobKey := generate(t, "marked-bob@example.org")
	if err := a.Contacts().Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	backUp(t, a)
	err := a.upstream.onServer(t.Context(), func(r *remote) error {
		list, err := r.deviceMails()
		if err != nil {
			return err
		}
		mail, _, err := r.readDeviceMail(list[0])
		for _, word := range []string{"marked-bob", string(bobKey.Fingerprint()), recoveryCode(t, a)} {
			if bytes.Contains(mail, []byte(word)) {
				t.Errorf("the backup shows %q", word)
			}
		}
		content, openErr := openDeviceMail(mail, recoveryCode(t, a))
		b, unpackErr := unpack(content)
		if err := errors.Join(openErr, unpackErr); err != nil {
			return err
		}
		if text, _ := json.Marshal(b); !bytes.Contains(text, []byte("marked-bob")) {
			t.Error("the test looks for the wrong word")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSparse: of what can be learned again a large backup keeps nothing.
func TestSparse(t *testing.T) {
	t.Parallel()
	v, _ := newVault(t)
	defer closeOrFail(t, v)
	c := NewContacts(v)
	bob, bobKey := generate(t, "bob@example.org")
	carol, carolKey := generate(t, "carol@example.org")
	if err := c.Verify(bob, bobKey.Cert(), time.Now()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Update(carol, func(p Peer) (Peer, Event) { return p.Hear(carol, carolKey.Cert(), bob, time.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	for sparse, want := range map[bool]int{false: 2, true: 1} {
		b, err := newBundle(v, time.Now(), sparse)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Records) != want {
			t.Errorf("sparse %v: %d records, want %d", sparse, len(b.Records), want)
		}
	}
}

// FuzzUnpack: what is taken into a vault is what can be read from it.
func FuzzUnpack(f *testing.F) {
	v, _ := newVault(f)
	a := addr.MustParse("bob@example.org")
	key, err := pgp.Generate(a, pgp.KeyOptions{Profile: pgp.Classic})
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(NewContacts(v).Verify(a, key.Cert(), time.Now()), AddKey(v, a, key, time.Now())); err != nil {
		f.Fatal(err)
	}
	b, err := newBundle(v, time.Now(), false)
	if err != nil {
		f.Fatal(err)
	}
	good, err := b.pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, packed []byte) {
		b, err := unpack(packed)
		if err != nil {
			return
		}
		for _, r := range b.Records {
			if r.Kind == keyKind {
				var o ownKey
				if err := json.Unmarshal(r.Content, &o); err != nil {
					t.Errorf("took a key that can't be read: %v", err)
				}
			}
			if r.Kind == contactKind {
				if _, err := decodeContact(r.Content); err != nil {
					t.Errorf("took a contact that can't be read: %v", err)
				}
			}
		}
		if _, err := b.pack(); err != nil {
			t.Error(err)
		}
	})
}
