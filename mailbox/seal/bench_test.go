package seal

import (
	"bytes"
	"io"
	"testing"
)

// envelopeBytes is about what one message's envelope data takes.
const envelopeBytes = 600

func BenchmarkSealKey0(b *testing.B) {
	w := newWorld(b)
	pub := w.private.PublicKey()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.message.SealKey0(pub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenKey0(b *testing.B) {
	w := newWorld(b)
	key := must[[]byte](b)(w.message.SealKey0(w.private.PublicKey()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.private.OpenKey0(w.owner, w.message.Blob, key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListing is the cost of one message in a listing.
func BenchmarkListing(b *testing.B) {
	w := newWorld(b)
	key := must[[]byte](b)(w.keys.SealKey1(&w.message, w.place))
	envelope := w.message.SealEnvelope(w.place, content(envelopeBytes))
	b.ReportAllocs()
	for b.Loop() {
		m, err := w.keys.OpenKey1(w.message.Blob, w.place, key)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.OpenEnvelope(w.place, envelope); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealEnvelope(b *testing.B) {
	w := newWorld(b)
	data := content(envelopeBytes)
	b.ReportAllocs()
	for b.Loop() {
		w.message.SealEnvelope(w.place, data)
	}
}

func BenchmarkBodyWriter(b *testing.B) {
	w := newWorld(b)
	data := content(1 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		bw := must[*BodyWriter](b)(w.message.NewBodyWriter(io.Discard, int64(len(data))))
		must[int](b)(bw.Write(data))
		if err := bw.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBodySection(b *testing.B) {
	w := newWorld(b)
	data := content(1 << 20)
	sealed := bytes.NewReader(sealBody(b, &w.message, data))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := must[*BodyReader](b)(w.message.NewBodyReader(sealed, sealed.Size(), int64(len(data))))
		must[int64](b)(io.Copy(io.Discard, r.Section(0, r.Size())))
	}
}

// BenchmarkUnlock is a login with a generated secret, up to the Root.
func BenchmarkUnlock(b *testing.B) {
	w := newWorld(b)
	kdf, secret := SecretKDF(), NewSecret()
	f := must[Factor](b)(kdf.Secret(secret))
	wrapped := f.WrapRoot(w.owner, 5, &w.root)
	b.ReportAllocs()
	for b.Loop() {
		f := must[Factor](b)(kdf.Secret(secret))
		must[Root](b)(f.UnwrapRoot(w.owner, 5, wrapped))
	}
}

func BenchmarkArgon2id(b *testing.B) {
	kdf := must[KDF](b)(PasswordKDF(DefaultParams))
	for b.Loop() {
		must[Factor](b)(kdf.Password("hunter2"))
	}
}

func BenchmarkKeys(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		w.root.Keys(w.owner)
	}
}

func BenchmarkPrivateKey(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		w.root.PrivateKey()
	}
}

func BenchmarkParsePublicKey(b *testing.B) {
	public := newWorld(b).private.PublicKey().Bytes()
	b.ReportAllocs()
	for b.Loop() {
		must[PublicKey](b)(ParsePublicKey(public))
	}
}

func BenchmarkAddressMAC(b *testing.B) {
	k := NewRelayKey([32]byte{1}, StoreID{})
	b.ReportAllocs()
	for b.Loop() {
		k.AddressMAC("someone@example.org")
	}
}
