package seal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
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
		got := must[[]byte](t)(io.ReadAll(iotest.HalfReader(r.Section(0, r.Size()))))
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes: the section holds something else", n)
		}
		var out bytes.Buffer
		must[int64](t)(r.Section(0, r.Size()).WriteTo(&out))
		if !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%d bytes: WriteTo wrote something else", n)
		}
	}
}

// TestBodyReaders holds ReadAt and Read to what package io asks of them. The
// body is small, because the test reads it byte by byte in many ways.
func TestBodyReaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := content(300)
	r := openBody(t, &w.message, sealBody(t, &w.message, data), len(data))
	if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), data); err != nil {
		t.Errorf("ReadAt: %v", err)
	}
	if err := iotest.TestReader(r.Section(0, r.Size()), data); err != nil {
		t.Errorf("Read: %v", err)
	}
}

func TestBodyRanges(t *testing.T) {
	t.Parallel()
	const size = 2*ChunkSize + 100
	w := newWorld(t)
	data := content(size)
	r := openBody(t, &w.message, sealBody(t, &w.message, data), size)
	tests := map[string]struct {
		off, n int64
		want   []byte
	}{
		"nothing":            {10, 0, nil},
		"first byte":         {0, 1, data[:1]},
		"inside a chunk":     {100, 1000, data[100:1100]},
		"one whole chunk":    {ChunkSize, ChunkSize, data[ChunkSize : 2*ChunkSize]},
		"over a border":      {ChunkSize - 1, 2, data[ChunkSize-1 : ChunkSize+1]},
		"over all chunks":    {1, size - 2, data[1 : size-1]},
		"beyond the end":     {size - 5, 50, data[size-5:]},
		"from the end":       {size, 10, nil},
		"from far outside":   {size + ChunkSize, 10, nil},
		"up to the far side": {5, 1<<63 - 1, data[5:]},
	}
	for name, tt := range tests {
		got := must[[]byte](t)(io.ReadAll(r.Section(tt.off, tt.n)))
		if !bytes.Equal(got, tt.want) {
			t.Errorf("%s: Section gives %d bytes, want other %d", name, len(got), len(tt.want))
		}
		p := make([]byte, min(tt.n, size))
		n, err := r.ReadAt(p, tt.off)
		if !bytes.Equal(p[:n], tt.want) {
			t.Errorf("%s: ReadAt gives %d bytes, want other %d", name, n, len(tt.want))
		}
		if n < len(p) && err != io.EOF || n == len(p) && err != nil {
			t.Errorf("%s: ReadAt gave %d of %d bytes with error %v", name, n, len(p), err)
		}
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
		t.Errorf("negative offset: got error %v", err)
	}
}

func TestSectionClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := content(1000)
	s := openBody(t, &w.message, sealBody(t, &w.message, data), len(data)).Section(0, 1000)
	must[int](t)(io.ReadFull(s, make([]byte, 10)))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n, err := s.Read(make([]byte, 10)); n != 0 || err != errSectionClosed {
		t.Errorf("after Close: got %d bytes, error %v", n, err)
	}
	if n, err := s.WriteTo(io.Discard); n != 0 || err != errSectionClosed {
		t.Errorf("WriteTo after Close: got %d bytes, error %v", n, err)
	}
}

func TestSectionGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := content(ChunkSize + 1000)
	s := openBody(t, &w.message, sealBody(t, &w.message, data), len(data)).Section(0, int64(len(data)))
	head := make([]byte, 10)
	must[int](t)(io.ReadFull(s, head))
	var rest bytes.Buffer
	must[int64](t)(s.WriteTo(&rest))
	if got := append(head, rest.Bytes()...); !bytes.Equal(got, data) {
		t.Error("Read and then WriteTo give something else")
	}
}

func TestBodySize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, size := range []int64{-1, maxSize + 1} {
		if _, err := w.message.NewBodyWriter(io.Discard, size); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes announced: got error %v, want %v", size, err, ErrSize)
		}
	}
	tests := map[string]struct{ announced, written int }{
		"too few":            {10, 9},
		"none":               {10, 0},
		"too few, one chunk": {ChunkSize + 1, ChunkSize},
	}
	for name, tt := range tests {
		var out bytes.Buffer
		b := must[*BodyWriter](t)(w.message.NewBodyWriter(&out, int64(tt.announced)))
		must[int](t)(b.Write(content(tt.written)))
		for range 2 {
			if err := b.Close(); !errors.Is(err, ErrSize) {
				t.Errorf("%s: got error %v, want %v", name, err, ErrSize)
			}
		}
		if int64(out.Len()) >= SealedSize(int64(tt.announced)) {
			t.Errorf("%s: a whole body was written", name)
		}
	}
	b := must[*BodyWriter](t)(w.message.NewBodyWriter(io.Discard, 10))
	must[int](t)(b.Write(content(10)))
	if n, err := b.Write([]byte{0}); n != 0 || !errors.Is(err, ErrSize) {
		t.Errorf("too many: took %d, error %v, want %v", n, err, ErrSize)
	}
	if err := b.Close(); err != nil {
		t.Errorf("after a refused Write: %v", err)
	}
	if err := b.Close(); !errors.Is(err, errClosed) {
		t.Errorf("second Close: got error %v, want %v", err, errClosed)
	}
}

// brokenDisk takes or gives so many calls and then fails.
type brokenDisk struct{ calls int }

var errDisk = errors.New("disk is broken")

func (d *brokenDisk) Write(p []byte) (int, error) {
	if d.calls == 0 {
		return 0, errDisk
	}
	d.calls--
	return len(p), nil
}

func (d *brokenDisk) ReadAt(p []byte, _ int64) (int, error) { return d.Write(p) }

func TestBodyWriteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.message.NewBodyWriter(&brokenDisk{0}, 1); !errors.Is(err, errDisk) {
		t.Errorf("header: got error %v, want %v", err, errDisk)
	}
	data := content(3 * ChunkSize)
	for calls := 1; calls <= 3; calls++ {
		b := must[*BodyWriter](t)(w.message.NewBodyWriter(&brokenDisk{calls}, int64(len(data))))
		_, err := b.Write(data)
		if err == nil {
			err = b.Close()
		}
		if !errors.Is(err, errDisk) {
			t.Errorf("chunk %d: got error %v, want %v", calls, err, errDisk)
		}
		if _, err := b.Write(nil); !errors.Is(err, errDisk) {
			t.Errorf("chunk %d: Write after the error gives %v", calls, err)
		}
		if err := b.Close(); !errors.Is(err, errDisk) {
			t.Errorf("chunk %d: Close after the error gives %v", calls, err)
		}
	}
}

// TestBodyReadFails: what the disk says is no verdict on the body.
func TestBodyReadFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.message.NewBodyReader(&brokenDisk{0}, SealedSize(9), 9)
	if !errors.Is(err, errDisk) || errors.Is(err, ErrOpen) {
		t.Errorf("header: got error %v, want %v", err, errDisk)
	}
	r := openBody(t, &w.message, sealBody(t, &w.message, content(9)), 9)
	r.r = &brokenDisk{0}
	n, err := r.ReadAt(make([]byte, 9), 0)
	if n != 0 || !errors.Is(err, errDisk) || errors.Is(err, ErrOpen) {
		t.Errorf("chunk: got %d bytes, error %v, want %v", n, err, errDisk)
	}
}

// TestBodyTwice: one DEK may seal a body again, after a failure, because each
// run has its own key.
func TestBodyTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := sealBody(t, &w.message, content(9)), sealBody(t, &w.message, content(9))
	if bytes.Equal(a[bodyHeaderSize:], b[bodyHeaderSize:]) {
		t.Error("two runs sealed the same content alike")
	}
}

func TestBodyConcurrentReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := content(3 * ChunkSize)
	r := openBody(t, &w.message, sealBody(t, &w.message, data), len(data))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			p := make([]byte, ChunkSize)
			off := i * ChunkSize / 2
			if _, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, data[off:off+len(p)]) {
				t.Errorf("reader %d: error %v or other content", i, err)
			}
		})
	}
	group.Wait()
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
