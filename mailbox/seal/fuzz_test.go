package seal

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// damage returns part with one byte changed, cut to length and with more at
// its end, as the fuzzer says, and whether that made it another part.
func damage(part []byte, at uint32, mask byte, cut uint32, more []byte) ([]byte, bool) {
	out := slices.Clone(part)
	out[int(at)%len(out)] ^= mask
	out = append(out[:len(out)-int(cut)%(len(out)+1)], more...)
	return out, !bytes.Equal(out, part)
}

// FuzzOpenEnvelope: what was sealed opens as it was, and nothing else opens.
func FuzzOpenEnvelope(f *testing.F) {
	w := newWorld(f)
	f.Add([]byte("envelope"), uint32(0), byte(0), uint32(0), []byte{})
	f.Add([]byte{}, uint32(1), byte(1), uint32(0), []byte{})
	f.Add(content(600), uint32(20), byte(0x80), uint32(1), []byte{7})
	f.Fuzz(func(t *testing.T, data []byte, at uint32, mask byte, cut uint32, more []byte) {
		part, changed := damage(w.message.SealEnvelope(w.place, data), at, mask, cut, more)
		got, err := w.message.OpenEnvelope(w.place, part)
		checkOpened(t, changed, got, err, data)

		key := must[[]byte](t)(w.keys.SealKey1(&w.message, w.place))
		key, changed = damage(key, at, mask, cut, more)
		m, err := w.keys.OpenKey1(w.message.Blob, w.place, key)
		checkOpened(t, changed, m.DEK[:], err, w.message.DEK[:])

		if _, err := w.message.OpenEnvelope(w.place, data); err == nil {
			t.Error("foreign bytes opened")
		}
	})
}

func checkOpened(t *testing.T, changed bool, got []byte, err error, want []byte) {
	t.Helper()
	if changed && !errors.Is(err, ErrOpen) && !errors.Is(err, ErrVersion) {
		t.Errorf("a changed part: got error %v", err)
	}
	if !changed && (err != nil || !bytes.Equal(got, want)) {
		t.Errorf("the part as it was: got error %v or other content", err)
	}
}

// FuzzOpenBody: whatever is done to a sealed body, a read of any range gives
// bytes of the content and nothing else.
func FuzzOpenBody(f *testing.F) {
	w := newWorld(f)
	f.Add(uint32(10), int64(0), uint32(10), uint32(0), byte(0), uint32(0), []byte{})
	f.Add(uint32(ChunkSize+9), int64(ChunkSize-4), uint32(8), uint32(30), byte(1), uint32(0), []byte{})
	f.Add(uint32(2*ChunkSize), int64(5), uint32(2*ChunkSize), uint32(ChunkSize+50), byte(1), uint32(3), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, size uint32, off int64, n, at uint32, mask byte, cut uint32, more []byte) {
		data := content(int(size % (3 * ChunkSize)))
		genuine := sealBody(t, &w.message, data)
		part, changed := damage(genuine, at, mask, cut, more)
		r, err := w.message.NewBodyReader(bytes.NewReader(part), int64(len(part)), int64(len(data)))
		if err != nil {
			checkOpened(t, changed, nil, err, nil)
			return
		}
		p := make([]byte, n%(3*ChunkSize))
		got, err := r.ReadAt(p, off)
		if !changed && err != nil && err != io.EOF && off >= 0 {
			t.Errorf("the body as it was: %v", err)
		}
		if got > 0 && !bytes.Equal(p[:got], data[off:off+int64(got)]) {
			t.Error("ReadAt gave bytes that are not the content's")
		}
		if !bytes.Equal(p[got:], make([]byte, len(p)-got)) {
			t.Error("ReadAt left bytes beyond those it gave")
		}
	})
}

// FuzzUnpad: padding has one form only.
func FuzzUnpad(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'x', 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := unpad(b, 8); ok && !bytes.Equal(pad(got, 8), b) {
			t.Errorf("%x is another form of the padding of %x", b, got)
		}
	})
}

// FuzzParseSecret: a secret that parses is shown in one form, which parses to
// the same.
func FuzzParseSecret(f *testing.F) {
	f.Add(example().Reveal())
	f.Add(strings.ReplaceAll(example().Reveal(), "-", ""))
	f.Add("r1-0000")
	f.Add("RI OIL\u2011")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil {
			if err != ErrNotSecret && err != ErrMistyped {
				t.Errorf("got error %v", err)
			}
			return
		}
		again, err := ParseSecret(s.Reveal())
		if err != nil || again != s {
			t.Errorf("%q: shown as %q, which gives error %v or another secret", text, s.Reveal(), err)
		}
	})
}

// FuzzParseKDF: what parses is what would be written, and its costs are
// bearable.
func FuzzParseKDF(f *testing.F) {
	f.Add(SecretKDF().Bytes())
	f.Add(KDF{method: byPassword, params: DefaultParams}.Bytes())
	f.Add(KDF{method: byPassword, params: Params{1 << 31, 1 << 31, 255}}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKDF(b)
		if err != nil {
			if !errors.Is(err, ErrKDF) && !errors.Is(err, ErrVersion) {
				t.Errorf("got error %v", err)
			}
			return
		}
		if !bytes.Equal(k.Bytes(), b) {
			t.Errorf("%x is written as %x", b, k.Bytes())
		}
		if k.Params().MemoryKiB > maxMemoryKiB || k.Params().Time > maxTime {
			t.Errorf("costs of %+v were taken", k.Params())
		}
	})
}
