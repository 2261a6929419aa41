package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// decode returns a decoder of one line, and of what follows it.
func decode(t testing.TB, input string, opt Options) *Decoder {
	t.Helper()
	d, err := NewReader(strings.NewReader(input), opt).Command()
	if err != nil {
		t.Fatalf("Command: %v", err)
	}
	return d
}

// encode returns what f writes as one response, without its line end.
func encode(t testing.TB, f func(*Encoder)) string {
	t.Helper()
	s, err := tryEncode(false, f)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return s
}

func tryEncode(utf8 bool, f func(*Encoder)) (string, error) {
	var out bytes.Buffer
	e := NewEncoder(&out, EncoderOptions{})
	e.SetUTF8(utf8)
	f(e)
	err := e.CRLF()
	if ferr := e.Flush(); ferr != nil {
		err = ferr
	}
	return strings.TrimSuffix(out.String(), "\r\n"), err
}

// wantSyntax fails the test unless err is a *SyntaxError that wants the phrase.
func wantSyntax(t *testing.T, err error, want string) {
	t.Helper()
	var se *SyntaxError
	if !errors.As(err, &se) || !strings.Contains(se.Want, want) {
		t.Errorf("error = %v, want a SyntaxError about %q", err, want)
	}
}

func wantLimit(t *testing.T, err error) {
	t.Helper()
	var le *LimitError
	if !errors.As(err, &le) {
		t.Errorf("error = %v, want a LimitError", err)
	}
}

// byByte gives one byte per Read, so that every boundary is crossed.
type byByte struct{ r io.Reader }

func (b byByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return b.r.Read(p[:1])
}
