package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/cryptotest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

const vectorFile = "testdata/format1.json"

// vectors holds what format 1 makes of the fixed world, in hexadecimal.
// Released programs have written mail in this format: a change that needs
// other vectors needs another format number.
type vectors struct {
	// Derived must come out the same each time.
	Derived map[string]string
	// Sealed has random nonces: each must open, to Content.
	Sealed  map[string]string
	Content map[string]string
}

// sequence returns 32 bytes that count up from first.
func sequence(first byte) (b [32]byte) {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// fixedWorld returns the world of the vectors: the same keys each time.
func fixedWorld(t *testing.T) world {
	t.Helper()
	salt := sequence(0x60)
	kdf := KDF{method: bySecret, salt: [kdfSaltSize]byte(salt[:])}
	store, blob, dek := sequence(0x10), sequence(0x20), sequence(0x30)
	w := world{
		owner:  Owner{Store: StoreID(store[:16]), Account: 0x1122334455667788, Generation: 3},
		root:   Root(sequence(0x40)),
		factor: must[Factor](t)(kdf.Secret(example())),
		place:  Place{Mailbox: 4, UID: 1000},
		relay:  sequence(0x50),
	}
	w.message = Message{Owner: w.owner, Blob: BlobID(blob[:16])}
	copy(w.message.DEK[:32], dek[:])
	copy(w.message.DEK[32:], salt[:])
	w.derive()
	return w
}

// derived returns everything that follows from the fixed world alone.
func derived(t *testing.T, w world) map[string]string {
	t.Helper()
	password := KDF{method: byPassword, params: Params{Time: 2, MemoryKiB: 1024, Threads: 2}}
	client := KDF{method: byClientKey}
	factors := map[string]Factor{
		"secret":     w.factor,
		"password":   must[Factor](t)(password.Password("correct horse")),
		"client key": must[Factor](t)(client.ClientKey(w.root[:])),
	}
	relay := NewRelayKey(w.relay, w.owner.Store)
	out := make(map[string]string)
	add := func(name string, b []byte) { out[name] = hex.EncodeToString(b) }
	for name, f := range factors {
		v := f.Verifier()
		add("verifier of a "+name, v[:])
		add("key of a "+name, f.kek[:])
	}
	out["secret"] = example().Reveal()
	add("password KDF", password.Bytes())
	add("client key KDF", client.Bytes())
	add("public key", w.private.PublicKey().Bytes())
	for name, mac := range map[string][16]byte{
		"name MAC":    w.keys.NameMAC("Reisen/Zürich"),
		"keyword MAC": w.keys.KeywordMAC("$Forwarded"),
		"EMAILID":     w.keys.EmailID(w.message.Blob),
		"relay check": relay.Check(),
		"address MAC": relay.AddressMAC("someone@example.org"),
		"WKD MAC":     relay.WKDMAC("iy9q119eutrkn8s1mk4r39qejnbu3n5q", "example.org"),
		"delivery ID": relay.DeliveryID("a@example.org", "b@example.net", "<1@example.org>", w.root),
	} {
		add(name, mac[:])
	}
	search := w.keys.Search()
	add("search key", search[:])
	return out
}

// TestVectors opens what this format sealed when it was made. With -update it
// seals anew, from a fixed source of randomness: an unchanged format then gives
// an unchanged file.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	w := fixedWorld(t)
	v := readVectors(t)
	if diff := cmp.Diff(v.Derived, derived(t, w)); diff != "" {
		t.Errorf("derived values differ from the vectors (-want +got):\n%s", diff)
	}
	home := w.home()
	parts := everyPart(t, w)
	if got, want := len(v.Sealed), len(parts); got != want {
		t.Errorf("got vectors of %d parts, want %d", got, want)
	}
	for _, p := range parts {
		sealed := must[[]byte](t)(hex.DecodeString(v.Sealed[p.name]))
		got, err := p.open(home, sealed)
		want := must[[]byte](t)(hex.DecodeString(v.Content[p.name]))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, error %v, want %x", p.name, got, err, want)
		}
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(vectorFile)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func writeVectors(t *testing.T) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 1)
	w := fixedWorld(t)
	v := vectors{Derived: derived(t, w), Sealed: make(map[string]string), Content: make(map[string]string)}
	for _, p := range everyPart(t, w) {
		v.Sealed[p.name] = hex.EncodeToString(p.sealed)
		v.Content[p.name] = hex.EncodeToString(p.content)
	}
	b := must[[]byte](t)(json.MarshalIndent(v, "", "\t"))
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
