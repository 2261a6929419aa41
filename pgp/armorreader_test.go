package pgp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// readArmor returns the first block of text.
func readArmor(text string) (kind string, data []byte, err error) {
	kind, r, err := openArmor(bufio.NewReaderSize(strings.NewReader(text), armorReadAhead))
	if err != nil {
		return "", nil, err
	}
	data, err = io.ReadAll(r)
	return kind, data, err
}

// TestArmorReaderLengths reads back what our writer writes, of every length modulo 3 and around buffers, in lines of
// every length.
func TestArmorReaderLengths(t *testing.T) {
	t.Parallel()
	lengths := []int{armorReadBuffer - 1, armorReadBuffer, armorReadBuffer + 1, 3 * armorReadAhead}
	for n := range 3*armorLine + 4 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		data := noise(n)
		text := string(armored("PGP MESSAGE", data))
		for _, form := range []string{text, relined(text, 1+n%71)} {
			_, r, err := openArmor(bufio.NewReaderSize(strings.NewReader(form), armorReadAhead))
			if err != nil {
				t.Fatalf("length %d: %v", n, err)
			}
			if err := iotest.TestReader(r, data); err != nil {
				t.Errorf("length %d: %v in\n%s", n, err, form)
			}
		}
	}
}

// relined cuts the data of armor into lines of so many characters, without a checksum.
func relined(text string, width int) string {
	head, rest, _ := strings.Cut(text, "\r\n\r\n")
	data, _, _ := strings.Cut(rest, "\r\n=")
	data = strings.ReplaceAll(data, "\r\n", "")
	var out strings.Builder
	out.WriteString(head + "\n\n")
	for data != "" {
		out.WriteString(data[:min(width, len(data))] + "\n")
		data = data[min(width, len(data)):]
	}
	return out.String() + "-----END PGP MESSAGE-----\n"
}

func TestArmorReader(t *testing.T) {
	t.Parallel()
	const (
		begin = "-----BEGIN PGP MESSAGE-----\r\n"
		end   = "-----END PGP MESSAGE-----\r\n"
	)
	tests := []struct {
		name, in string
		want     error
	}{
		{"plain", begin + "\r\naGVsbG8=\r\n=R/WK\r\n" + end, nil},
		{"no checksum", begin + "\r\naGVsbG8=\r\n" + end, nil},
		{"wrong checksum", begin + "\r\naGVsbG8=\r\n=AAAA\r\n" + end, nil},
		{"checksum of another form", begin + "\r\naGVsbG8=\r\n=R/W\r\n" + end, nil},
		{"no tail", begin + "\r\naGVsbG8=", nil},
		{"any header line", begin + "Comment: meet me at noon\r\nNote:\r\n\r\naGVsbG8=\r\n" + end, nil},
		{"long header line", begin + "Comment: " + strings.Repeat("x", 3*armorReadAhead) + "\r\n\r\naGVsbG8=\r\n" + end, nil},
		{"text around", "hello\r\n\r\n" + begin + "\r\naGVsbG8=\r\n=R/WK\r\n" + end + "meet me", nil},
		{"long text before", strings.Repeat("x", 3*armorReadAhead) + "\r\n" + begin + "\r\naGVsbG8=\r\n" + end, nil},
		{"mark without a block", begin + "hello\r\n" + begin + "\r\naGVsbG8=\r\n" + end, nil},
		{"blanks at line ends", begin + " \r\n \taGVs \r\nbG8= \r\n=R/WK\r\n" + end, nil},
		{"blank lines", begin + "\r\naGVs\r\n\r\nbG8=\r\n" + end, nil},
		{"lines of odd length", begin + "\r\naGVsb\r\nG8\r\n=\r\n" + end, nil},
		{"second spelling", begin + "\r\naGVsbG9=\r\n" + end, nil},

		{"nothing", "", io.EOF},
		{"no mark", "aGVsbG8=\r\n", io.EOF},
		{"no blank line", begin + "aGVsbG8=\r\n" + end, io.EOF},
		{"no base64", begin + "\r\nmeet me!\r\n" + end, errArmorBroken},
		{"data after padding", begin + "\r\naGVsbG8=\r\naGVs\r\n" + end, errArmorBroken},
		{"cut in a group", begin + "\r\naGVsbG8\r\n" + end, errArmorBroken},
		{"cut in a group, no tail", begin + "\r\naGVsbG8", errArmorBroken},
		{"endless line", begin + "\r\n" + strings.Repeat("aGVs", armorReadAhead), errArmorBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kind, got, err := readArmor(tt.in)
			switch {
			case !errors.Is(err, tt.want) || tt.want == nil && err != nil:
				t.Errorf("got %v, want %v", err, tt.want)
			case err == nil && (kind != "PGP MESSAGE" || string(got) != "hello"):
				t.Errorf("got %s, %q", kind, got)
			}
		})
	}
}

// TestArmorReaderError: what the source says is passed on, so that a broken connection is no damaged mail.
func TestArmorReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	text := string(armored("PGP MESSAGE", noise(100)))
	source := io.MultiReader(strings.NewReader(text[:len(text)/2]), iotest.ErrReader(broken))
	_, r, err := openArmor(bufio.NewReaderSize(source, armorReadAhead))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// halfMark reports whether a line begins like the first one of armor and ends otherwise: the library takes it for one.
func halfMark(text string) bool {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "-----BEGIN "); ok && !strings.HasSuffix(rest, "-----") {
			return true
		}
	}
	return false
}

// FuzzArmorReader checks that we read all that the library reads, and what our strict reader takes, as the same octets.
func FuzzArmorReader(f *testing.F) {
	f.Add(string(armored("PGP MESSAGE", []byte("hello"))))
	f.Add(relined(string(armored("PGP MESSAGE", noise(40))), 7))
	f.Add("text\n" + string(readTestdata(f, "messages", "gpg-version.asc")))
	f.Fuzz(func(t *testing.T, text string) {
		kind, got, err := readArmor(text)
		if strict, strictErr := dearmorPieces(text, len(text)+1); strictErr == nil {
			if err != nil || kind != "PGP MESSAGE" || !bytes.Equal(got, strict) {
				t.Fatalf("got %s, %x, %v, the strict reader %x", kind, got, err, strict)
			}
		}
		if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || halfMark(text) {
			return // the library drops a CR wherever it stands, and takes half a mark for a whole one
		}
		block, libraryErr := armor.Decode(strings.NewReader(text))
		if libraryErr != nil {
			return
		}
		want, libraryErr := io.ReadAll(block.Body)
		if libraryErr == nil && (err != nil || kind != block.Type || !bytes.Equal(got, want)) {
			t.Errorf("got %s, %x, %v, the library %s, %x", kind, got, err, block.Type, want)
		}
	})
}
