package pgp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
)

// TestRenew: what is written to the renewed key is closed to the old one; what was written
// to the old one opens with the renewed; and a contact needs nothing but the new copy.
func TestRenew(t *testing.T) {
	t.Parallel()
	owner := addr.MustParse("alice@example.org")
	then := time.Now().Add(-time.Hour)
	old, err := Generate(owner, KeyOptions{Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := old.Renew(KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Fingerprint() != old.Fingerprint() || !renewed.Cert().PostQuantum(time.Now()) {
		t.Errorf("renewed: %s, post-quantum %v", renewed.Fingerprint(), renewed.Cert().PostQuantum(time.Now()))
	}
	merged, err := Merge(old.Cert(), renewed.Cert(), owner)
	if err != nil {
		t.Fatal(err)
	}
	// Old copies that still go round take nothing back.
	if merged, err = Merge(merged, old.Cert(), owner); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		to   *Cert
		with *Key
		want error
	}{
		{"new mail, old key", merged, old, ErrNoKey},
		{"new mail, renewed key", merged, renewed, nil},
		{"old mail, renewed key", old.Cert(), renewed, nil},
	} {
		var sealed, opened bytes.Buffer
		w, err := EncryptTo(&sealed, []*Cert{c.to}, EncryptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("geese")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Decrypt(&opened, &sealed, DecryptOptions{Keys: []*Key{c.with}}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}
