package seal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// chunkOf returns the sealed chunk number i of a body.
func chunkOf(sealed []byte, i int) []byte {
	start := bodyHeaderSize + i*sealedChunkSize
	return sealed[start:min(start+sealedChunkSize, len(sealed))]
}

// TestRearrangedBody: chunks in other places, of other bodies, or missing.
func TestRearrangedBody(t *testing.T) {
	t.Parallel()
	const size = 3 * ChunkSize
	w := newWorld(t)
	data := content(size)
	sealed := sealBody(t, &w.message, data)
	again := sealBody(t, &w.message, data)
	other := NewMessage(w.owner)
	foreign := sealBody(t, &other, data)
	whole := slices.Clone(sealed)
	copy(chunkOf(whole, 0), chunkOf(sealed, 1))
	copy(chunkOf(whole, 1), chunkOf(sealed, 0))

	tests := map[string]struct {
		sealed []byte
		bad    int // the first chunk that must not open
	}{
		"two chunks swapped":           {whole, 0},
		"a chunk repeated":             {replaceChunk(sealed, 1, chunkOf(sealed, 0)), 1},
		"the last chunk in the middle": {replaceChunk(sealed, 1, chunkOf(sealed, 2)), 1},
		"a middle chunk at the end":    {replaceChunk(sealed, 2, chunkOf(sealed, 1)), 2},
		"a chunk of another run":       {replaceChunk(sealed, 1, chunkOf(again, 1)), 1},
		"a chunk of another blob":      {replaceChunk(sealed, 1, chunkOf(foreign, 1)), 1},
		"the salt of another run":      {append(slices.Clone(again[:bodyHeaderSize]), sealed[bodyHeaderSize:]...), 0},
		"a chunk of zeros":             {replaceChunk(sealed, 2, make([]byte, sealedChunkSize)), 2},
	}
	for name, tt := range tests {
		r := openBody(t, &w.message, tt.sealed, size)
		p := bytes.Repeat([]byte{0xaa}, size)
		n, err := r.ReadAt(p, 0)
		wantErrOpen(t, name, err)
		wantOnlyGood(t, name, p, n, data, tt.bad*ChunkSize)

		got, err := io.ReadAll(r.Section(0, size))
		wantErrOpen(t, name+" (section)", err)
		if !bytes.Equal(got, data[:tt.bad*ChunkSize]) {
			t.Errorf("%s: the section gave %d bytes, want the first %d", name, len(got), tt.bad*ChunkSize)
		}
	}
}

func replaceChunk(sealed []byte, i int, by []byte) []byte {
	out := slices.Clone(sealed)
	copy(chunkOf(out, i), by)
	return out
}

// wantOnlyGood checks that a read of data into p, which was full of 0xaa, gave
// its first want bytes and left the rest alone.
func wantOnlyGood(t *testing.T, name string, p []byte, n int, data []byte, want int) {
	t.Helper()
	if n != want || !bytes.Equal(p[:n], data[:n]) {
		t.Errorf("%s: got %d bytes, want the first %d", name, n, want)
	}
	for _, b := range p[n:] {
		if b != 0xaa {
			t.Errorf("%s: bytes that were not authenticated were handed out", name)
			return
		}
	}
}

// TestCutBody: a body that ends early is refused at once if its size shows it,
// and at the cut if the store lies about the size.
func TestCutBody(t *testing.T) {
	t.Parallel()
	const size = 2*ChunkSize + 1000
	w := newWorld(t)
	data := content(size)
	sealed := sealBody(t, &w.message, data)
	for _, n := range []int{0, 1, bodyHeaderSize - 1, bodyHeaderSize, bodyHeaderSize + sealedChunkSize, len(sealed) - tagSize, len(sealed) - 1} {
		cut := sealed[:n]
		_, err := w.message.NewBodyReader(bytes.NewReader(cut), int64(n), size)
		wantErrOpen(t, "cut body of honest size", err)

		r, err := w.message.NewBodyReader(bytes.NewReader(cut), int64(len(sealed)), size)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Section(0, size))
		}
		wantErrOpen(t, "cut body of forged size", err)
	}
}

// TestCutBodyWithForgedSize: even if the exact size is a lie that fits the cut,
// the chunk that would be the last has no flag that says so.
func TestCutBodyWithForgedSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := content(3 * ChunkSize)
	cut := sealBody(t, &w.message, data)[:SealedSize(2*ChunkSize)]
	r := openBody(t, &w.message, cut, 2*ChunkSize)
	p := bytes.Repeat([]byte{0xaa}, 2*ChunkSize)
	n, err := r.ReadAt(p, 0)
	wantErrOpen(t, "body cut between chunks", err)
	wantOnlyGood(t, "body cut between chunks", p, n, data, ChunkSize)
}

// TestDamageIsLocal: chunks before and after a damaged one stay readable.
func TestDamageIsLocal(t *testing.T) {
	t.Parallel()
	const size = 3 * ChunkSize
	w := newWorld(t)
	data := content(size)
	sealed := sealBody(t, &w.message, data)
	chunkOf(sealed, 1)[100] ^= 1
	r := openBody(t, &w.message, sealed, size)
	for i, wantErr := range []error{nil, ErrOpen, nil} {
		p := make([]byte, ChunkSize)
		_, err := r.ReadAt(p, int64(i)*ChunkSize)
		if !errors.Is(err, wantErr) {
			t.Errorf("chunk %d: got error %v, want %v", i, err, wantErr)
		}
		if wantErr == nil && !bytes.Equal(p, data[i*ChunkSize:][:ChunkSize]) {
			t.Errorf("chunk %d: other content", i)
		}
	}
}

func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := NewSpool(&out)
	must[int](t)(s.Write(content(ChunkSize + 10)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, tagSize, 10 + tagSize} {
		damaged := slices.Clone(out.Bytes()[:out.Len()-cut])
		if cut == 0 {
			damaged[len(damaged)-1] ^= 1
		}
		r := must[*BodyReader](t)(s.Reader(bytes.NewReader(damaged)))
		_, err := io.Copy(io.Discard, r.Section(0, s.Size()))
		wantErrOpen(t, "damaged spool", err)
	}
}
