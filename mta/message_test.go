package mta

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// errNoMore is the end of a connection.
var errNoMore = errors.New("no more")

// undotted is what RFC 5321, 4.5.2 makes of what a client sends after DATA, and what
// comes behind the message; ok is false if its end is missing.
func undotted(sent string) (message, behind string, ok bool) {
	message, behind, ok = strings.Cut("\r\n"+sent, "\r\n.\r\n")
	return strings.ReplaceAll(message+"\r\n", "\r\n.", "\r\n")[2:], ".\r\n" + behind, ok
}

// readMessage reads what a client sends, which comes in pieces.
func readMessage(t *testing.T, sent string, piece int, wrap func(io.Reader) io.Reader) (message, behind string, err error) {
	t.Helper()
	from := strings.NewReader(sent)
	m := newMessageReader(func(b []byte) (int, error) {
		n, _ := from.Read(b[:min(len(b), piece)])
		if n == 0 {
			return 0, errNoMore
		}
		return n, nil
	})
	got, err := io.ReadAll(wrap(m))
	after, _ := io.ReadAll(from)
	return string(got), string(m.finish()) + string(after), err
}

func asIs(r io.Reader) io.Reader { return r }

func TestMessageReader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, sent, want string }{
		{"empty", ".\r\n", ""},
		{"one line", "a\r\n.\r\n", "a\r\n"},
		{"with a command behind", "a\r\n.\r\nQUIT\r\n", "a\r\n"},
		{"a dot before a line", "..a\r\n..\r\n.\r\n", ".a\r\n.\r\n"},
		{"a dot that is superfluous", ".a\r\n.\r\n", "a\r\n"},
		{"dots in lines", "a.\r\nb.c\r\n.\r\n", "a.\r\nb.c\r\n"},
		{"bare LF around a dot", "a\n.\nb\n.\r\nc\r\n.\r\n", "a\n.\nb\n.\r\nc\r\n"},
		{"bare CR around a dot", "a\r.\rb\r\n.\rc\r\n.\r\n", "a\r.\rb\r\n\rc\r\n"},
		{"dot and bare LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"},
		{"two CR", "a\r\r\n.\r\r\nb\r\n.\r\n", "a\r\r\n\r\r\nb\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for piece := 1; piece <= len(tt.sent); piece++ {
				for how, wrap := range map[string]func(io.Reader) io.Reader{"at once": asIs, "by bytes": iotest.OneByteReader} {
					got, behind, err := readMessage(t, tt.sent, piece, wrap)
					if err != nil || got != tt.want {
						t.Errorf("in pieces of %d, read %s: got %q and error %v, want %q", piece, how, got, err, tt.want)
					}
					if _, want, _ := undotted(tt.sent); behind != want {
						t.Errorf("in pieces of %d, read %s: got %q behind the message, want %q", piece, how, behind, want)
					}
				}
			}
		})
	}
}

// TestMessageReaderUnread: of a message that nobody wants, everything but the last
// line is read.
func TestMessageReaderUnread(t *testing.T) {
	t.Parallel()
	sent := strings.Repeat("A line.\r\n..\r\n", 5000) + ".\r\nQUIT\r\n"
	from := strings.NewReader(sent)
	m := newMessageReader(from.Read)
	if _, err := io.ReadFull(m, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(m.finish()), ".\r\nQUIT\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzMessageReader(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\nQUIT\r\n", "..\r\n.\r\n", "\r\n.\r\r\n.\n.\r\n", "\r.\r\n", ".\r.\r\n"} {
		f.Add(s, 2)
	}
	f.Fuzz(func(t *testing.T, sent string, piece int) {
		got, behind, err := readMessage(t, sent, 1+max(piece, 0)%64, asIs)
		want, rest, whole := undotted(sent)
		if whole != (err == nil) {
			t.Fatalf("%q: got error %v, but its end is there: %v", sent, err, whole)
		}
		if whole && (got != want || behind != rest) {
			t.Errorf("%q: got %q before %q, want %q before %q", sent, got, behind, want, rest)
		}
	})
}

func BenchmarkMessageReader(b *testing.B) {
	sent := bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 1000)
	sent = append(sent, endOfMessage...)
	b.SetBytes(int64(len(sent)))
	buf := make([]byte, 32<<10)
	for b.Loop() {
		m := newMessageReader(bytes.NewReader(sent).Read)
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, m, buf); err != nil {
			b.Fatal(err)
		}
		m.finish()
	}
}
