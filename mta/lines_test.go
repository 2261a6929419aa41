package mta

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/restante/restante/mailbox"
)

func TestLineReader(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 98)
	tests := []struct {
		name, in string
		want     string
		err      error
	}{
		{name: "empty"},
		{name: "one line", in: "a\r\n", want: "a\r\n"},
		{name: "empty lines", in: "\r\n\r\n", want: "\r\n\r\n"},
		{name: "no end", in: "a\r\nb", want: "a\r\nb\r\n"},
		{name: "eight bits", in: "\xff\x80\r\n", want: "\xff\x80\r\n"},
		{name: "longest line", in: long + "\r\n", want: long + "\r\n"},
		{name: "line too long", in: long + "x\r\n", err: errLongLine},
		{name: "endless line", in: long + long, err: errLongLine},
		{name: "bare LF", in: "a\nb\r\n", err: errBareLF},
		{name: "bare LF first", in: "\na\r\n", err: errBareLF},
		{name: "two LF", in: "a\r\n\nb\r\n", err: errBareLF},
		{name: "bare CR", in: "a\rb\r\n", err: errBareCR},
		{name: "bare CR at the end", in: "a\r", err: errBareCR},
		{name: "two CR", in: "a\r\r\n", err: errBareCR},
		{name: "CR CR LF dot", in: "a\r\r\n.\r\r\nb\r\n", err: errBareCR},
		{name: "LF dot LF", in: "a\n.\nMAIL FROM:<b@c>\r\n", err: errBareLF},
		{name: "LF dot CRLF", in: "a\n.\r\nb\r\n", err: errBareLF},
		{name: "CR dot CR", in: "a\r.\rb\r\n", err: errBareCR},
		{name: "NUL", in: "a\x00b\r\n", err: errNUL},
		{name: "largest", in: strings.Repeat("abcdef\r\n", 100), want: strings.Repeat("abcdef\r\n", 100)},
		{name: "too large", in: strings.Repeat("abcdef\r\n", 100) + "x", err: mailbox.ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, r := range chunkings(test.in) {
				got, err := io.ReadAll(&lineReader{r: r, maxLine: 100, maxSize: 800})
				if !errors.Is(err, test.err) {
					t.Errorf("%s: error %v, want %v", name, err, test.err)
				}
				if test.err == nil && string(got) != test.want {
					t.Errorf("%s: got %q, want %q", name, got, test.want)
				}
			}
		})
	}
}

// chunkings returns readers that give out s whole, byte by byte, and with the
// error beside the last bytes.
func chunkings(s string) map[string]io.Reader {
	return map[string]io.Reader{
		"whole":      strings.NewReader(s),
		"bytes":      iotest.OneByteReader(strings.NewReader(s)),
		"halves":     iotest.HalfReader(strings.NewReader(s)),
		"data error": iotest.DataErrReader(strings.NewReader(s)),
	}
}

func TestLineReaderIsAReader(t *testing.T) {
	t.Parallel()
	const text = "one\r\ntwo\r\n\r\nthree\r\n"
	if err := iotest.TestReader(&lineReader{r: strings.NewReader(text), maxLine: 100, maxSize: 100}, []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestLineReaderKeepsItsError(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	r := &lineReader{r: io.MultiReader(strings.NewReader("a\r\nb"), iotest.ErrReader(lost)), maxLine: 100, maxSize: 100}
	for range 2 {
		got, err := io.ReadAll(r)
		if err != lost {
			t.Errorf("after %q: error %v, want %v", got, err, lost)
		}
	}
}

// allowed is the rule of lineReader said in the plainest way.
func allowed(b []byte, maxLine int) bool {
	for line := range bytes.SplitAfterSeq(b, crlf) {
		if len(line) > maxLine || bytes.ContainsAny(bytes.TrimSuffix(line, crlf), "\r\n\x00") {
			return false
		}
	}
	return true
}

func FuzzLineReader(f *testing.F) {
	for _, seed := range []string{"", "a\r\n.\r\n", "a\n.\n", "\r\r\n", "x\x00", "\r", strings.Repeat("y", 60)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const maxLine = 50
		whole, err := io.ReadAll(&lineReader{r: bytes.NewReader(in), maxLine: maxLine, maxSize: 1 << 20})
		if want := allowed(in, maxLine); (err == nil) != want {
			t.Fatalf("%q: error %v, want it allowed: %v", in, err, want)
		}
		bits, err2 := io.ReadAll(&lineReader{r: iotest.OneByteReader(bytes.NewReader(in)), maxLine: maxLine, maxSize: 1 << 20})
		if (err2 == nil) != (err == nil) {
			t.Fatalf("%q: byte by byte %v, at once %v", in, err2, err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(bits, whole) || !bytes.HasPrefix(whole, in) || len(whole) > len(in)+2 {
			t.Fatalf("%q became %q, byte by byte %q", in, whole, bits)
		}
		if len(whole) > 0 && !bytes.HasSuffix(whole, crlf) {
			t.Fatalf("%q has no line end", whole)
		}
	})
}

func TestDotCR(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want bool
	}{
		{"", false},
		{"a\r\n.\r\n", false},
		{"DATA\r\n.\r\nQUIT\r\n", false},
		{"a\r\n.\rb", true},
		{"a\r\n.\r\r\n", true},
		{"a\r\n.\r.\r\n", true},
		{"a\n\n.\rb", true},
		{"a\r\n..\rb", false},
		{"a\r\nb.\rc", false},
		{"a\r\n.\r\n.\r\n.\rb", true},
		{"a\r\n.\r", false},
	}
	for _, test := range tests {
		var whole, bits dotCR
		if got := whole.in([]byte(test.in)); got != test.want {
			t.Errorf("%q: got %v, want %v", test.in, got, test.want)
		}
		got := false
		for i := range len(test.in) {
			got = got || bits.in([]byte(test.in[i:i+1]))
		}
		if got != test.want {
			t.Errorf("%q byte by byte: got %v, want %v", test.in, got, test.want)
		}
	}
}
