package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-imap/v2"
)

func TestString(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxQuoted+1)
	for _, tt := range []struct {
		name, in, old, utf8 string
	}{
		{"empty", "", `""`, `""`},
		{"plain", "a b", `"a b"`, `"a b"`},
		{"escapes", `a"b\c`, `"a\"b\\c"`, `"a\"b\\c"`},
		{"tab", "a\tb", "\"a\tb\"", "\"a\tb\""},
		{"line end", "a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
		{"control", "a\x01", "{2}\r\na\x01", "{2}\r\na\x01"},
		{"DEL", "a\x7f", "{2}\r\na\x7f", "{2}\r\na\x7f"},
		{"NUL", "a\x00b", "{3}\r\na?b", "{3}\r\na?b"},
		{"UTF-8", "ä", "{2}\r\nä", `"ä"`},
		{"escapes and UTF-8", `"ä`, "{3}\r\n\"ä", `"\"ä"`},
		{"not UTF-8", "\xff", "{1}\r\n\xff", "{1}\r\n\xff"},
		{"long with escape", `"` + long, "{4098}\r\n\"" + long, "{4098}\r\n\"" + long},
		{"long", long, "{4097}\r\n" + long, "{4097}\r\n" + long},
	} {
		for utf8, want := range map[bool]string{false: tt.old, true: tt.utf8} {
			if got, err := tryEncode(utf8, func(e *Encoder) { e.String(tt.in) }); got != want || err != nil {
				t.Errorf("%s, UTF-8 %v = %.40q, %v; want %.40q", tt.name, utf8, got, err, want)
			}
		}
	}
}

func TestSpaces(t *testing.T) {
	t.Parallel()
	got := encode(t, func(e *Encoder) {
		e.StartFetch(3)
		e.Word("FLAGS")
		e.Flags([]imap.Flag{imap.FlagSeen, "foo"})
		e.Word("X")
		e.Open()
		e.Close()
		e.Word("Y")
		e.Open()
		e.String("(")
		e.String("\n(")
		e.Nil()
		e.Close()
		e.Close()
	})
	if want := "* 3 FETCH (FLAGS (\\Seen foo) X () Y (\"(\" {2}\r\n\n( NIL))"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestStatusLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tag, code, text, want string
	}{
		{"a1", "", "Done.", "a1 OK Done."},
		{"", "ALERT", "Hear, hear", "* OK [ALERT] Hear, hear"},
		// Foreign text cannot make a line or a code.
		{"a1", "", "x\r\na2 OK y", "a1 OK x??a2 OK y"},
		{"a1", "", "[ALERT] x", "a1 OK (ALERT] x"},
		{"a1", "", "grüß\x00\x7f", "a1 OK gr????" + "??"},
		{"a1", "", "", "a1 OK -"},
	} {
		got := encode(t, func(e *Encoder) {
			if err := e.Status(tt.tag, imap.StatusResponseTypeOK, imap.ResponseCode(tt.code), tt.text); err != nil {
				t.Errorf("Status: %v", err)
			}
		})
		if got = strings.TrimSuffix(got, "\r\n"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestResponseCode(t *testing.T) {
	t.Parallel()
	got := encode(t, func(e *Encoder) {
		e.StartStatus("a1", imap.StatusResponseTypeOK)
		e.OpenCode("COPYUID")
		e.Number(38505)
		e.Nums([]uint32{304, 319, 320})
		e.Nums([]uint32{3956, 3957, 3958})
		e.CloseCode()
		e.Text("Done")
	})
	if want := "a1 OK [COPYUID 38505 304,319:320 3956:3958] Done"; got != want { // RFC 4315, 3
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIncompleteResponse holds that what cannot be encoded leaves nothing behind.
func TestIncompleteResponse(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(*Encoder){
		"empty set":      func(e *Encoder) { e.Nums(nil) },
		"empty ranges":   func(e *Encoder) { e.Set(Set{}) },
		"bad flag":       func(e *Encoder) { e.Flag("a b") },
		"empty flag":     func(e *Encoder) { e.Flag("") },
		"flag with line": func(e *Encoder) { e.Flag("\\Seen\r\n") },
		"bad atom":       func(e *Encoder) { e.Atom("a\r\nb") },
		"bad tag":        func(e *Encoder) { e.Tag("a+") },
		"open list":      func(e *Encoder) { e.Open() },
		"no search key":  func(e *Encoder) { e.SearchKey(&SearchKey{Op: SearchAnd}) },
		"short literal":  func(e *Encoder) { _ = e.Literal(strings.NewReader("abc"), 4) },
		"lost literal":   func(e *Encoder) { _ = e.Literal(iotest.ErrReader(errors.New("lost")), 4) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			e := NewEncoder(&out, EncoderOptions{})
			first := e.Count(1, "EXISTS")
			e.Word("*")
			e.Word("half")
			bad(e)
			if err := e.CRLF(); err == nil {
				t.Error("CRLF returned no error")
			}
			if err := errors.Join(first, e.Count(2, "EXISTS"), e.Flush()); err != nil {
				t.Errorf("the other responses: %v", err)
			}
			if got, want := out.String(), "* 1 EXISTS\r\n* 2 EXISTS\r\n"; got != want {
				t.Errorf("wrote %q, want %q", got, want)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := NewEncoder(&out, EncoderOptions{})
	first := e.Count(1, "EXISTS")
	m := e.Mark()
	second := e.Count(2, "EXISTS")
	e.Word("half")
	if err := errors.Join(first, second, e.Rollback(m), e.Flush()); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "* 1 EXISTS\r\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	if err := e.Rollback(m); err != nil {
		t.Errorf("rollback to the end: %v", err)
	}
	if err := e.Rollback(m - 1); err == nil {
		t.Error("rollback of what was written succeeded")
	}
	if err := e.Count(3, "EXISTS"); err == nil {
		t.Error("the encoder went on after a torn response")
	}
}

func TestFlushWritesOnlyCompleteResponses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := NewEncoder(&out, EncoderOptions{})
	first := e.Count(1, "EXISTS")
	e.Word("half")
	if err := errors.Join(first, e.Flush()); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "* 1 EXISTS\r\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	e.Word("done")
	if err := errors.Join(e.CRLF(), e.Flush()); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "* 1 EXISTS\r\nhalf done\r\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	if e.b != nil {
		t.Error("the empty encoder holds a buffer")
	}
}

func TestStreamedLiteral(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, BatchSize - 5, BatchSize, 3*BatchSize + 7, 1 << 20} {
		content := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
		for name, r := range map[string]io.Reader{
			"plain": strings.NewReader(content), "halves": iotest.HalfReader(strings.NewReader(content)),
			"with EOF": iotest.DataErrReader(strings.NewReader(content)),
		} {
			var out bytes.Buffer
			e := NewEncoder(&out, EncoderOptions{})
			e.StartFetch(1)
			e.Word("BODY[]")
			if err := errors.Join(e.Literal(r, int64(size)), e.EndFetch(), e.Flush()); err != nil {
				t.Fatalf("%d, %s: %v", size, name, err)
			}
			d := decode(t, out.String(), Options{Responses: true})
			d.pos = len("* 1 FETCH (BODY[] ")
			l := d.Literal(func(LiteralInfo) error { return nil })
			got, err := io.ReadAll(l)
			d.Expect(')')
			if err := errors.Join(err, d.End()); err != nil || string(got) != content {
				t.Errorf("%d, %s: read back %d bytes, %v", size, name, len(got), err)
			}
		}
	}
}

func TestTornLiteral(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := NewEncoder(&out, EncoderOptions{})
	content := strings.NewReader(strings.Repeat("x", 3*BatchSize))
	e.StartFetch(1)
	if err := e.Literal(content, 4*BatchSize); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Literal = %v, want unexpected EOF", err)
	}
	if err := e.EndFetch(); !errors.Is(err, errTorn) {
		t.Errorf("EndFetch = %v, want errTorn", err)
	}
	n := out.Len()
	if err := errors.Join(e.Count(1, "EXISTS"), e.Flush()); err == nil || out.Len() != n {
		t.Errorf("after a torn response: %v, and %d more bytes", err, out.Len()-n)
	}
}

func TestClientLiterals(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("\n", 5000)
	for _, tt := range []struct {
		l       Literals
		in      string
		want    string
		awaited int
	}{
		{LiteralsFromServer, "\n", "{1}\r\n\n", 0},
		{LiteralsPlus, big, "{5000+}\r\n" + big, 0},
		{LiteralsMinus, "\n", "{1+}\r\n\n", 0},
		{LiteralsMinus, big, "{5000}\r\n" + big, 1},
		{LiteralsSync, "\n", "{1}\r\n\n", 1},
	} {
		var out bytes.Buffer
		awaited := 0
		e := NewEncoder(&out, EncoderOptions{Literals: tt.l, Await: func() error {
			if !strings.HasSuffix(out.String(), "}\r\n") {
				t.Errorf("awaited before the announcement was written: %q", out.String())
			}
			awaited++
			return nil
		}})
		e.String(tt.in)
		if err := errors.Join(e.CRLF(), e.Flush()); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(out.String(), "\r\n"); got != tt.want || awaited != tt.awaited {
			t.Errorf("mode %d: wrote %.20q and awaited %d, want %.20q and %d", tt.l, got, awaited, tt.want, tt.awaited)
		}
	}
}

func TestWritePace(t *testing.T) {
	t.Parallel()
	var done []int64
	stop := errors.New("too slow")
	e := NewEncoder(io.Discard, EncoderOptions{Pace: func(p Phase, n int64) error {
		if done = append(done, n); len(done) == 2 {
			return stop
		}
		return nil
	}})
	e.Word(strings.Repeat("x", 2*BatchSize))
	if err := errors.Join(e.CRLF(), e.Flush()); !errors.Is(err, stop) {
		t.Errorf("Flush = %v, want the error of Pace", err)
	}
	if len(done) != 2 || done[0] != 0 || done[1] != BatchSize {
		t.Errorf("Pace saw %v", done)
	}
}

func TestContinue(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := NewEncoder(&out, EncoderOptions{})
	if err := errors.Join(e.Continue("Ready"), e.ContinueBase64(""), e.ContinueBase64("YQ=="), e.Flush()); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "+ Ready\r\n+ \r\n+ YQ==\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
