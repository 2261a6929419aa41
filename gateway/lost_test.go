package gateway

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/restante/restante/pgp"
)

// TestLostDevice: the lost device opens neither the backup nor mail that is written from
// now on; a contact learns it from the next mail, and the sheet of before is void.
func TestLostDevice(t *testing.T) {
	t.Parallel()
	account := newRelay(t).account(t, "alice")
	a := newHome(t, account)
	backUp(t, a)
	before := recoveryCode(t, a)
	lost := restored(t, account, before)
	oldCert := lost.Identity().Current.Cert()
	if err := a.LostDevice(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, _ := newVault(t)
	if err := Restore(t.Context(), v, account, before, time.Now()); !errors.Is(err, ErrRecoveryCode) {
		t.Errorf("the old sheet: got %v, want ErrRecoveryCode", err)
	}
	if err := lost.Backup(t.Context()); !errors.Is(err, pgp.ErrNoKey) {
		t.Errorf("the lost device's backup: got %v, want pgp.ErrNoKey", err)
	}
	again := restored(t, account, recoveryCode(t, a))
	if again.Identity().Current.Fingerprint() != oldCert.Fingerprint() {
		t.Error("the new sheet restores another key")
	}

	bob := Peer{}.Import(a.upstream.Address, oldCert, time.Now().Add(-time.Hour))
	bob, event := bob.See(a.upstream.Address, Sighting{
		Date: time.Now(), Cert: a.Identity().Current.Cert(), Signer: oldCert.Fingerprint(),
	})
	cert, err := pgp.ParseCert(bob.Certs[oldCert.Fingerprint()].Cert)
	if err != nil || event != Nothing {
		t.Fatalf("what bob sees: event %v, %v", event, err)
	}
	var sealed bytes.Buffer
	w, err := pgp.EncryptTo(&sealed, []*pgp.Cert{cert}, pgp.EncryptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		h    *home
		want error
	}{"lost": {lost, pgp.ErrNoKey}, "kept": {a, nil}, "restored": {again, nil}} {
		_, err := pgp.Decrypt(&bytes.Buffer{}, bytes.NewReader(sealed.Bytes()), pgp.DecryptOptions{Keys: c.h.Identity().Keys()})
		if !errors.Is(err, c.want) {
			t.Errorf("the device that is %s: got %v, want %v", name, err, c.want)
		}
	}
}
