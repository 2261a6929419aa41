package imapd

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, encoding, in, want string }{
		{"7bit", "7bit", "a=3D\r\n", "a=3D\r\n"},
		{"base64", "base64", "aGVsbG8=", "hello"},
		{"base64 in lines", "base64", "  aG\r\nVs\tbG8=  \r\n", "hello"},
		{"base64 without its padding", "base64", "aGVsbG8", "hello"},
		{"base64 with an odd letter", "base64", "aGVsb", "hel"},
		{"base64 joined after padding", "base64", "aGk=aGk=", "hihi"},
		{"base64 with what is none", "base64", "a-G_k.=", "hi"},
		{"quoted-printable", "quoted-printable", "=C3=a4=3D", "ä="},
		{"soft line breaks", "quoted-printable", "a=\r\nb=\nc= \t\r\nd", "abcd"},
		{"hard line breaks", "quoted-printable", "a\r\nb\nc", "a\r\nb\nc"},
		{"blanks at the end of a line", "quoted-printable", "a \t\r\nb \nc\t", "a\r\nb\nc"},
		{"blanks within it", "quoted-printable", "a \t b", "a \t b"},
		{"blanks before a soft break", "quoted-printable", "a \t=\r\nb", "a \tb"},
		{"encoded blank at the end", "quoted-printable", "a=20\r\nb", "a \r\nb"},
		{"no escapes", "quoted-printable", "=G1 =1G == =\rx =", "=G1 =1G == =\rx "},
		{"bare CR", "quoted-printable", "a\rb\r\r\nc", "a\rb\r\r\nc"},
		{"soft break at the end", "quoted-printable", "a=", "a"},
		{"half an escape at the end", "quoted-printable", "a=4", "a=4"},
		{"very many blanks", "quoted-printable", "a" + strings.Repeat(" ", 3*maxHeld) + "b", "a" + strings.Repeat(" ", 3*maxHeld) + "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := iotest.TestReader(decode(test.encoding, strings.NewReader(test.in)), []byte(test.want))
			if err != nil {
				t.Error(err)
			}
			got, err := io.ReadAll(decode(test.encoding, iotest.OneByteReader(strings.NewReader(test.in))))
			if err != nil || string(got) != test.want {
				t.Errorf("one by one: %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// TestDecodeFails: an error of the reader is passed on, after what came before.
func TestDecodeFails(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"7bit", "base64", "quoted-printable"} {
		broken := io.MultiReader(strings.NewReader("YWJj"), iotest.ErrReader(io.ErrClosedPipe))
		if got, err := io.ReadAll(decode(encoding, broken)); err != io.ErrClosedPipe || len(got) == 0 {
			t.Errorf("%s: %q, %v", encoding, got, err)
		}
	}
}

// FuzzDecode: what an encoder has written comes out as it was, and what comes out
// does not depend on how the input was cut.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("a b\r\n=3D =\r\n \t"))
	f.Add([]byte("aGVsbG8="))
	f.Fuzz(func(t *testing.T, data []byte) {
		var quoted strings.Builder
		q := quotedprintable.NewWriter(&quoted)
		q.Binary = true
		_, _ = q.Write(data) // a Builder takes everything
		_ = q.Close()
		wantDecoded(t, "quoted-printable", quoted.String(), data)
		wantDecoded(t, "base64", base64.StdEncoding.EncodeToString(data), data)
		for _, encoding := range []string{"quoted-printable", "base64"} {
			whole, _ := io.ReadAll(decode(encoding, strings.NewReader(string(data))))
			wantDecoded(t, encoding, string(data), whole)
		}
	})
}

func wantDecoded(t *testing.T, encoding, in string, want []byte) {
	t.Helper()
	got, err := io.ReadAll(decode(encoding, iotest.OneByteReader(strings.NewReader(in))))
	if err != nil || string(got) != string(want) {
		t.Errorf("%s of %q: %q, %v, want %q", encoding, in, got, err, want)
	}
}
