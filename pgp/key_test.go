package pgp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// testTime is when the keys of the tests are made and used, unless a test says otherwise.
var testTime = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// newTestKey returns a new key for address.
func newTestKey(t testing.TB, address string, p Profile) *Key {
	t.Helper()
	k, err := Generate(addr.MustParse(address), KeyOptions{Profile: p, Now: at(testTime)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    Profile
		algo []packet.PublicKeyAlgorithm // of primary key and subkeys
	}{
		{"hybrid", Hybrid, []packet.PublicKeyAlgorithm{22, 18, 35}},
		{"classic", Classic, []packet.PublicKeyAlgorithm{22, 18}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newTestKey(t, "alice@example.org", tt.p)
			e := k.entity
			algorithms := []packet.PublicKeyAlgorithm{e.PrimaryKey.PubKeyAlgo}
			for _, s := range e.Subkeys {
				algorithms = append(algorithms, s.PublicKey.PubKeyAlgo)
			}
			if diff := cmp.Diff(algorithms, tt.algo); diff != "" {
				t.Errorf("algorithms: got - want +\n%s", diff)
			}
			if e.PrimaryKey.Version != 4 {
				t.Errorf("got version %d, want 4", e.PrimaryKey.Version)
			}
			if e.Identities["<alice@example.org>"] == nil {
				t.Errorf("got user IDs %v, want <alice@example.org>", e.Identities)
			}
			checkPreferences(t, k)
			if got := k.Cert().PostQuantum(testTime); got != (tt.p == Hybrid) {
				t.Errorf("PostQuantum: got %v", got)
			}
		})
	}
}

// checkPreferences holds the key to what its certificate promises to senders.
func checkPreferences(t *testing.T, k *Key) {
	t.Helper()
	sig, err := k.entity.PrimarySelfSignature(testTime, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !sig.SEIPDv1 || !sig.SEIPDv2 {
		t.Errorf("features: got SEIPDv1 %v, SEIPDv2 %v, want both", sig.SEIPDv1, sig.SEIPDv2)
	}
	if got, want := sig.PreferredCipherSuites[0], [2]uint8{uint8(packet.CipherAES256), uint8(packet.AEADModeOCB)}; got != want {
		t.Errorf("preferred cipher suite: got %v, want %v", got, want)
	}
	if got, want := sig.PreferredSymmetric[0], uint8(packet.CipherAES256); got != want {
		t.Errorf("preferred cipher: got %v, want %v", got, want)
	}
	if !sig.FlagSign || !sig.FlagCertify {
		t.Errorf("the primary key may not sign")
	}
}

func TestGenerateRefusesNoAddress(t *testing.T) {
	t.Parallel()
	if k, err := Generate(addr.Address{}, KeyOptions{}); err == nil {
		t.Errorf("got key %s for no address, want an error", k.Fingerprint())
	}
}

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Hybrid)
	passphrase := []byte("correct horse")
	tests := []struct {
		name             string
		write            func() ([]byte, error)
		passphrase       []byte
		wrong            []byte
		wantWrongRefused bool
	}{
		{"open", func() ([]byte, error) { return k.Bytes(nil) }, nil, []byte("x"), false},
		{"locked", func() ([]byte, error) { return k.Bytes(passphrase) }, passphrase, []byte("x"), true},
		{"open armor", func() ([]byte, error) { return k.Armor(nil) }, nil, []byte("x"), false},
		{"locked armor", func() ([]byte, error) { return k.Armor(passphrase) }, passphrase, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := tt.write()
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseKey(b, tt.passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Cert().Bytes(), k.Cert().Bytes()) {
				t.Error("the certificate changed")
			}
			checkOpens(t, got, k.Cert())
			_, err = ParseKey(b, tt.wrong)
			if refused := errors.Is(err, ErrPassphrase); refused != tt.wantWrongRefused {
				t.Errorf("other passphrase: got %v", err)
			}
		})
	}
}

// checkOpens sends a message to c and reads it with k.
func checkOpens(t *testing.T, k *Key, c *Cert) {
	t.Helper()
	sealed := encryptText(t, "hello", nil, []*Cert{c}, EncryptOptions{})
	text, _, err := decryptText(sealed, DecryptOptions{Keys: []*Key{k}})
	if err != nil || text != "hello" {
		t.Errorf("got %q, %v, want the message", text, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	open, err := k.Bytes(nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		input []byte
	}{
		{"nothing", nil},
		{"text", []byte("hello")},
		{"a certificate", k.Cert().Bytes()},
		{"an armored certificate", k.Cert().Armor()},
		{"two keys", append(bytes.Clone(open), open...)},
		{"too much", append(bytes.Clone(open), make([]byte, MaxKey)...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := ParseKey(tt.input, nil); !errors.Is(err, ErrBadCert) {
				t.Errorf("got %v, want ErrBadCert", err)
			}
		})
	}
}

// TestParseKeyBoundsArgon2 raises the memory in a lock to 2 TiB: the key must be refused before anything is derived.
func TestParseKeyBoundsArgon2(t *testing.T) {
	t.Parallel()
	b := argon2Key(t)
	if _, err := ParseKey(b, []byte("secret")); err != nil {
		t.Fatalf("with 64 MiB: %v", err)
	}
	costly := setArgon2Memory(b, 31)
	if _, err := ParseKey(costly, []byte("secret")); !errors.Is(err, ErrBadCert) {
		t.Errorf("with 2 TiB: got %v, want ErrBadCert", err)
	}
}

func TestParseKeyIsIndependentOfLock(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	if _, err := k.Bytes([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	checkOpens(t, k, k.Cert()) // writing a locked copy leaves k unlocked
}

func TestPrimaryKeySigns(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	e := k.entity
	if err := e.AddSigningSubkey(signingSubkeyConfig()); err != nil {
		t.Fatal(err)
	}
	with, err := newKey(e)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := with.signingKey(testTime)
	if err != nil {
		t.Fatal(err)
	}
	if signer.KeyId != e.PrimaryKey.KeyId {
		t.Errorf("got %x, want the primary key %x", signer.KeyId, e.PrimaryKey.KeyId)
	}
}

func signingSubkeyConfig() *packet.Config {
	cfg := config(at(testTime), nil)
	cfg.Algorithm, cfg.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
	return cfg
}
