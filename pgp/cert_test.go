package pgp

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/restante/restante/internal/addr"
)

func TestParseCertRefuses(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "a@example.org", Classic)
	private, err := k.Bytes(nil)
	if err != nil {
		t.Fatal(err)
	}
	armoredPrivate, err := k.Armor(nil)
	if err != nil {
		t.Fatal(err)
	}
	cert := k.Cert().Bytes()
	tests := []struct {
		name string
		in   []byte
	}{
		{"nothing", nil},
		{"text", []byte("hello")},
		{"a private key", private},
		{"an armored private key", armoredPrivate},
		{"two certificates", slices.Concat(cert, newTestKey(t, "b@example.org", Classic).Cert().Bytes())},
		{"a message", encryptText(t, "x", nil, []*Cert{k.Cert()}, EncryptOptions{Binary: true})},
		{"cut off in the primary key", cert[:20]},
		{"only the primary key", cert[:53]},
		{"too long", slices.Concat(cert, make([]byte, MaxCert))},
		{"broken armor", []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n")},
		{"a flood of signatures", flood(t, cert)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := ParseCert(tt.in); !errors.Is(err, ErrBadCert) {
				t.Errorf("got %v, want ErrBadCert", err)
			}
		})
	}
}

// flood repeats a signature of a certificate more often than we check.
func flood(t *testing.T, cert []byte) []byte {
	t.Helper()
	e := parseTestEntity(t, cert)
	bindings := e.Subkeys[0].Bindings
	for range maxCertSignatures {
		e.Subkeys[0].Bindings = append(e.Subkeys[0].Bindings, bindings...)
	}
	var out bytes.Buffer
	if err := serializePublic(&out, e); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParseCertForms(t *testing.T) {
	t.Parallel()
	c := newTestKey(t, "Alice@example.org", Hybrid).Cert()
	for name, in := range map[string][]byte{
		"binary":     c.Bytes(),
		"armor":      c.Armor(),
		"LF armor":   bytes.ReplaceAll(c.Armor(), []byte("\r\n"), []byte("\n")),
		"with words": slices.Concat([]byte("My key:\r\n\r\n"), c.Armor()),
	} {
		got, err := ParseCert(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Fingerprint() != c.Fingerprint() || !bytes.Equal(got.Bytes(), c.Bytes()) {
			t.Errorf("%s: got another certificate", name)
		}
	}
	if !c.HasAddress(addr.MustParse("alice@example.org")) || c.HasAddress(addr.MustParse("bob@example.org")) {
		t.Errorf("got addresses %v, want alice only", c.Addresses())
	}
	if got := c.Created(); !got.Equal(testTime) {
		t.Errorf("got creation %v, want %v", got, testTime)
	}
	if len(c.Fingerprint()) != 40 || strings.ToUpper(string(c.Fingerprint())) != string(c.Fingerprint()) {
		t.Errorf("got fingerprint %s", c.Fingerprint())
	}
}

// TestParseCertCleans adds to a certificate what its owner has not signed.
func TestParseCertCleans(t *testing.T) {
	t.Parallel()
	alice, eve := newTestKey(t, "alice@example.org", Classic), newTestKey(t, "eve@example.org", Classic)
	dirty := parseTestEntity(t, alice.Cert().Bytes())
	stranger := parseTestEntity(t, eve.Cert().Bytes())
	for name, id := range stranger.Identities { // somebody else's address with somebody else's signature
		dirty.Identities[name] = id
	}
	dirty.Subkeys = append(dirty.Subkeys, stranger.Subkeys...) // a key that only Eve can use
	if err := dirty.SignIdentity("<alice@example.org>", eve.entity, config(at(testTime), nil)); err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if err := dirty.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	got, err := ParseCert(raw.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), alice.Cert().Bytes()) {
		t.Errorf("got %d octets, want the %d of the clean certificate", len(got.Bytes()), len(alice.Cert().Bytes()))
	}
}

func parseTestEntity(t *testing.T, b []byte) *openpgp.Entity {
	t.Helper()
	list, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// TestParseCertRefusesOldHash checks that a user ID bound by an MD5 signature is not.
func TestParseCertRefusesOldHash(t *testing.T) {
	t.Parallel()
	s := &packet.Signature{Hash: crypto.MD5}
	if acceptable(s) {
		t.Error("MD5 is acceptable")
	}
	s = &packet.Signature{Hash: crypto.SHA256, Notations: []*packet.Notation{{Name: "x@example.org", IsCritical: true}}}
	if acceptable(s) {
		t.Error("an unknown critical notation is acceptable")
	}
}

// changedKey returns a key that change has been at.
func changedKey(t *testing.T, cfg *packet.Config, change func(*openpgp.Entity) error) *Cert {
	t.Helper()
	e, err := openpgp.NewEntity("", "", "a@example.org", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(e); err != nil {
		t.Fatal(err)
	}
	k, err := newKey(e)
	if err != nil {
		t.Fatal(err)
	}
	return k.Cert()
}

func TestUsable(t *testing.T) {
	t.Parallel()
	cfg := signingSubkeyConfig()
	expiring := signingSubkeyConfig()
	expiring.KeyLifetimeSecs = 3600
	nothing := func(*openpgp.Entity) error { return nil }
	revoke := func(e *openpgp.Entity) error { return e.Revoke(packet.KeyRetired, "", cfg) }
	revokeSubkey := func(e *openpgp.Entity) error { return e.Subkeys[0].Revoke(packet.KeyRetired, "", cfg) }
	dropSubkey := func(e *openpgp.Entity) error { e.Subkeys = nil; return nil }
	rotate := func(e *openpgp.Entity) error {
		if err := e.AddEncryptionSubkey(cfg); err != nil {
			return err
		}
		return e.Subkeys[0].Revoke(packet.KeyCompromised, "", cfg)
	}
	tests := []struct {
		name string
		cert *Cert
		when time.Time
		want error
	}{
		{"fresh", changedKey(t, cfg, nothing), testTime, nil},
		{"years later", changedKey(t, cfg, nothing), testTime.AddDate(20, 0, 0), nil},
		{"before it was made", changedKey(t, cfg, nothing), testTime.Add(-time.Hour), ErrCannotEncrypt},
		{"before it expires", changedKey(t, expiring, nothing), testTime.Add(59 * time.Minute), nil},
		{"expired", changedKey(t, expiring, nothing), testTime.Add(time.Hour + time.Second), ErrExpired},
		{"revoked", changedKey(t, cfg, revoke), testTime, ErrRevoked},
		{"subkey revoked", changedKey(t, cfg, revokeSubkey), testTime, ErrCannotEncrypt},
		{"no subkey", changedKey(t, cfg, dropSubkey), testTime, ErrCannotEncrypt},
		{"subkey rotated", changedKey(t, cfg, rotate), testTime, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.cert.Usable(tt.when); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			again, err := ParseCert(tt.cert.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Usable(tt.when); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("parsed again: got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestCertIsShared uses one certificate and one key from many goroutines, for the race detector.
func TestCertIsShared(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "a@example.org", Hybrid)
	cert, err := ParseCert(k.Cert().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			sealed := encryptText(t, "hello", k, []*Cert{cert}, EncryptOptions{})
			text, result, err := decryptText(sealed, DecryptOptions{Keys: []*Key{k}, Certs: []*Cert{cert}})
			if err != nil || text != "hello" || result.Signature != GoodSignature {
				t.Errorf("got %q, %v, %v", text, result.Signature, err)
			}
			cert.Armor()
			cert.Addresses()
			if _, err := k.Bytes(nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// FuzzParseCert checks that what parses is the same when written and parsed again, and encrypts or says why not.
func FuzzParseCert(f *testing.F) {
	f.Add(newTestKey(f, "a@example.org", Hybrid).Cert().Bytes())
	for _, name := range []string{"gpg-bob", "gpg-rsa", "sqop-bob", "pgpainless-bob", "openpgpjs-v4", "openpgpjs-v6"} {
		f.Add(readTestCert(f, name).Bytes())
	}
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCert(b)
		if err != nil {
			if !errors.Is(err, ErrBadCert) {
				t.Errorf("got %v, want ErrBadCert", err)
			}
			return
		}
		again, err := ParseCert(c.Bytes())
		if err != nil {
			t.Fatalf("what was parsed cannot be parsed when written: %v", err)
		}
		if again.Fingerprint() != c.Fingerprint() || !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Errorf("the certificate changed when written and parsed")
		}
		if c.Usable(afterVectors) == nil {
			encryptText(t, "x", nil, []*Cert{c}, EncryptOptions{Now: at(afterVectors)})
		}
	})
}
