package gateway

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

func generate(t testing.TB, address string) (addr.Address, *pgp.Key) {
	t.Helper()
	a := addr.MustParse(address)
	k, err := pgp.Generate(a, pgp.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a, k
}

// TestLetter: what is written is what is read, proved to be the writer's; the
// mail shows neither subject nor text, passes the gate, and opens for nobody else.
func TestLetter(t *testing.T) {
	t.Parallel()
	alice, aliceKey := generate(t, "alice@relay.test")
	bob, bobKey := generate(t, "bob@relay.test")
	_, eveKey := generate(t, "eve@relay.test")
	want := Letter{
		From: alice, To: bob, Subject: "Grüße vom Café", Text: "Hello Bob,\nthis is between us.\n",
		Date: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC),
	}
	mail, err := want.Seal(aliceKey, bobKey.Cert())
	if err != nil {
		t.Fatal(err)
	}
	if err := pgp.Inspect(bytes.NewReader(mail), pgp.InspectOptions{}); err != nil {
		t.Errorf("the gate refuses the letter: %v", err)
	}
	for _, secret := range []string{"vom_Caf", "vom Caf", "between us"} {
		if strings.Contains(string(mail), secret) {
			t.Errorf("the mail shows %q", secret)
		}
	}
	got, result, err := OpenLetter(mail, bobKey, aliceKey.Cert())
	if err != nil {
		t.Fatal(err)
	}
	got.Date = got.Date.UTC()
	if diff := cmp.Diff(got, want, cmp.Comparer(addr.Address.Equal)); diff != "" {
		t.Error(diff)
	}
	if result.Signature != pgp.GoodSignature || result.Signer != aliceKey.Fingerprint() {
		t.Errorf("signature %v by %v, want a good one by the writer", result.Signature, result.Signer)
	}
	if _, result, err = OpenLetter(mail, bobKey, eveKey.Cert()); err != nil || result.Signature == pgp.GoodSignature {
		t.Errorf("signature %v without the writer's certificate, error %v", result.Signature, err)
	}
	if _, _, err := OpenLetter(mail, eveKey, aliceKey.Cert()); err == nil {
		t.Error("a third person opened the letter")
	}
}
