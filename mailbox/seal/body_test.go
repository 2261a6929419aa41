package seal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// content returns n bytes that differ from place to place.
func content(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(b)
	return b
}

func sealBody(t testing.TB, m *Message, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := must[*BodyWriter](t)(m.NewBodyWriter(&out, int64(len(data))))
	must[int](t)(w.Write(data))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openBody(t testing.TB, m *Message, sealed []byte, size int) *BodyReader {
	t.Helper()
	return must[*BodyReader](t)(m.NewBodyReader(bytes.NewReader(sealed), int64(len(sealed)), int64(size)))
}

// bodySizes lie on both sides of every border: classes, chunks and nothing.
var bodySizes = []int{0, 1, 511, 512, 513, 4096, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2 * ChunkSize, 3*ChunkSize + 17}

func TestBodyRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, n := range bodySizes {
		data := content(n)
		sealed := sealBody(t, &w.message, data)
		if got, want := int64(len(sealed)), SealedSize(int64(n)); got != want {
			t.Errorf("%d bytes: sealed size is %d, SealedSize says %d", n, got, want)
		}
		r := openBody(t, &w.message, sealed, n)
		if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), data); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		got := must[[]byte](t)(io.ReadAll(iotest.OneByteReader(r.Section(0, r.Size()))))
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes: the section holds something else", n)
		}
	}
}

func TestSpoolRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range bodySizes {
		data := content(n)
		var out bytes.Buffer
		s := NewSpool(&out)
		if _, err := s.Reader(nil); !errors.Is(err, errUnfinished) {
			t.Errorf("reader before Close: got error %v, want %v", err, errUnfinished)
		}
		must[int64](t)(io.Copy(s, iotest.HalfReader(bytes.NewReader(data))))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r := must[*BodyReader](t)(s.Reader(bytes.NewReader(out.Bytes())))
		got := must[[]byte](t)(io.ReadAll(r.Section(0, s.Size())))
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes: the spool gives something else back", n)
		}
		if n > 32 && bytes.Contains(out.Bytes(), data[:32]) {
			t.Errorf("%d bytes: the spool is not sealed", n)
		}
	}
}
