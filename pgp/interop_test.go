package pgp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// readTestdata returns a file of testdata.
func readTestdata(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readTestKey(t testing.TB, name string) *Key {
	t.Helper()
	k, err := ParseKey(readTestdata(t, "keys", name+".key.asc"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func readTestCert(t testing.TB, name string) *Cert {
	t.Helper()
	c, err := ParseCert(readTestdata(t, "certs", name+".cert.asc"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// afterVectors is later than all signatures in testdata.
var afterVectors = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// TestDecryptOthers reads what other software wrote; testdata/messages/README.md says which and how.
func TestDecryptOthers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		openedBy   string // a key; empty for the passphrase
		signer     string // a certificate; empty if unsigned
		recipients int
	}{
		{"gpg-sign-encrypt", "hybrid", "gpg-bob", 2},
		{"gpg-encrypt-nozip", "classic", "", 1},
		{"gpg-hidden", "classic", "", 1},
		{"gpg-rsa", "classic", "", 2},
		{"gpg-version", "classic", "", 1},
		{"gpg-big", "classic", "gpg-bob", 1},
		{"gpg-symmetric", "", "", 0},
		{"sq-encrypt", "hybrid", "", 1},
		{"sqop-sign-encrypt", "classic", "sqop-bob", 1},
		{"sqop-encrypt", "hybrid", "", 1},
		{"sqop-password", "", "", 0},
		{"pgpainless-sign-encrypt", "hybrid", "pgpainless-bob", 1},
		{"pgpainless-password", "", "", 0},
		{"openpgpjs-sign-encrypt", "classic", "openpgpjs-v4", 1},
		{"openpgpjs-hybrid", "hybrid", "openpgpjs-v4", 1},
		{"openpgpjs-v6-signer", "classic", "openpgpjs-v6", 2},
		{"openpgpjs-v1", "classic", "", 2},
		{"openpgpjs-password-v4", "", "", 0},
		{"openpgpjs-password-v6", "", "", 0},
		{"openpgpjs-argon2", "", "", 0},
		{"openpgpjs-version-comment", "classic", "", 1},
	}
	hybrid, classic := readTestKey(t, "hybrid"), readTestKey(t, "classic")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := Result{Recipients: tt.recipients}
			o := DecryptOptions{Keys: []*Key{hybrid, classic}, Now: at(afterVectors), MaxArgon2: 2 << 30}
			switch tt.openedBy {
			case "":
				o.Passphrases = [][]byte{[]byte("open sesame")}
			case "hybrid":
				want.OpenedBy = hybrid.Fingerprint()
			case "classic":
				want.OpenedBy = classic.Fingerprint()
			}
			if tt.signer != "" {
				signer := readTestCert(t, tt.signer)
				o.Certs = []*Cert{signer}
				want.Signature, want.Signer = GoodSignature, signer.Fingerprint()
			}
			text, got, err := decryptText(readTestdata(t, "messages", tt.name+".asc"), o)
			if err != nil {
				t.Fatal(err)
			}
			got.SignedAt, got.Anonymous = time.Time{}, 0
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			plain := "plain.txt"
			if tt.name == "gpg-big" {
				plain = "big.txt"
			}
			if text != string(readTestdata(t, "messages", plain)) {
				t.Errorf("got %q, want %s", text, plain)
			}
		})
	}
}

// TestEncryptToOthers checks which packets we write to certificates of other software.
func TestEncryptToOthers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cert, address string
		want          []string
	}{
		{"gpg-bob", "bob.gpg@example.org", []string{"1 v3 18", "18 v1"}},
		{"gpg-rsa", "rsa.gpg@example.org", []string{"1 v3 1", "18 v1"}},
		{"sqop-bob", "bob.sqop@example.org", []string{"1 v3 18", "18 v1"}},
		{"pgpainless-bob", "bob.painless@example.org", []string{"1 v3 18", "18 v1"}},
		{"openpgpjs-v4", "bob.js@example.org", []string{"1 v3 18", "18 v1"}},
		{"openpgpjs-v6", "bob.v6@example.org", []string{"1 v6 25", "18 v2"}},
	}
	for _, tt := range tests {
		t.Run(tt.cert, func(t *testing.T) {
			t.Parallel()
			c := readTestCert(t, tt.cert)
			if !c.HasAddress(addr.MustParse(tt.address)) {
				t.Errorf("got addresses %v, want %s", c.Addresses(), tt.address)
			}
			message := encryptText(t, "hello", nil, []*Cert{c}, EncryptOptions{Binary: true, Now: at(afterVectors)})
			got := describe(t, message)
			for i := range got { // sqop's certificates have several encryption keys
				if i > 0 && got[i] == got[i-1] {
					got = append(got[:i], got[i+1:]...)
					break
				}
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			if err := checkPackets(message); err != nil {
				t.Errorf("the gate: %v", err)
			}
		})
	}
}

// TestTestKeysAreOurs checks that the committed keys are still of the shape that Generate makes.
func TestTestKeysAreOurs(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Profile{"hybrid": Hybrid, "classic": Classic} {
		k := readTestKey(t, name)
		checkPreferences(t, k)
		fresh := newTestKey(t, name+"@example.org", p)
		if got, want := len(k.Cert().Bytes()), len(fresh.Cert().Bytes()); got < want-8 || got > want+8 {
			t.Errorf("%s: the certificate has %d octets, a fresh one %d", name, got, want)
		}
		cert, err := ParseCert(readTestdata(t, "keys", name+".cert.asc"))
		if err != nil || !bytes.Equal(cert.Bytes(), k.Cert().Bytes()) {
			t.Errorf("%s: certificate and key differ: %v", name, err)
		}
	}
}

// TestCertFitsAutocrypt holds the size that makes a hybrid certificate usable in mail headers.
func TestCertFitsAutocrypt(t *testing.T) {
	t.Parallel()
	a := Autocrypt{Addr: addr.MustParse(strings.Repeat("x", 60) + "@" + strings.Repeat("y", 60) + ".example"), Cert: newTestKey(t, "a@example.org", Hybrid).Cert()}
	value, err := a.Value()
	if err != nil || len(value) > 3000 {
		t.Errorf("got %d octets, %v, want under 3000", len(value), err)
	}
}
