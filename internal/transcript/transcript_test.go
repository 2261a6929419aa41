package transcript

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, "testdata/*.txtar", func(t *testing.T, s *Script) Server {
		srv := newToy(t)
		if s.Has("greeting") {
			srv.Vars["greeting"] = s.Setting("greeting")
		}
		return srv
	})
}

// failures are scripts that the player must refuse to pass, and words that the
// failure must contain. Those which wait end by the timeout of their step.
var failures = []struct {
	name   string
	waits  bool
	script string
	want   []string
}{
	{"other line", false, "S: * hello\nC: ECHO a\nS: b", []string{"x.txtar:4:", "want: b", "got:  a", "2  S: * hello", "3  C: ECHO a"}},
	{"no match", false, "S~ [0-9]+", []string{"x.txtar:2:", "want: [0-9]+", "got:  * hello"}},
	{"match of a part", false, "S~ hel+o", []string{"x.txtar:2:", "got:  * hello"}},
	{"line of another connection", false, "S1: * hello\nC1: ECHO a\nS1: b", []string{"x.txtar:4:", "the server1 sent another line"}},
	{"bare LF", false, "S: * hello\nC: RAW a\nS: a", []string{"x.txtar:4:", "does not end in CRLF", `"a\n"`}},
	{"silence", true, "S: * hello\nC: SILENCE\nS: a", []string{"x.txtar:4:", "did not send the line", "timeout"}},
	{"closed early", false, "S: * hello\nC: QUIT\nS: a", []string{"x.txtar:4:", "did not send the line", "EOF"}},
	{"not closed", true, "S: * hello\nS.", []string{"x.txtar:3:", "did not close"}},
	{"more before the close", false, "S: * hello\nC: TWO\nS: one\nS.", []string{"x.txtar:5:", "instead of closing", "got:  two"}},
	{"never the line after S*", true, "S: * hello\nC: COUNT 2\nS*\nS: * 3", []string{"x.txtar:5:", "want: * 3", "S: OK counted"}},
	{"S* ends at its line", false, "S: * hello\nC: COUNT 2\nS*\nS: * 1\nS: OK counted", []string{"x.txtar:6:", "got:  * 2"}},
	{"other bytes", false, "S: * hello\nC: BYTES 3\nC+ xy\\n\nS: {3}\nS< f\n-- f --\na", []string{"x.txtar:6:", "other bytes than f", `want: a`, `"xy\n"`}},
	{"too few bytes", true, "S: * hello\nC: ECHO a\nS< f\n-- f --\nabc", []string{"x.txtar:4:", "sent 3 of the 5 bytes of f"}},
	{"unknown variable", false, "S: * hello\nC: ECHO ${nobody}", []string{"x.txtar:3:", "${nobody} has no value"}},
	{"size of no file", false, "C: ${#nofile}", []string{"x.txtar:2:", "no file of this name"}},
	{"bad escape", false, `C+ a\q`, []string{"x.txtar:2:", "escape other than"}},
	{"escape cut off", false, `C+ a\`, []string{"x.txtar:2:", "middle of an escape"}},
	{"bad hex", false, `C+ \xzz`, []string{"x.txtar:2:", "two hexadecimal digits"}},
	{"dial", false, "Cnobody: a", []string{"x.txtar:2:", `dial connection "nobody"`, "no such place"}},
	{"unknown upgrade", false, "S: * hello\nC! compress", []string{"x.txtar:3:", `no Server.Upgrade for "C! compress"`}},
	{"data ahead of the upgrade", false, "S: * hello\nC: TWO\nS: one\nC! starttls", []string{"x.txtar:5:", "ahead of the hand-over", "two"}},
	{"handshake with no TLS server", true, "S: * hello\nC! starttls", []string{"x.txtar:3:", "starttls:"}},
	{"failing test verb", false, "S: * hello\n! sing", []string{"x.txtar:3:", `unknown verb "sing"`}},
	{"after the close", false, "S: * hello\nC.\nC: x", []string{"x.txtar:4:", "has been closed"}},
	{"unread at the end", false, "S: * hello\nC: TWO\nS: one", []string{"the script ends", "got:  two"}},
}

func TestPlayFailures(t *testing.T) {
	t.Parallel()
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script, err := Parse("x.txtar", []byte("# why\n"+test.script+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			srv := newToy(t)
			if test.waits {
				srv.Timeout = 100 * time.Millisecond
			}
			mentions(t, Play(t.Context(), script, srv), test.want)
		})
	}
}

func TestPlayStopsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := newToy(t)
	srv.Timeout = 0 // so that only the cancellation can end the step
	srv.Do = func(context.Context, string, []string) error { cancel(); return nil }
	script, err := Parse("x.txtar", []byte("# why\nS: * hello\n! cancel\nS: never\n"))
	if err != nil {
		t.Fatal(err)
	}
	mentions(t, Play(ctx, script, srv), []string{"x.txtar:4:", "did not send the line"})
}

func TestParseFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		want         []string
	}{
		{"empty", "", []string{"x.txtar:1: begin with a # comment"}},
		{"no title", "#\nC: a\n", []string{"x.txtar:1: begin with a # comment"}},
		{"script first", "C: a\n", []string{"x.txtar:1: begin with a # comment"}},
		{"no line", "# why\nhello\n", []string{`x.txtar:2: "hello" is not a line`}},
		{"mark of the other side", "# why\nS+ a\nC~ b\n", []string{"x.txtar:2:", "x.txtar:3:"}},
		{"no space", "# why\nC:a\n", []string{`x.txtar:2: "C:a" is not a line`}},
		{"expression", "# why\nS~ (\n", []string{"x.txtar:2:", "missing closing )"}},
		{"missing file", "# why\nC< a\nS< b\nC<< c\n", []string{"x.txtar:2:", "x.txtar:3:", "x.txtar:4:", "does not have"}},
		{"nothing to do", "# why\nC!\n!  \n", []string{"x.txtar:2:", "x.txtar:3:", "what to do"}},
		{"S* at the end", "# why\nS*\n", []string{"x.txtar:2: S* needs"}},
		{"S* before a command", "# why\nS*\nC1: a\nC: a\nS: b\n", []string{"x.txtar:2: S* needs"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("x.txtar", []byte(test.script))
			mentions(t, err, test.want)
		})
	}
}

func TestDotStuffed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ".\r\n"},
		{"plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
		{"dots", ".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n.\r\n"},
		{"no last line end", "a", "a\r\n.\r\n"},
	}
	for _, test := range tests {
		if got := string(dotStuffed([]byte(test.in))); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// FuzzParse checks that no text makes Parse panic, and that a script which
// parses has kept every line that says something.
func FuzzParse(f *testing.F) {
	for _, test := range failures {
		f.Add("# why\n" + test.script)
	}
	f.Fuzz(func(t *testing.T, text string) {
		script, err := Parse("x", []byte(text))
		if err != nil {
			return
		}
		for _, st := range script.steps {
			if !strings.Contains(text, st.raw) || st.line < 2 {
				t.Errorf("step %+v is not in the text", st)
			}
		}
	})
}

// mentions fails the test unless err is an error with all the words.
func mentions(t *testing.T, err error, words []string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want one that mentions %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %v\nwant it to mention %q", err, word)
		}
	}
}
