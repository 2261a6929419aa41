package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve reads every command as a server would that knows LOGIN and APPEND, and
// returns what it took for commands and how each ended.
func serve(r *Reader, maxLiteral int64) (log []string) {
	for r.Wait() == nil {
		d, err := r.Command()
		if err != nil {
			return append(log, "lost: "+err.Error())
		}
		entry, err := serveOne(d, maxLiteral)
		log = append(log, entry+": "+outcome(err))
		if err := d.Skip(); err != nil {
			return append(log, "lost: "+err.Error())
		}
	}
	return log
}

var errRefused = errors.New("refused")

func serveOne(d *Decoder, maxLiteral int64) (string, error) {
	tag := d.Tag()
	d.SP()
	name := d.Keyword()
	entry := tag + " " + name
	switch name {
	case "LOGIN":
		d.SP()
		user := d.Astring()
		d.SP()
		entry += fmt.Sprintf(" %q %q", user, d.Astring())
	case "APPEND":
		d.SP()
		entry += " " + d.Mailbox()
		for d.Special(' ') {
			l := d.Literal(func(i LiteralInfo) error {
				if i.Size > maxLiteral {
					return errRefused
				}
				return nil
			})
			if l == nil {
				break
			}
			b, err := io.ReadAll(l)
			d.setErr(err)
			entry += fmt.Sprintf(" %q", b)
		}
	}
	return entry, d.End()
}

func outcome(err error) string {
	var se *SyntaxError
	var le *LimitError
	switch {
	case errors.As(err, &se):
		return "BAD"
	case errors.As(err, &le):
		return "LIMIT"
	case err == nil:
		return "OK"
	}
	return err.Error()
}

var streams = []struct {
	name string
	in   string
	want []string
}{
	{"pipelined", "a NOOP\r\nb noop\r\n", []string{"a NOOP: OK", "b NOOP: OK"}},
	{"empty line", "\r\na NOOP\r\n", []string{" : BAD", "a NOOP: OK"}},
	{"quoted", `a LOGIN "u\"s\\er" pass` + "\r\n", []string{`a LOGIN "u\"s\\er" "pass": OK`}},
	{"literals", "a LOGIN {4}\r\nuser {4+}\r\npa\r\n\r\nb NOOP\r\n",
		[]string{`a LOGIN "user" "pa\r\n": OK`, "b NOOP: OK"}},
	{"append", "a APPEND x {6+}\r\na\r\nb\r\n\r\nb NOOP\r\n", []string{`a APPEND x "a\r\nb\r\n": OK`, "b NOOP: OK"}},
	{"append many", "a APPEND x {1+}\r\n1 ~{2+}\r\n\x002 {0+}\r\n\r\nb NOOP\r\n",
		[]string{`a APPEND x "1" "\x002" "": OK`, "b NOOP: OK"}},

	// What a refused literal holds is content, whatever it looks like.
	{"refused non-sync literal", "a APPEND x {16+}\r\nb CREATE pwned\r\n\r\nc NOOP\r\n",
		[]string{"a APPEND x: refused", "c NOOP: OK"}},
	{"refused sync literal", "a APPEND x {9999}\r\nc NOOP\r\n",
		[]string{"a APPEND x: refused", "c NOOP: OK"}},
	{"refused, then another literal", "a APPEND x {11+}\r\nb DELETE x\n {9+}\r\nb NOOP\r\n  (\\Seen)\r\nc NOOP\r\n",
		[]string{"a APPEND x: refused", "c NOOP: OK"}},
	{"refused, then a sync literal", "a APPEND x {11+}\r\nb DELETE x\n {9}\r\nc NOOP\r\n",
		[]string{"a APPEND x: refused", "c NOOP: OK"}},
	{"literal of an unknown command", "a NOOP {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
		[]string{"a NOOP: BAD", "c NOOP: OK"}},
	{"literal after a syntax error", "a LOGIN (x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
		[]string{`a LOGIN "" "": BAD`, "c NOOP: OK"}},
	{"literal behind an open quote", "a LOGIN \"x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
		[]string{`a LOGIN "" "": BAD`, "c NOOP: OK"}},
	{"literal8 where none may be", "a LOGIN ~{8+}\r\nb\x00NOOP\r\n x\r\nc NOOP\r\n",
		[]string{`a LOGIN "~" "": BAD`, "c NOOP: OK"}},
	{"NUL in a plain literal", "a LOGIN {2+}\r\n\x00b x\r\nc NOOP\r\n",
		[]string{`a LOGIN "" "": BAD`, "c NOOP: OK"}},
	{"size beyond all numbers", "a LOGIN {99999999999999999999+}\r\nb NOOP\r\n",
		[]string{`a LOGIN "" "": LIMIT`, "lost: " + ErrOutOfStep.Error()}},

	// A bare LF, or a bare CR, ends nothing.
	{"bare LF", "a LOGIN \"x\nb DELETE INBOX\" y\r\nc NOOP\r\n", []string{`a LOGIN "" "": BAD`, "c NOOP: OK"}},
	{"bare CR", "a NOOP\rb NOOP\r\nc NOOP\r\n", []string{"a NOOP: BAD", "c NOOP: OK"}},

	// A line that is too long is refused as a whole.
	{"long line", "a NOOP " + strings.Repeat("x", 300) + " b NOOP\r\nc NOOP\r\n",
		[]string{"a NOOP: BAD", "c NOOP: OK"}},
	{"long argument", "a LOGIN " + strings.Repeat("x", 300) + " y\r\nc NOOP\r\n",
		[]string{`a LOGIN "` + strings.Repeat("x", 192) + `" "": LIMIT`, "c NOOP: OK"}},
	{"long line with a literal", "a LOGIN " + strings.Repeat("x", 300) + " {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
		[]string{`a LOGIN "` + strings.Repeat("x", 192) + `" "": LIMIT`, "c NOOP: OK"}},
	{"long line with a literal at the place of an error",
		"a LOGIN (" + strings.Repeat("x", 191) + "12345678{8+}\r\nb NOOP\r\n y\r\nc NOOP\r\n",
		[]string{`a LOGIN "" "": BAD`, "c NOOP: OK"}},
	{"literals beyond the limit", "a LOGIN {150+}\r\n" + strings.Repeat("y", 150) + " {100+}\r\n" +
		strings.Repeat("z", 100) + "\r\nc NOOP\r\n",
		[]string{`a LOGIN "` + strings.Repeat("y", 150) + `" "": LIMIT`, "c NOOP: OK"}},
}

func TestStreamStaysInStep(t *testing.T) {
	t.Parallel()
	for _, tt := range streams {
		for _, src := range []struct {
			name string
			r    io.Reader
		}{{"whole", strings.NewReader(tt.in)}, {"by byte", byByte{strings.NewReader(tt.in)}}} {
			t.Run(tt.name+"/"+src.name, func(t *testing.T) {
				t.Parallel()
				got := serve(NewReader(src.r, Options{MaxLine: 200}), 8)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("commands (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestStopReadingInALiteral(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 1000)
	r := NewReader(strings.NewReader("a APPEND x {10000+}\r\n"+body+"\r\nb NOOP\r\n"), Options{})
	d, err := r.Command()
	if err != nil {
		t.Fatal(err)
	}
	d.Tag()
	d.SP()
	d.Keyword()
	d.SP()
	d.Mailbox()
	d.SP()
	l := d.Literal(func(LiteralInfo) error { return nil })
	if _, err := io.ReadFull(l, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	d.Fail(errRefused)
	if err := d.Skip(); err != nil {
		t.Fatalf("Skip: %v", err)
	}
	if got, want := serve(r, 0), []string{"b NOOP: OK"}; !cmp.Equal(got, want) {
		t.Errorf("then read %q, want %q", got, want)
	}
}

func TestCommandSkipsWhatWasLeft(t *testing.T) {
	t.Parallel()
	r := NewReader(strings.NewReader("a APPEND x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"), Options{})
	if _, err := r.Command(); err != nil {
		t.Fatal(err)
	}
	if got, want := serve(r, 0), []string{"c NOOP: OK"}; !cmp.Equal(got, want) {
		t.Errorf("then read %q, want %q", got, want)
	}
}

func TestContinueOnlyWhenAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     int
	}{
		{"accepted sync", "a APPEND x {3}\r\nabc\r\n", 1},
		{"accepted non-sync", "a APPEND x {3+}\r\nabc\r\n", 0},
		{"refused sync", "a APPEND x {30}\r\n", 0},
		{"strings", "a LOGIN {1}\r\nu {1}\r\np\r\n", 2},
		{"string too long", "a LOGIN {70000}\r\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			opt := Options{Continue: func() error { asked++; return nil }}
			serve(NewReader(strings.NewReader(tt.in), opt), 8)
			if asked != tt.want {
				t.Errorf("asked %d times, want %d", asked, tt.want)
			}
		})
	}
}

func TestResponsesHaveLiteralsUnasked(t *testing.T) {
	t.Parallel()
	in := "* 1 FETCH (X {4}\r\n\r\na )\r\n* OK text {9}\r\na OK done\r\n"
	r := NewReader(strings.NewReader(in), Options{Responses: true})
	var got []string
	for range 3 {
		d, err := r.Command()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d.Atom()) // fails for "*"
		if d.err = nil; d.Special('*') {
			d.SP()
			if d.Peek() == 'O' {
				got = append(got, d.Text())
			}
		}
	}
	want := []string{"", "", "OK text {9}", "a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
}

func TestWaitHoldsNoBuffer(t *testing.T) {
	t.Parallel()
	pr, pw := io.Pipe()
	defer pw.Close()
	waits := 0
	var r *Reader
	r = NewReader(pr, Options{Pace: func(p Phase, _ int64) error {
		if p == PhaseIdle {
			waits++
			if r.buf != nil {
				t.Error("a buffer is held in Wait")
			}
		}
		return nil
	}})
	go func() {
		for range 3 {
			_, _ = io.WriteString(pw, "a NOOP\r\n")
		}
		_ = pw.Close()
	}()
	if got, want := len(serve(r, 0)), 3; got != want {
		t.Errorf("read %d commands, want %d", got, want)
	}
	if waits != 4 {
		t.Errorf("waited %d times, want 4", waits)
	}
}

func TestWaitCanBeRepeated(t *testing.T) {
	t.Parallel()
	fail := true
	r := NewReader(strings.NewReader("a NOOP\r\n"), Options{Pace: func(Phase, int64) error {
		if fail {
			return os.ErrDeadlineExceeded
		}
		return nil
	}})
	if err := r.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Wait = %v, want a deadline", err)
	}
	fail = false
	if got, want := serve(r, 0), []string{"a NOOP: OK"}; !cmp.Equal(got, want) {
		t.Errorf("then read %q, want %q", got, want)
	}
}

func TestLostConnection(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"a NO", "a APPEND x {9+}\r\nabc", "a APPEND x {900+}\r\nabc", "a LOGIN {3+}\r\nabc"} {
		r := NewReader(strings.NewReader(in), Options{})
		serve(r, 100)
		if !errors.Is(r.Err(), io.ErrUnexpectedEOF) {
			t.Errorf("%q: Err = %v, want unexpected EOF", in, r.Err())
		}
	}
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 30<<10)
	for _, in := range []string{
		"a NOOP " + long + "\r\n",
		"a NOOP {20000+}\r\n" + long,
		"a NOOP" + strings.Repeat(" {0+}\r\n", 10000) + "\r\n",
	} {
		r := NewReader(strings.NewReader(in), Options{MaxLine: 100, MaxDrain: 10 << 10})
		serve(r, 0)
		if !errors.Is(r.Err(), ErrOutOfStep) {
			t.Errorf("%.20q: Err = %v, want ErrOutOfStep", in, r.Err())
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := NewReader(strings.NewReader("a NOOP "+strings.Repeat("x", 4<<20)+"\r\n"), Options{MaxLine: 10 << 10})
	d, err := r.Command()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Skip(); err != nil {
		t.Fatal(err)
	}
	if got := cap(r.buf); got > 32<<10 {
		t.Errorf("buffer grew to %d for a limit of %d", got, 10<<10)
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	in := "AGEAYg==\r\n" + strings.Repeat("x", 100) + "\r\nDONE\r\na {3+}\r\na NOOP\r\n"
	r := NewReader(byByte{strings.NewReader(in)}, Options{MaxLine: 50})
	for _, want := range []string{"AGEAYg==", "", "DONE", "a {3+}"} {
		line, err := r.ReadLine()
		if string(line) != want {
			t.Errorf("ReadLine = %q, want %q", line, want)
		}
		if want == "" {
			wantLimit(t, err)
		} else if err != nil {
			t.Errorf("ReadLine: %v", err)
		}
	}
	if got, want := serve(r, 0), []string{"a NOOP: OK"}; !cmp.Equal(got, want) {
		t.Errorf("then read %q, want %q", got, want)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	r := NewReader(strings.NewReader("a STARTTLS\r\nb injected\r\n"), Options{})
	d, err := r.Command()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Skip(); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Buffered(), len("b injected\r\n"); got != want {
		t.Errorf("Buffered = %d, want %d", got, want)
	}
	if got, want := string(r.Reset(strings.NewReader("c NOOP\r\n"))), "b injected\r\n"; got != want {
		t.Errorf("Reset = %q, want %q", got, want)
	}
	if got, want := serve(r, 0), []string{"c NOOP: OK"}; !cmp.Equal(got, want) {
		t.Errorf("then read %q, want %q", got, want)
	}
}

func TestPaceReportsProgress(t *testing.T) {
	t.Parallel()
	var got [PhaseWrite][]int64
	opt := Options{Pace: func(p Phase, done int64) error {
		got[p] = append(got[p], done)
		return nil
	}}
	serve(NewReader(byByte{strings.NewReader("a APPEND x {3+}\r\nyyy\r\n")}, opt), 100)
	want := [PhaseWrite][]int64{
		PhaseIdle:    {0, 0},
		PhaseLine:    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 1},
		PhaseLiteral: {0, 1, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}
