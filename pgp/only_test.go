package pgp

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

func TestOnly(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Hybrid)
	if err := k.entity.AddUserId("Alice", "", "real.name@example.net", config(at(testTime), nil)); err != nil {
		t.Fatal(err)
	}
	both, err := newCert(k.entity)
	if err != nil || len(both.Addresses()) != 2 {
		t.Fatalf("addresses %d, %v", len(both.Addresses()), err)
	}
	before := bytes.Clone(both.Bytes())
	one := addr.MustParse("Alice@example.org")
	got, err := both.Only(one)
	if err != nil {
		t.Fatal(err)
	}
	byText := cmp.Comparer(addr.Address.Equal)
	if diff := cmp.Diff(got.Addresses(), []addr.Address{one}, byText); diff != "" {
		t.Errorf("addresses: got - want +\n%s", diff)
	}
	if got.Fingerprint() != both.Fingerprint() || got.Usable(testTime) != nil || !got.PostQuantum(testTime) {
		t.Error("the keys are not those of the whole certificate")
	}
	for _, secret := range []string{"real.name", "Alice <"} {
		if bytes.Contains(got.Bytes(), []byte(secret)) {
			t.Errorf("the bytes still hold %q", secret)
		}
	}
	if again, err := ParseCert(got.Bytes()); err != nil || !bytes.Equal(again.Bytes(), got.Bytes()) {
		t.Errorf("it parses as another certificate: %v", err)
	}
	if !bytes.Equal(both.Bytes(), before) || len(both.Addresses()) != 2 {
		t.Error("the whole certificate was changed")
	}
	if _, err := both.Only(addr.MustParse("bob@example.org")); !errors.Is(err, ErrBadCert) {
		t.Errorf("another address: %v, want ErrBadCert", err)
	}
}
