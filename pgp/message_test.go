package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
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

func TestPassphrase(t *testing.T) {
	t.Parallel()
	for _, generated := range []bool{false, true} {
		sealed := encryptText(t, "hello", nil, nil, EncryptOptions{Passphrase: []byte("open sesame"), Generated: generated})
		got, result, err := decryptText(sealed, DecryptOptions{Passphrases: [][]byte{[]byte("wrong"), []byte("open sesame")}})
		if err != nil || got != "hello" || result.OpenedBy != "" {
			t.Errorf("generated %v: got %q, %+v, %v", generated, got, result, err)
		}
		if _, _, err := decryptText(sealed, DecryptOptions{Passphrases: [][]byte{[]byte("wrong")}}); !errors.Is(err, ErrNoKey) {
			t.Errorf("wrong passphrase: got %v, want ErrNoKey", err)
		}
	}
}

// TestPassphraseCost refuses a message whose writer asks for two terabytes of memory.
func TestPassphraseCost(t *testing.T) {
	t.Parallel()
	sealed := encryptText(t, "hello", nil, nil, EncryptOptions{Passphrase: []byte("x"), Binary: true})
	costly := setArgon2Memory(sealed, 31)
	if _, _, err := decryptText(costly, DecryptOptions{Passphrases: [][]byte{[]byte("x")}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	_, _, err := decryptText(sealed, DecryptOptions{Passphrases: [][]byte{[]byte("x")}, MaxArgon2: 1 << 20})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("with a lower limit: got %v, want ErrTooLarge", err)
	}
}

// setArgon2Memory returns b with the memory exponent of each Argon2 specifier, as the library writes it, replaced.
func setArgon2Memory(b []byte, exponent byte) []byte {
	c := new(s2k.Config).Argon2()
	tail := []byte{c.Passes(), c.Parallelism(), c.EncodedMemory()}
	return bytes.ReplaceAll(b, tail, []byte{tail[0], tail[1], exponent})
}

// argon2Key returns a key locked by Argon2.
func argon2Key(t *testing.T) []byte {
	t.Helper()
	e := newTestKey(t, "alice@example.org", Classic).entity
	cfg := config(at(testTime), nil)
	cfg.S2KConfig = &s2k.Config{S2KMode: s2k.Argon2S2K}
	if err := e.EncryptPrivateKeys([]byte("secret"), cfg); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := serializePrivate(&out, e); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSignatureStates(t *testing.T) {
	t.Parallel()
	alice, bob, eve := newTestKey(t, "a@example.org", Classic), newTestKey(t, "b@example.org", Classic), newTestKey(t, "e@example.org", Classic)
	both := []*Cert{alice.Cert(), bob.Cert()}
	signed := encryptText(t, "hello", bob, both, EncryptOptions{})
	tests := []struct {
		name  string
		in    []byte
		keys  []*Key
		certs []*Cert
		want  Result
	}{
		{"unsigned", encryptText(t, "hello", nil, both, EncryptOptions{}), []*Key{alice}, both, Result{Signature: Unsigned}},
		{"good", signed, []*Key{alice}, both, Result{Signature: GoodSignature, Signer: bob.Fingerprint()}},
		{"own", signed, []*Key{bob}, nil, Result{Signature: GoodSignature, Signer: bob.Fingerprint()}},
		{"unknown", signed, []*Key{alice}, []*Cert{eve.Cert()}, Result{Signature: UnknownSigner}},
		{"passed on", reencrypt(t, bob, alice, eve), []*Key{eve}, both, Result{Signature: GoodSignature, Signer: bob.Fingerprint(), Misdirected: true}},
		{"other text", forge(t, bob, alice), []*Key{alice}, both, Result{Signature: BadSignature, Signer: bob.Fingerprint()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got, err := decryptText(tt.in, DecryptOptions{Keys: tt.keys, Certs: tt.certs})
			if err != nil {
				t.Fatal(err)
			}
			if (got.Problem != nil) != (tt.want.Signature == BadSignature) {
				t.Errorf("got problem %v with a signature that is %v", got.Problem, got.Signature)
			}
			ignore := cmpopts.IgnoreFields(Result{}, "Recipients", "Anonymous", "OpenedBy", "SignedAt", "Problem")
			if diff := cmp.Diff(got, tt.want, ignore); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

// reencrypt returns what signer said to first, encrypted anew by first to second.
func reencrypt(t *testing.T, signer, first, second *Key) []byte {
	t.Helper()
	var inner bytes.Buffer
	writeSigned(t, &inner, signer, []*Cert{first.Cert()}, "hello", "hello")
	return wrap(t, inner.Bytes(), second.Cert())
}

// forge returns a message in which signer's signature stands under a text that signer did not sign.
func forge(t *testing.T, signer, to *Key) []byte {
	t.Helper()
	var inner bytes.Buffer
	writeSigned(t, &inner, signer, []*Cert{to.Cert()}, "pay Bob", "pay Eve")
	return wrap(t, inner.Bytes(), to.Cert())
}

// writeSigned writes the packets of a signed message: the signature is over signed, the literal data says shown.
func writeSigned(t *testing.T, w io.Writer, signer *Key, to []*Cert, signed, shown string) {
	t.Helper()
	cfg := config(at(testTime), nil)
	r, err := gather(to, false, testTime)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigning(w, signer.entity.PrivateKey, r.intended, cfg)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := packet.SerializeLiteral(noClose{w}, true, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(literal, shown)
	literal.Close()
	io.WriteString(s.hash, signed)
	if err := s.finish(w, cfg); err != nil {
		t.Fatal(err)
	}
}

// wrap encrypts packets as they are.
func wrap(t *testing.T, packets []byte, to *Cert) []byte {
	t.Helper()
	var out bytes.Buffer
	m := &message{cfg: config(at(testTime), nil)}
	r, err := gather([]*Cert{to}, false, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.encrypt(&out, r, EncryptOptions{}); err != nil {
		t.Fatal(err)
	}
	m.payload.Write(packets)
	if err := m.payload.w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDecryptRefuses checks that no damaged message is reported as read.
func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	k, other := newTestKey(t, "a@example.org", Classic), newTestKey(t, "b@example.org", Classic)
	old := oldKey(t, "c@example.org")
	to := []*Cert{k.Cert()}
	v2 := encryptText(t, strings.Repeat("hello ", 20000), k, to, EncryptOptions{Binary: true})
	v1 := encryptText(t, strings.Repeat("hello ", 20000), k, []*Cert{old.Cert()}, EncryptOptions{Binary: true})
	var plain bytes.Buffer
	writeSigned(t, &plain, k, to, "hello", "hello")
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, ErrNotMessage},
		{"text", []byte("hello"), ErrNotMessage},
		{"a certificate", k.Cert().Bytes(), ErrNotMessage},
		{"an armored certificate", k.Cert().Armor(), ErrNotMessage},
		{"only signed", plain.Bytes(), ErrNotMessage},
		{"for another", encryptText(t, "hello", nil, []*Cert{other.Cert()}, EncryptOptions{}), ErrNoKey},
		{"changed, new", flip(v2, len(v2)/2), ErrDamaged},
		{"changed, old", flip(v1, len(v1)/2), ErrDamaged},
		{"changed at the end, new", flip(v2, len(v2)-1), ErrDamaged},
		{"changed at the end, old", flip(v1, len(v1)-1), ErrDamaged},
		{"cut, new", v2[:len(v2)-100], ErrDamaged},
		{"cut, old", v1[:len(v1)-100], ErrDamaged},
		{"cut before the data", v2[:50], ErrNotMessage},
		{"something inside that is no message", wrap(t, k.Cert().Bytes(), k.Cert()), ErrDamaged},
		{"nothing inside", wrap(t, nil, k.Cert()), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := decryptText(tt.in, DecryptOptions{Keys: []*Key{k, old}})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// TestDecryptBounds refuses plaintext over the limit, compressed or not.
func TestDecryptBounds(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "a@example.org", Classic)
	var bomb bytes.Buffer
	compressed, err := packet.SerializeCompressed(noClose{&bomb}, packet.CompressionZLIB, nil)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := packet.SerializeLiteral(noClose{compressed}, true, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	literal.Write(make([]byte, 4<<20))
	literal.Close()
	compressed.Close()
	tests := []struct {
		name string
		in   []byte
	}{
		{"compressed", wrap(t, bomb.Bytes(), k.Cert())},
		{"plain", encryptText(t, string(make([]byte, 4<<20)), nil, []*Cert{k.Cert()}, EncryptOptions{})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var spool countWriter
			_, err := Decrypt(&spool, bytes.NewReader(tt.in), DecryptOptions{Keys: []*Key{k}, MaxPlaintext: 1 << 20, Now: at(testTime)})
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
			if spool > 1<<20+1 {
				t.Errorf("%d octets were spooled, want at most one over the limit", spool)
			}
			if _, _, err := decryptText(tt.in, DecryptOptions{Keys: []*Key{k}}); err != nil {
				t.Errorf("with the default limit: %v", err)
			}
		})
	}
}

type countWriter int

func (c *countWriter) Write(b []byte) (int, error) {
	*c += countWriter(len(b))
	return len(b), nil
}

// TestDecryptReaders reads from sources that give one octet at a time, or data with their last error.
func TestDecryptReaders(t *testing.T) {
	t.Parallel()
	k := newTestKey(t, "a@example.org", Classic)
	sealed := encryptText(t, "hello", k, []*Cert{k.Cert()}, EncryptOptions{})
	for _, wrapReader := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		var out strings.Builder
		_, err := Decrypt(&out, wrapReader(bytes.NewReader(sealed)), DecryptOptions{Keys: []*Key{k}, Now: at(testTime)})
		if err != nil || out.String() != "hello" {
			t.Errorf("got %q, %v", out.String(), err)
		}
	}
	broken := errors.New("connection reset")
	_, err := Decrypt(io.Discard, io.MultiReader(bytes.NewReader(sealed[:300]), iotest.ErrReader(broken)), DecryptOptions{Keys: []*Key{k}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

func TestRecipientsAreCounted(t *testing.T) {
	t.Parallel()
	a, b := newTestKey(t, "a@example.org", Hybrid), newTestKey(t, "b@example.org", Classic)
	both := []*Cert{a.Cert(), b.Cert()}
	for _, hidden := range []bool{false, true} {
		_, got, err := decryptText(encryptText(t, "x", nil, both, EncryptOptions{Anonymous: hidden}), DecryptOptions{Keys: []*Key{b}})
		if err != nil {
			t.Fatal(err)
		}
		anonymous := 0
		if hidden {
			anonymous = 3
		}
		if got.Recipients != 3 || got.Anonymous != anonymous {
			t.Errorf("got %d recipients, %d anonymous, want 3, %d", got.Recipients, got.Anonymous, anonymous)
		}
	}
}
