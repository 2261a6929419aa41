package seal

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"", "INBOX", "Reisen/Zürich", strings.Repeat("x", 1000)} {
		got := must[string](t)(w.keys.OpenName(w.keys.NameMAC(name), w.keys.SealName(name)))
		if got != name {
			t.Errorf("mailbox: got %q, want %q", got, name)
		}
		mac := w.keys.KeywordMAC("folded")
		got = must[string](t)(w.keys.OpenKeyword(mac, w.keys.SealKeyword(mac, name)))
		if got != name {
			t.Errorf("keyword: got %q, want %q", got, name)
		}
		note := must[[]byte](t)(w.keys.OpenNote(name, w.keys.SealNote(name, []byte(name))))
		if string(note) != name {
			t.Errorf("note: got %q, want %q", note, name)
		}
	}
}

// TestNamesAreUnlinkable: MACs differ by name, by use and by account, and two
// sealings of one name have nothing in common.
func TestNamesAreUnlinkable(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	if again := w.root.Keys(w.owner); again.NameMAC("a") != w.keys.NameMAC("a") {
		t.Error("one name has two MACs")
	}
	macs := map[NameMAC]string{}
	for what, mac := range map[string]NameMAC{
		"mailbox a": w.keys.NameMAC("a"), "mailbox b": w.keys.NameMAC("b"), "keyword a": w.keys.KeywordMAC("a"),
		"entry a": w.keys.EntryMAC(1, "a"), "entry a of another mailbox": w.keys.EntryMAC(2, "a"), "a stranger's entry a": other.keys.EntryMAC(1, "a"),
		"a stranger's mailbox a": other.keys.NameMAC("a"), "a stranger's keyword a": other.keys.KeywordMAC("a"),
	} {
		if macs[mac] != "" {
			t.Errorf("%s has the MAC of %s", what, macs[mac])
		}
		macs[mac] = what
	}
	first, second := w.keys.SealName("a"), w.keys.SealName("a")
	if string(first) == string(second) {
		t.Error("one name is sealed alike twice")
	}
}

func TestEmailID(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	a, b := NewBlobID(), NewBlobID()
	if again := w.root.Keys(w.owner); again.EmailID(a) != w.keys.EmailID(a) {
		t.Error("one blob has two identities")
	}
	if w.keys.EmailID(a) == w.keys.EmailID(b) || w.keys.EmailID(a) == other.keys.EmailID(a) {
		t.Error("two blobs, or two accounts, have one identity")
	}
	if w.keys.Search() == other.keys.Search() {
		t.Error("two accounts have one search key")
	}
	if w.keys.Owner() != w.owner {
		t.Error("the keys have another owner")
	}
}

func TestRelayKey(t *testing.T) {
	t.Parallel()
	store := NewStoreID()
	k := NewRelayKey([32]byte{1}, store)
	for name, other := range map[string]*RelayKey{
		"another secret": NewRelayKey([32]byte{2}, store),
		"another store":  NewRelayKey([32]byte{1}, NewStoreID()),
	} {
		if k.Check() == other.Check() {
			t.Errorf("%s passes the check", name)
		}
	}
	if k.Check() != NewRelayKey([32]byte{1}, store).Check() {
		t.Error("the same key fails the check")
	}
	for d := Directory; d <= PushToken; d++ {
		got := must[[]byte](t)(k.Open(d, []byte("row"), k.Seal(d, []byte("row"), []byte("content"))))
		if string(got) != "content" {
			t.Errorf("duty %d: got %q, want %q", d, got, "content")
		}
	}
}

// TestRelayMACs: no byte passes from one field to the next, and no MAC serves
// two uses.
func TestRelayMACs(t *testing.T) {
	t.Parallel()
	k := NewRelayKey([32]byte{1}, NewStoreID())
	zero, one := [32]byte{}, [32]byte{1}
	seen := map[[16]byte]string{}
	for what, mac := range map[string][16]byte{
		"address ab":        k.AddressMAC("ab"),
		"address a":         k.AddressMAC("a"),
		"wkd a b":           k.WKDMAC("a", "b"),
		"wkd ab":            k.WKDMAC("ab", ""),
		"wkd b a":           k.WKDMAC("b", "a"),
		"delivery a b c":    k.DeliveryID("a", "b", "c", zero),
		"delivery ab c":     k.DeliveryID("ab", "", "c", zero),
		"delivery a b c, 1": k.DeliveryID("a", "b", "c", one),
		"delivery b a c":    k.DeliveryID("b", "a", "c", zero),
		"token a of 1":      k.TokenMAC(1, "a"),
		"token a of 2":      k.TokenMAC(2, "a"),
		"check":             k.Check(),
	} {
		if seen[mac] != "" {
			t.Errorf("%s has the MAC of %s", what, seen[mac])
		}
		seen[mac] = what
	}
	if again := NewRelayKey([32]byte{1}, k.store); again.DeliveryID("a", "b", "c", zero) != k.DeliveryID("a", "b", "c", zero) {
		t.Error("one delivery has two identities")
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.private.PublicKey().Bytes()
	if len(good) != PublicKeySize {
		t.Errorf("got a public key of %d bytes, want %d", len(good), PublicKeySize)
	}
	for _, n := range []int{0, 32, PublicKeySize - 1} {
		if _, err := ParsePublicKey(good[:n]); err == nil {
			t.Errorf("%d bytes were taken for a public key", n)
		}
	}
	// The X25519 part stands last. With a point of small order no secret can
	// be agreed on: mail sealed to it would be open to everyone.
	for _, point := range [][]byte{make([]byte, 32), append([]byte{1}, make([]byte, 31)...)} {
		weak := append(good[:PublicKeySize-32:PublicKeySize-32], point...)
		if _, err := ParsePublicKey(weak); err == nil {
			t.Errorf("a key that agrees with everyone was taken: point %x", point)
		}
	}
	// FIPS 203, 7.2: every coefficient is less than 3329.
	large := append([]byte{0xff, 0xff}, good[2:]...)
	if _, err := ParsePublicKey(large); err == nil {
		t.Error("a key with coefficients that are too large was taken")
	}
}

// TestSecretsAreNotPrinted: no verb and no log handler shows a key.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := example()
	relay := NewRelayKey([32]byte{1}, w.owner.Store)
	factor := must[Factor](t)(SecretKDF().Secret(secret))
	for _, v := range []any{w.root, &w.root, w.message.DEK, &w.message.DEK, w.message, &w.message, secret, &secret, w.keys, relay, factor, &factor} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if got := fmt.Sprintf(verb, v); got != hidden {
				t.Errorf("%T under %s: got %q, want %q", v, verb, got, hidden)
			}
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", v)
		if !strings.Contains(log.String(), `"k":"`+hidden+`"`) {
			t.Errorf("%T in a log: %s", v, log.String())
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := NewSecret()
	factor := must[Factor](t)(SecretKDF().Secret(secret))
	w.root.Wipe()
	w.message.DEK.Wipe()
	secret.Wipe()
	factor.Wipe()
	if w.root != (Root{}) || w.message.DEK != (DEK{}) || secret != (Secret{}) || factor != (Factor{}) {
		t.Error("something is left")
	}
}
