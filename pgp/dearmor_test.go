package pgp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// dearmorPieces decodes text in writes of n octets.
func dearmorPieces(text string, n int) ([]byte, error) {
	var out bytes.Buffer
	var d dearmorer
	d.reset(&out, "PGP MESSAGE")
	for text != "" {
		if _, err := d.Write([]byte(text[:min(n, len(text))])); err != nil {
			return nil, err
		}
		text = text[min(n, len(text)):]
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// TestDearmorLengths reads back what our writer writes, of every length mod 3 and around buffers.
func TestDearmorLengths(t *testing.T) {
	t.Parallel()
	lengths := []int{dearmorBuffer - 1, dearmorBuffer, dearmorBuffer + 1, 3 * dearmorBuffer}
	for n := range 3*armorLine + 4 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		data := noise(n)
		got, err := dearmorPieces(string(armored("PGP MESSAGE", data)), 100)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("length %d: got %d octets, %v", n, len(got), err)
		}
	}
}

func TestDearmor(t *testing.T) {
	t.Parallel()
	const (
		begin = "-----BEGIN PGP MESSAGE-----\r\n"
		end   = "-----END PGP MESSAGE-----\r\n"
		data  = "aGVsbG8=\r\n=R/WK\r\n"
	)
	tests := []struct {
		name, in string
		want     error
	}{
		{"plain", begin + "\r\n" + data + end, nil},
		{"no checksum", begin + "\r\naGVsbG8=\r\n" + end, nil},
		{"LF", strings.ReplaceAll(begin+"\r\n"+data+end, "\r\n", "\n"), nil},
		{"blank lines around", "\r\n \r\n" + begin + "\r\n" + data + end + "\r\n\t\r\n", nil},
		{"no last line end", begin + "\r\n" + data + strings.TrimSpace(end), nil},
		{"version", begin + "Version: GnuPG v2.0.22 (GNU/Linux)\r\n\r\n" + data + end, nil},
		{"version without number", begin + "Version: PGPainless\r\n\r\n" + data + end, nil},
		{"version and comment", begin + "Version: OpenPGP.js v4.10.10\r\nComment: https://openpgpjs.org\r\n\r\n" + data + end, nil},
		{"character set", begin + "Charset: UTF-8\r\n\r\n" + data + end, nil},
		{"hash", begin + "Hash: SHA256\r\n\r\n" + data + end, nil},

		{"nothing", "", errArmorStart},
		{"text before", "hello\r\n" + begin + "\r\n" + data + end, errArmorStart},
		{"indented", " " + begin + "\r\n" + data + end, errArmorStart},
		{"other kind", strings.ReplaceAll(begin+"\r\n"+data+end, "MESSAGE", "SIGNATURE"), errArmorStart},
		{"no blank line", begin + data + end, errArmorHeader},
		{"unknown header", begin + "Note: hello\r\n\r\n" + data + end, errArmorHeader},
		{"text as version", begin + "Version: meet me at noon\r\n\r\n" + data + end, errArmorHeader},
		{"text behind version", begin + "Version: GnuPG v2 meet me\r\n\r\n" + data + end, errArmorHeader},
		{"long version", begin + "Version: GnuPG v1.2.3.4.5.6.7.8.9.10\r\n\r\n" + data + end, errArmorHeader},
		{"text as comment", begin + "Comment: meet me at noon\r\n\r\n" + data + end, errArmorHeader},
		{"text as character set", begin + "Charset: noon\r\n\r\n" + data + end, errArmorHeader},
		{"five headers", begin + strings.Repeat("Version: GnuPG v2\r\n", 5) + "\r\n" + data + end, errArmorHeader},
		{"header without colon", begin + "hello\r\n\r\n" + data + end, errArmorHeader},
		{"wrong checksum", begin + "\r\naGVsbG8=\r\n=AAAA\r\n" + end, errArmorSum},
		{"short checksum", begin + "\r\naGVsbG8=\r\n=R/W\r\n" + end, errArmorData},
		{"padded checksum", begin + "\r\naGVsbG8=\r\n=R/W=\r\n" + end, errArmorData},
		{"no base64", begin + "\r\nmeet me!\r\n" + end, errArmorData},
		{"blank line in data", begin + "\r\naGVs\r\n\r\nbG8=\r\n" + end, errArmorData},
		{"blank in data", begin + "\r\naGVs bG8=\r\n" + end, errArmorData},
		{"line of odd length", begin + "\r\naGVsb\r\nG8=\r\n" + end, errArmorData},
		{"second spelling", begin + "\r\naGVsbG9=\r\n" + end, errArmorData},
		{"data after padding", begin + "\r\naGVsbG8=\r\naGVs\r\n" + end, errArmorData},
		{"long line", begin + "\r\n" + strings.Repeat("aGVs", 20) + "\r\n" + end, errArmorLong},
		{"line without end", begin + "\r\n" + strings.Repeat("a", 100_000), errArmorLong},
		{"text after checksum", begin + "\r\n" + data + "meetmeatnoon\r\n" + end, errArmorEnd},
		{"no tail", begin + "\r\n" + data, errArmorEnd},
		{"only the first line", begin, errArmorEnd},
		{"other tail", begin + "\r\n" + data + strings.ReplaceAll(end, "MESSAGE", "SIGNATURE"), errArmorEnd},
		{"text after tail", begin + "\r\n" + data + end + "meet me\r\n", errArmorAfter},
		{"two blocks", begin + "\r\n" + data + end + begin + "\r\n" + data + end, errArmorAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 7, len(tt.in) + 1} {
				got, err := dearmorPieces(tt.in, piece)
				switch {
				case !errors.Is(err, tt.want) || tt.want == nil && err != nil:
					t.Errorf("pieces of %d: got %v, want %v", piece, err, tt.want)
				case err == nil && string(got) != "hello":
					t.Errorf("pieces of %d: got %q", piece, got)
				}
			}
		})
	}
}

// FuzzArmor checks that what we take for armor the library reads as the same octets, however it is cut.
func FuzzArmor(f *testing.F) {
	f.Add(string(armored("PGP MESSAGE", []byte("hello"))), 3)
	f.Add(string(readTestdata(f, "messages", "gpg-version.asc")), 64)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		got, err := dearmorPieces(text, len(text)+1)
		pieces, piecesErr := dearmorPieces(text, 1+max(0, piece)%100)
		if (err == nil) != (piecesErr == nil) || !bytes.Equal(got, pieces) {
			t.Errorf("whole: %v, in pieces: %v", err, piecesErr)
		}
		if err != nil {
			return
		}
		block, err := armor.Decode(strings.NewReader(text))
		if err != nil {
			t.Fatalf("the library refuses it: %v", err)
		}
		want, err := io.ReadAll(block.Body)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %x, the library %x, %v", got, want, err)
		}
	})
}
