package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// mixed returns text that can be compressed in some places and not in others.
func mixed(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		if rnd.IntN(3) == 0 {
			for range rnd.IntN(500) {
				b = append(b, byte(rnd.IntN(256)))
			}
		}
		b = append(b, strings.Repeat("* 23 FETCH (FLAGS ())\r\n", rnd.IntN(40))...)
	}
	return b[:n]
}

// deflated compresses text in pieces, each flushed.
func deflated(t testing.TB, level, piece int, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := w.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestInflater(t *testing.T) {
	t.Parallel()
	text := mixed(200_000)
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
		for _, piece := range []int{1000, 70_000, len(text)} {
			data := deflated(t, level, piece, text)
			f := NewInflater(bytes.NewReader(data[10:]), data[:10])
			if err := iotest.TestReader(f, text); err != nil {
				t.Errorf("level %d, pieces of %d: %v", level, piece, err)
			}
		}
	}
}

// stuttering gives one byte per Read, and a deadline before each.
type stuttering struct {
	data  []byte
	ready bool
}

func (s *stuttering) Read(p []byte) (int, error) {
	if s.ready = !s.ready; s.ready {
		return 0, os.ErrDeadlineExceeded
	}
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	p[0] = s.data[0]
	s.data = s.data[1:]
	return 1, nil
}

// A deadline can pass at every byte, and nothing is lost.
func TestInflaterGoesOn(t *testing.T) {
	t.Parallel()
	text := mixed(20_000)
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestCompression} {
		f := NewInflater(&stuttering{data: deflated(t, level, 3000, text)}, nil)
		var got []byte
		var buf [7]byte
		for {
			n, err := f.Read(buf[:1+len(got)%len(buf)])
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, text) {
			t.Errorf("level %d: %d bytes, want %d", level, len(got), len(text))
		}
	}
}

// What a Deflater sends, the peer can read as soon as it is written, and an Inflater
// that waits holds no more than what was said.
func TestDeflater(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d, f := NewDeflater(&out), NewInflater(&out, nil)
	peer := bytes.Buffer{}
	for i := range 200 {
		text := mixed(1 + i*37)
		if _, err := d.Write(text); err != nil {
			t.Fatal(err)
		}
		peer.Write(out.Bytes())
		got := make([]byte, len(text))
		if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("write %d: %v", i, err)
		}
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("after write %d: %v", i, err)
		}
		if f.box != nil || f.in != nil {
			t.Fatalf("after write %d a buffer is held", i)
		}
		if cap(f.win) > windowSize {
			t.Fatalf("window of %d bytes", cap(f.win))
		}
	}
	if _, err := io.Copy(io.Discard, flate.NewReader(&peer)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("for compress/flate: %v, want a stream that goes on", err)
	}
}

func TestInflaterRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"unknown block":         "\x07",
		"stored length":         "\x00\x01\x00\x00\x00",
		"copy of nothing":       "\x03\x02",
		"too many literals":     "\xfc\x00\x00",
		"repeat of no length":   "\x04\xc0\x01\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00",
		"too many of its codes": "\x04\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		_, err := io.ReadAll(NewInflater(strings.NewReader(data), nil))
		_, other := io.ReadAll(flate.NewReader(strings.NewReader(data)))
		if err == nil || other == nil {
			t.Errorf("%s: accepted (%v, %v)", name, err, other)
		}
	}
}

// FuzzInflater holds that what compress/flate reads to the end, an Inflater reads as
// the same.
func FuzzInflater(f *testing.F) {
	f.Add(deflated(f, flate.BestCompression, 100, mixed(1000)), uint8(3))
	f.Add(deflated(f, flate.NoCompression, 100, mixed(300)), uint8(200))
	f.Add([]byte("\x03\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		const most = 1 << 20
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), most))
		r := iotest.OneByteReader(bytes.NewReader(data))
		got := readBy(NewInflater(r, nil), int(size)+1, most)
		if err == nil && !bytes.Equal(got, want) || err != nil && !bytes.HasPrefix(got, want) && !bytes.HasPrefix(want, got) {
			t.Errorf("got %q, want %q (%v)", got, want, err)
		}
	})
}

// readBy reads n bytes at a time, up to an error or most in all.
func readBy(r io.Reader, n, most int) (got []byte) {
	buf := make([]byte, n)
	for len(got) < most {
		n, err := r.Read(buf[:min(n, most-len(got))])
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	return got
}

func BenchmarkInflater(b *testing.B) {
	text := mixed(1 << 20)
	data := deflated(b, flate.DefaultCompression, 32<<10, text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, NewInflater(bytes.NewReader(data), nil)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeflater(b *testing.B) {
	text := mixed(32 << 10)
	d := NewDeflater(io.Discard)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := d.Write(text); err != nil {
			b.Fatal(err)
		}
	}
}
