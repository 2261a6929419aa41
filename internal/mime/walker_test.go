package mime

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stopper fails at its nth call.
type stopper struct{ calls, at int }

var errStop = errors.New("stop")

func (s *stopper) count() error {
	if s.calls++; s.calls == s.at {
		return errStop
	}
	return nil
}

func (s *stopper) Header(*Part) error                 { return s.count() }
func (s *stopper) Body(*Part, []byte) error           { return s.count() }
func (s *stopper) Outside(*Part, Place, []byte) error { return s.count() }

func TestVisitorStopsTheWalk(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(sample, "--outer--", "--outer-- x\r") // an Outside call of each place
	counter := &stopper{}
	if _, err := Walk(strings.NewReader(text), Options{Visitor: counter}); err != nil {
		t.Fatal(err)
	}
	if counter.calls < 15 {
		t.Fatalf("only %d calls", counter.calls)
	}
	for at := 1; at <= counter.calls; at++ {
		s := &stopper{at: at}
		w := NewWalker(Options{Visitor: s})
		n, err := io.Copy(w, strings.NewReader(text))
		if err == nil {
			_, err = w.Close()
		}
		if err != errStop || n > int64(len(text)) {
			t.Errorf("call %d: error %v after %d octets", at, err, n)
		}
		if n, err := w.Write([]byte("x")); n != 0 || err != errStop {
			t.Errorf("call %d: Write after the error = %d, %v", at, n, err)
		}
		if m, err := w.Close(); m != nil || err != errStop {
			t.Errorf("call %d: Close after the error = %v, %v", at, m, err)
		}
		if s.calls != at {
			t.Errorf("the visitor was called %d times after call %d", s.calls-at, at)
		}
	}
}

func TestClosedWalker(t *testing.T) {
	t.Parallel()
	w := NewWalker(Options{})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err == nil {
		t.Error("second Close gives no error")
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close gives no error")
	}
}

func TestDefectsOnTheWay(t *testing.T) {
	t.Parallel()
	w := NewWalker(Options{})
	if got := w.Defects(); got != nil {
		t.Errorf("defects at the beginning: %v", got)
	}
	if _, err := w.Write([]byte("A: b\n")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w.Defects(), []Defect{{BareLF, 4, 1}}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	joe, kim := Address{Mailbox: "joe", Host: "x"}, Address{Mailbox: "kim", Host: "y"}
	both := []Address{joe, kim}
	tests := []struct {
		name, header string
		want         Envelope
	}{
		{"nothing", "", Envelope{}},
		{"sender and reply-to stand in for nothing", "From: joe@x\r\nSender: \r\n", Envelope{From: both[:1], Sender: both[:1], ReplyTo: both[:1]}},
		{"all lists", "From: joe@x\r\nSender: kim@y\r\nReply-To: kim@y\r\nTo: joe@x\r\nCc: kim@y\r\nBcc: joe@x, kim@y\r\n",
			Envelope{From: both[:1], Sender: both[1:], ReplyTo: both[1:], To: both[:1], Cc: both[1:], Bcc: both}},
		{"lists of recipients add up, From does not", "From: joe@x\r\nFrom: kim@y\r\nTo: joe@x\r\nTO: kim@y\r\nCc: joe@x\r\ncc: kim@y\r\nBcc: joe@x\r\nBcc: kim@y\r\n",
			Envelope{From: both[:1], Sender: both[:1], ReplyTo: both[:1], To: both, Cc: both, Bcc: both}},
		{"texts", "Date: never\r\nSubject: =?utf-8?Q?a?=\r\n b\r\nMessage-Id: <1@x>\r\nIn-Reply-To: <2@x>\r\n <3@x>\r\nReferences: <4@x>\r\nSubject: second\r\n",
			Envelope{Date: "never", Subject: "=?utf-8?Q?a?= b", MessageID: "<1@x>", InReplyTo: "<2@x> <3@x>"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, _ := walkAll(t, tt.header+"\r\n", Options{})
			if d := cmp.Diff(m.Envelope, tt.want); d != "" {
				t.Errorf("(-got +want):\n%s", d)
			}
			m, _ = walkAll(t, mixed+"--b\r\nSubject: of a part\r\nContent-Type: message/global\r\n\r\n"+tt.header+"\r\n", Options{})
			if d := cmp.Diff(*m.Root.Find(1).Envelope, tt.want); d != "" {
				t.Errorf("embedded (-got +want):\n%s", d)
			}
			if d := cmp.Diff(m.Envelope, Envelope{}); d != "" {
				t.Errorf("outer (-got +want):\n%s", d)
			}
		})
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	big := "X-Big: " + strings.Repeat(strings.Repeat("x", 70)+"\r\n ", 100) + "\r\n"
	text := "From: a@b\r\nX-One: 1\r\nFROM: c\r\n d\r\n" + big + "X-Two: 2\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner\r\n\r\n"
	for _, tt := range []struct {
		name string
		keep []string
		want string
		all  bool
	}{
		{"nothing", nil, "", true},
		{"all of a name, of the root only", []string{"from"}, "From: a@b\r\n|FROM: c\r\n d\r\n", true},
		{"order of the header", []string{"X-Two", "x-one", "X-Absent"}, "X-One: 1\r\n|X-Two: 2\r\n", true},
		{"big fits", []string{"X-Big"}, big, true},
		{"named twice", []string{"X-One", "x-one"}, "X-One: 1\r\n", true},
	} {
		checkKept(t, tt.name, text, tt.keep, tt.want, tt.all)
	}
	checkKept(t, "too big", big+"X-Two: 2\r\n"+big, []string{"X-Big", "X-Two"}, big+"|X-Two: 2\r\n", false)
}

func checkKept(t *testing.T, name, text string, keep []string, want string, all bool) {
	t.Helper()
	m, _ := walkAll(t, text, Options{Keep: keep})
	var raw []string
	for _, f := range m.Kept {
		raw = append(raw, string(f.Raw))
	}
	if got := strings.Join(raw, "|"); got != want || m.KeptAll != all {
		t.Errorf("%s: kept %q, all: %v", name, got, m.KeptAll)
	}
}

func ExampleWalk() {
	m, err := Walk(strings.NewReader("From: Joe <joe@example.org>\r\nSubject: Hello\r\n\r\nHow are you?\r\n"), Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Envelope.From[0].Name, m.Envelope.Subject, m.Root.Type, m.Root.Size(), m.Root.Lines)
	// Output: Joe Hello text 14 1
}
