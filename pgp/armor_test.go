package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// TestArmorLengths checks every length around one and several lines, which covers each remainder by three, against the
// library's reader.
func TestArmorLengths(t *testing.T) {
	t.Parallel()
	for n := range 3*armorLine + 4 {
		data := noise(n)
		text := armored("PGP MESSAGE", data)
		block, err := armor.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("length %d: %v", n, err)
		}
		got, err := io.ReadAll(block.Body)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("length %d: got %x, %v, want %x", n, got, err, data)
		}
		if !bytes.Contains(text, []byte("\r\n=")) {
			t.Errorf("length %d: no checksum in\n%s", n, text)
		}
	}
}

func TestArmorShape(t *testing.T) {
	t.Parallel()
	got := string(armored("PGP MESSAGE", []byte("hello")))
	// The body and the checksum are what gpg 2.2.40 --enarmor writes.
	want := "-----BEGIN PGP MESSAGE-----\r\n\r\naGVsbG8=\r\n=R/WK\r\n-----END PGP MESSAGE-----\r\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, line := range strings.Split(string(armored("X", noise(1000))), "\r\n") {
		if len(line) > 76 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line %q is too long or has a bare line end", line)
		}
	}
}

// TestArmorWrites checks that the result depends on no write boundaries.
func TestArmorWrites(t *testing.T) {
	t.Parallel()
	data := noise(3*armorBuffer*armorLine + 17)
	want := armored("PGP MESSAGE", data)
	for _, piece := range []int{1, 7, armorLine, 4096, armorBuffer * armorLine, len(data)} {
		var out bytes.Buffer
		w := newArmorWriter(&out, "PGP MESSAGE")
		for rest := data; len(rest) > 0; {
			n, err := w.Write(rest[:min(piece, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("pieces of %d give other armor", piece)
		}
	}
}

func TestArmorReportsFailedWrites(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	w := newArmorWriter(failingWriter{broken}, "PGP MESSAGE")
	if _, err := w.Write(noise(2 * armorBuffer * armorLine)); !errors.Is(err, broken) {
		t.Errorf("Write: got %v, want %v", err, broken)
	}
	if err := w.Close(); !errors.Is(err, broken) {
		t.Errorf("Close: got %v, want %v", err, broken)
	}
}

func TestCRC24(t *testing.T) {
	t.Parallel()
	// "123456789" is the check string of the catalogue of parametrised CRCs, for CRC-24/OPENPGP.
	if got, want := fmt.Sprintf("%x", crc24Start.update([]byte("123456789")).sum()), "21cf02"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	data := noise(100)
	whole := crc24Start.update(data)
	for cut := range data {
		if got := crc24Start.update(data[:cut]).update(data[cut:]); got != whole {
			t.Errorf("cut at %d: got %x, want %x", cut, got, whole)
		}
	}
}

// noise returns n octets that look like ciphertext and are the same in every run.
func noise(n int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	source.Read(b)
	return b
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
