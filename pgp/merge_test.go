package pgp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// changed returns the certificate of k after change, which may sign at the time of the Config.
func changed(t *testing.T, k *Key, when time.Time, change func(*openpgp.Entity, *packet.Config) error) *Cert {
	t.Helper()
	b, err := k.Bytes(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseEntity(b, MaxKey, openpgp.PrivateKeyType)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(e, config(at(when), nil)); err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	if err := serializePublic(&public, e); err != nil {
		t.Fatal(err)
	}
	c, err := ParseCert(public.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addSubkey(e *openpgp.Entity, cfg *packet.Config) error {
	cfg.Algorithm, cfg.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
	return e.AddEncryptionSubkey(cfg)
}

func addUserID(address string) func(*openpgp.Entity, *packet.Config) error {
	return func(e *openpgp.Entity, cfg *packet.Config) error { return e.AddUserId("", "", address, cfg) }
}

func revoke(e *openpgp.Entity, cfg *packet.Config) error {
	return e.Revoke(packet.KeyCompromised, "", cfg)
}

func revokeFirstSubkey(e *openpgp.Entity, cfg *packet.Config) error {
	return e.Subkeys[0].Revoke(packet.KeyCompromised, "", cfg)
}

// renew signs the user ID again, as edit says.
func renew(edit func(*packet.Signature)) func(*openpgp.Entity, *packet.Config) error {
	return func(e *openpgp.Entity, cfg *packet.Config) error {
		id := e.Identities["<alice@example.org>"]
		sig := *id.SelfCertifications[0].Packet
		sig.CreationTime = cfg.Now()
		edit(&sig)
		err := sig.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, cfg)
		id.SelfCertifications = append(id.SelfCertifications, packet.NewVerifiableSig(&sig))
		return err
	}
}

// facts is what a merge must keep or add.
type facts struct {
	Subkeys, Usable int
	Revoked         bool
	Addresses       int
}

func factsOf(c *Cert, now time.Time) facts {
	keys, err := c.encryptionKeys(now)
	return facts{len(c.entity.Subkeys), len(keys), errors.Is(err, ErrRevoked), len(c.Addresses())}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	later := testTime.Add(time.Hour)
	plain := k.Cert()
	two := changed(t, k, later, addSubkey)
	lost := changed(t, k, later, func(e *openpgp.Entity, _ *packet.Config) error { e.Subkeys = nil; return nil })
	withdrawn := changed(t, k, later, revokeFirstSubkey)
	dead := changed(t, k, later, revoke)
	alias := changed(t, k, later, addUserID("secret@example.net"))
	other := changed(t, newTestKey(t, "alice@example.org", Classic), later, addSubkey)
	tests := []struct {
		name          string
		known, update *Cert
		want          facts
	}{
		{"nothing new", plain, plain, facts{1, 1, false, 1}},
		{"a new subkey comes in", plain, two, facts{2, 2, false, 1}},
		{"an update without a subkey removes none", two, plain, facts{2, 2, false, 1}},
		{"nor one without any", two, lost, facts{2, 2, false, 1}},
		{"the revocation of a subkey comes in", plain, withdrawn, facts{1, 0, false, 1}},
		{"and an older copy does not undo it", withdrawn, plain, facts{1, 0, false, 1}},
		{"nor does one with a new subkey", withdrawn, two, facts{2, 1, false, 1}},
		{"the revocation of the key comes in", two, dead, facts{2, 0, true, 1}},
		{"and stays", dead, two, facts{2, 0, true, 1}},
		{"a user ID of another address stays out", plain, alias, facts{1, 1, false, 1}},
		{"and goes if it was there", alias, plain, facts{1, 1, false, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Merge(tt.known, tt.update, addr.MustParse("Alice@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(factsOf(got, later.Add(time.Hour)), tt.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			again, err := Merge(got, tt.update, addr.MustParse("alice@example.org"))
			if err != nil || !bytes.Equal(again.Bytes(), got.Bytes()) {
				t.Errorf("merging the same again changes it (error %v)", err)
			}
		})
	}
	if _, err := Merge(plain, other, addr.Address{}); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key: got %v, want ErrOtherKey", err)
	}
}

// TestMergeForeignOwner: a certificate without the owner's address keeps its user IDs, since one must carry its
// preferences, and takes no others.
func TestMergeForeignOwner(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	alias := changed(t, k, testTime, addUserID("secret@example.net"))
	for name, owner := range map[string]addr.Address{"none": {}, "somebody": addr.MustParse("bob@example.org")} {
		got, err := Merge(k.Cert(), alias, owner)
		if err != nil {
			t.Fatal(err)
		}
		if list := got.Addresses(); len(list) != 1 || list[0].String() != "alice@example.org" {
			t.Errorf("%s: got %v, want Alice's own", name, list)
		}
	}
	got, err := Merge(k.Cert(), alias, addr.MustParse("secret@example.net"))
	if err != nil || len(got.Addresses()) != 1 || got.Addresses()[0].String() != "secret@example.net" {
		t.Errorf("the owner's own user ID did not come in: %v", err)
	}
}

// TestMergeLeavesItsArguments: certificates are shared between goroutines, so that a merge changes neither.
func TestMergeLeavesItsArguments(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	known, update := k.Cert(), changed(t, k, testTime.Add(time.Hour), addSubkey)
	before := [][]byte{bytes.Clone(known.Bytes()), bytes.Clone(update.Bytes())}
	if _, err := Merge(known, update, addr.Address{}); err != nil {
		t.Fatal(err)
	}
	for i, c := range []*Cert{known, update} {
		var now bytes.Buffer
		if err := serializePublic(&now, c.entity); err != nil || !bytes.Equal(now.Bytes(), before[i]) {
			t.Errorf("argument %d was changed (error %v)", i, err)
		}
	}
}

// TestMergeFlood: variants of one signature that differ in what is not signed count as one, and of many renewals only
// the newest stay.
func TestMergeFlood(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	known := k.Cert()
	variants, err := known.copy()
	if err != nil {
		t.Fatal(err)
	}
	binding := variants.Subkeys[0].Bindings[0]
	for i := range 40 {
		copied := *binding.Packet
		copied.HashTag = [2]byte{byte(i), 1}
		variants.Subkeys[0].Bindings = append(variants.Subkeys[0].Bindings, packet.NewVerifiableSig(&copied))
	}
	if got := union(variants.Subkeys[0].Bindings[:1], variants.Subkeys[0].Bindings[1:]); len(got) != 1 {
		t.Errorf("got %d signatures, want 1", len(got))
	}
	for i := range 10 {
		renewed := changed(t, k, testTime.Add(time.Duration(i)*time.Hour), renew(func(*packet.Signature) {}))
		if known, err = Merge(known, renewed, addr.MustParse("alice@example.org")); err != nil {
			t.Fatal(err)
		}
	}
	sigs := known.entity.Identities["<alice@example.org>"].SelfCertifications
	if len(sigs) != maxSelfSignatures {
		t.Fatalf("got %d self-signatures, want %d", len(sigs), maxSelfSignatures)
	}
	latest := sigs[0].Packet.CreationTime
	for _, s := range sigs {
		if s.Packet.CreationTime.After(latest) {
			latest = s.Packet.CreationTime
		}
	}
	if want := testTime.Add(9 * time.Hour); !latest.Equal(want) {
		t.Errorf("the newest is of %v, want %v", latest, want)
	}
}

// TestMergeForeignSignature: what is not signed by the key itself does not come in by any update, since none of it is in
// a Cert.
func TestMergeForeignSignature(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "alice@example.org", Classic)
	eve := newTestKey(t, "eve@example.org", Classic)
	forged := changed(t, k, testTime, func(e *openpgp.Entity, cfg *packet.Config) error {
		stolen, err := eve.Cert().copy()
		e.Subkeys = append(e.Subkeys, stolen.Subkeys...) // bound by Eve's key
		return err
	})
	certified := changed(t, k, testTime, func(e *openpgp.Entity, cfg *packet.Config) error {
		return e.SignIdentity("<alice@example.org>", eve.entity, cfg)
	})
	for name, update := range map[string]*Cert{"subkey": forged, "certification": certified} {
		got, err := Merge(k.Cert(), update, addr.Address{})
		if err != nil || !bytes.Equal(got.Bytes(), k.Cert().Bytes()) {
			t.Errorf("%s: it changed the certificate (error %v)", name, err)
		}
	}
}

func TestReadsSEIPDv2(t *testing.T) {
	t.Parallel()
	modern := newTestKey(t, "alice@example.org", Hybrid)
	old := changed(t, modern, testTime.Add(time.Minute), renew(func(s *packet.Signature) { s.SEIPDv2 = false }))
	tests := []struct {
		name  string
		certs []*Cert
		want  bool
	}{
		{"our own", []*Cert{modern.Cert()}, true},
		{"an older one", []*Cert{old}, false},
		{"one of them older", []*Cert{modern.Cert(), old}, false},
	}
	for _, tt := range tests {
		if got := ReadsSEIPDv2(tt.certs, testTime.Add(time.Hour)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFingerprintWords(t *testing.T) {
	t.Parallel()
	if got, want := Fingerprint("0123456789ABCDEF01").Words(), "0123 4567 89AB CDEF 01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
