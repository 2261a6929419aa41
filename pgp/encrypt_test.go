package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// encryptText returns text as a message, signed by signer unless that is nil.
func encryptText(t testing.TB, text string, signer *Key, to []*Cert, o EncryptOptions) []byte {
	t.Helper()
	if o.Now == nil {
		o.Now = at(testTime)
	}
	var out bytes.Buffer
	begin := EncryptTo
	if signer != nil {
		begin = signer.EncryptTo
	}
	w, err := begin(&out, to, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decryptText(sealed []byte, o DecryptOptions) (string, Result, error) {
	if o.Now == nil {
		o.Now = at(testTime)
	}
	var out strings.Builder
	result, err := Decrypt(&out, bytes.NewReader(sealed), o)
	return out.String(), result, err
}

// oldCert returns a key that does not promise to read SEIPDv2.
func oldKey(t testing.TB, address string) *Key {
	t.Helper()
	cfg := config(at(testTime), nil)
	cfg.Algorithm, cfg.Curve, cfg.AEADConfig = packet.PubKeyAlgoEdDSA, packet.Curve25519, nil
	e, err := openpgp.NewEntity("", "", address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKey(e)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestEncryptDecrypt crosses recipients, signature, form and length.
func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	alice, bob, old := newTestKey(t, "alice@example.org", Hybrid), newTestKey(t, "bob@example.org", Classic), oldKey(t, "old@example.org")
	for _, to := range [][]*Key{{alice}, {bob}, {old}, {alice, bob}, {alice, old}, {alice, bob, old}} {
		for _, signer := range []*Key{nil, bob} {
			for _, n := range []int{0, 1, 1000, chunkSize, chunkSize + 1, 200_000} {
				for _, binary := range []bool{false, true} {
					name := fmt.Sprintf("%d recipients, signed %v, %d octets, binary %v", len(to), signer != nil, n, binary)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						checkRoundTrip(t, to, signer, string(noise(n)), EncryptOptions{Binary: binary})
					})
				}
			}
		}
	}
}

func checkRoundTrip(t *testing.T, to []*Key, signer *Key, text string, o EncryptOptions) {
	t.Helper()
	var certs []*Cert
	for _, k := range to {
		certs = append(certs, k.Cert())
	}
	sealed := encryptText(t, text, signer, certs, o)
	want := Result{}
	if signer != nil {
		want = Result{Signature: GoodSignature, Signer: signer.Fingerprint(), SignedAt: testTime}
	}
	for _, k := range to {
		o := DecryptOptions{Keys: []*Key{k}}
		if signer != nil {
			o.Certs = []*Cert{signer.Cert()}
		}
		got, result, err := decryptText(sealed, o)
		if err != nil || got != text {
			t.Fatalf("got %d octets, %v, want %d", len(got), err, len(text))
		}
		want.OpenedBy = k.Fingerprint()
		ignore := cmpopts.IgnoreFields(Result{}, "Recipients", "Anonymous")
		equalTime := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if diff := cmp.Diff(result, want, ignore, equalTime, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("got - want +\n%s", diff)
		}
	}
}

// TestFormat checks which packets are written for whom.
func TestFormat(t *testing.T) {
	t.Parallel()
	hybrid, classic, old := newTestKey(t, "a@example.org", Hybrid).Cert(), newTestKey(t, "b@example.org", Classic).Cert(), oldKey(t, "c@example.org").Cert()
	tests := []struct {
		name string
		to   []*Cert
		o    EncryptOptions
		want []string // tag, version and, of session keys, algorithm
	}{
		{"new", []*Cert{classic}, EncryptOptions{}, []string{"1 v6 18", "18 v2"}},
		{"new, both subkeys", []*Cert{hybrid}, EncryptOptions{}, []string{"1 v6 18", "1 v6 35", "18 v2"}},
		{"old", []*Cert{old}, EncryptOptions{}, []string{"1 v3 18", "18 v1"}},
		{"mixed", []*Cert{hybrid, old}, EncryptOptions{}, []string{"1 v3 18", "1 v3 18", "18 v1"}},
		{"only post-quantum, but mixed", []*Cert{hybrid, old}, EncryptOptions{PostQuantumOnly: true}, []string{"1 v3 18", "1 v3 18", "18 v1"}},
		{"only post-quantum", []*Cert{hybrid, classic}, EncryptOptions{PostQuantumOnly: true}, []string{"1 v6 35", "1 v6 18", "18 v2"}},
		{"anonymous", []*Cert{classic}, EncryptOptions{Anonymous: true}, []string{"1 v6 anonymous 18", "18 v2"}},
		{"anonymous is for new", []*Cert{classic, old}, EncryptOptions{Anonymous: true}, []string{"1 v3 18", "1 v3 18", "18 v1"}},
		{"passphrase", nil, EncryptOptions{Passphrase: []byte("x"), Generated: true}, []string{"3 v6", "18 v2"}},
		{"passphrase too", []*Cert{old}, EncryptOptions{Passphrase: []byte("x"), Generated: true}, []string{"1 v3 18", "3 v4", "18 v1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Binary = true
			got := describe(t, encryptText(t, "hello", nil, tt.to, tt.o))
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

// describe names the packets of a message.
func describe(t *testing.T, message []byte) []string {
	t.Helper()
	d := describer{}
	s := packetScanner{sink: &d}
	if _, err := s.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d.names
}

type describer struct {
	bodyCollector
	head  packetHead
	names []string
}

func (d *describer) begin(h packetHead) error {
	d.head, d.bytes = h, nil
	return nil
}

func (d *describer) end() error {
	b := d.bytes
	name := fmt.Sprintf("%d v%d", d.head.tag, b[0])
	switch {
	case d.head.tag == tagPKESK && anonymous(b):
		name += fmt.Sprintf(" anonymous %d", b[2])
	case d.head.tag == tagPKESK && b[0] == 3:
		name += fmt.Sprintf(" %d", b[9])
	case d.head.tag == tagPKESK:
		name += fmt.Sprintf(" %d", b[2+b[1]])
	}
	d.names = append(d.names, name)
	return nil
}

// TestPadding checks that short messages have one size, that only SEIPDv2 is padded, and that nothing else tells the
// length.
func TestPadding(t *testing.T) {
	t.Parallel()
	c := newTestKey(t, "a@example.org", Classic).Cert()
	size := func(to *Cert, n int) int {
		return len(encryptText(t, strings.Repeat("x", n), nil, []*Cert{to}, EncryptOptions{Binary: true}))
	}
	if a, b := size(c, 0), size(c, 4000); a != b {
		t.Errorf("0 octets give %d, 4000 give %d, want the same", a, b)
	}
	if a, b := size(c, 10_000), size(c, 10_100); a != b {
		t.Errorf("10000 octets give %d, 10100 give %d, want the same", a, b)
	}
	old := oldKey(t, "b@example.org").Cert()
	if a, b := size(old, 0), size(old, 4000); a == b {
		t.Errorf("SEIPDv1 is padded, which Sequoia 0.27 fails on")
	}
}

func TestPaddedSize(t *testing.T) {
	t.Parallel()
	for n := int64(0); n < 1<<33; n = n*5/4 + 1 {
		got := paddedSize(n)
		if got < n || n > minPadded && float64(got) > 1.12*float64(n) {
			t.Errorf("paddedSize(%d) = %d", n, got)
		}
		if again := paddedSize(got); again != got {
			t.Errorf("paddedSize(%d) = %d, and of that %d", n, got, again)
		}
	}
}

// TestPaddingHeader checks that every total can be written.
func TestPaddingHeader(t *testing.T) {
	t.Parallel()
	for total := int64(2); total < 9000; total++ {
		var out bytes.Buffer
		out.Write(paddingHeader(total))
		out.Write(make([]byte, int(total)-out.Len()))
		var r recorder
		s := packetScanner{sink: &r}
		if _, err := s.Write(out.Bytes()); err != nil || s.Close() != nil || len(r.events) != 2 {
			t.Fatalf("a packet of %d octets reads as %v, %v", total, r.events, err)
		}
	}
}

func TestEncryptRefusesUnusableCert(t *testing.T) {
	t.Parallel()
	good := newTestKey(t, "a@example.org", Classic)
	cfg := signingSubkeyConfig()
	cfg.KeyLifetimeSecs = 3600
	e, err := openpgp.NewEntity("", "", "b@example.org", cfg)
	if err != nil {
		t.Fatal(err)
	}
	expiring, err := newKey(e)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	later := EncryptOptions{Now: at(testTime.Add(2 * time.Hour))}
	_, err = EncryptTo(&out, []*Cert{good.Cert(), expiring.Cert()}, later)
	if !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), string(expiring.Fingerprint())) {
		t.Errorf("got %v, want ErrExpired with the fingerprint", err)
	}
	if out.Len() != 0 {
		t.Errorf("%d octets were written, want none", out.Len())
	}
	if _, err := EncryptTo(&out, nil, EncryptOptions{}); err == nil {
		t.Error("a message to nobody was begun")
	}
}

func BenchmarkEncrypt(b *testing.B) {
	for _, n := range []int{4 << 10, 1 << 20} {
		for _, p := range []Profile{Classic, Hybrid} {
			b.Run(fmt.Sprintf("%dKiB/%s", n>>10, profileName(p)), func(b *testing.B) {
				k := newTestKey(b, "a@example.org", p)
				text := string(noise(n))
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					encryptText(b, text, k, []*Cert{k.Cert()}, EncryptOptions{})
				}
			})
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	for _, n := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			k := newTestKey(b, "a@example.org", Classic)
			sealed := encryptText(b, string(noise(n)), k, []*Cert{k.Cert()}, EncryptOptions{})
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decryptText(sealed, DecryptOptions{Keys: []*Key{k}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func profileName(p Profile) string {
	if p == Hybrid {
		return "hybrid"
	}
	return "classic"
}
