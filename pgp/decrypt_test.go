package pgp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

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
