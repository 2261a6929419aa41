package mime

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// walkAll walks text in one write and returns the message with what a visitor saw.
func walkAll(t *testing.T, text string, o Options) (*Message, *recorder) {
	t.Helper()
	rec := &recorder{}
	o.Visitor = rec
	w := NewWalker(o)
	rec.w = w
	if n, err := w.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("Write = %d, %v", n, err)
	}
	m, err := w.Close()
	if err != nil {
		t.Fatalf("Close: %v", err)
	}
	return m, rec
}

// recorder notes what a visitor sees: one line for each header, and one for each run of octets of one kind.
type recorder struct {
	w    *Walker
	log  []string
	last string // kind and part of the run at the end of log
}

func (r *recorder) Header(p *Part) error {
	r.last = ""
	r.log = append(r.log, fmt.Sprintf("header %d %s/%s %q", p.HeaderStart, p.Type, p.Subtype, p.Header))
	return nil
}

func (r *recorder) Body(p *Part, b []byte) error {
	return r.run(fmt.Sprintf("body %d", p.HeaderStart), b)
}

func (r *recorder) Outside(p *Part, place Place, b []byte) error {
	return r.run(fmt.Sprintf("outside %d %d", p.HeaderStart, place), b)
}

func (r *recorder) run(kind string, b []byte) error {
	if len(b) == 0 {
		return errors.New("empty piece")
	}
	if kind != r.last {
		r.log = append(r.log, kind+" ")
		r.last = kind
	}
	r.log[len(r.log)-1] += string(b)
	return nil
}

const sample = "From: Joe Doe <joe@example.org>\r\nTo: jane@example.net, \"hidden-recipients\": ;\r\nSubject: Hello\r\n there\r\n" +
	"Date: Mon, 23 Nov 2026 14:08:00 +0100\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n" +
	"preamble\r\n--outer\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nline one\r\nline two\r\n" +
	"--outer\r\nContent-Type: message/rfc822\r\nContent-Description: a mail\r\n\r\nSubject: inner\r\nFrom: kim@example.com\r\n\r\ninner text\r\n" +
	"\r\n--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n--inner \t\r\n\r\na\r\n--inner\r\nContent-Type: text/html\r\n\r\n<b>\r\n--inner--\r\n" +
	"--outer--\r\nepilogue\r\n"

func TestWalkSample(t *testing.T) {
	t.Parallel()
	m, rec := walkAll(t, sample, Options{Keep: []string{"message-id", "date"}})
	if len(m.Defects) != 0 {
		t.Errorf("defects: %v", m.Defects)
	}
	slice := func(p *Part) string { return sample[p.BodyStart:p.End] }
	for _, c := range []struct {
		path  []int
		typ   string
		body  string
		lines int64
	}{
		{[]int{1}, "text/plain", "line one\r\nline two", 2},
		{[]int{2}, "message/rfc822", "Subject: inner\r\nFrom: kim@example.com\r\n\r\ninner text\r\n", 4},
		{[]int{2, 1}, "text/plain", "inner text\r\n", 1},
		{[]int{3, 1}, "text/plain", "a", 1},
		{[]int{3, 2}, "text/html", "<b>", 1},
	} {
		p := m.Root.Find(c.path...)
		if p == nil || !p.Is(c.typ) || slice(p) != c.body || p.Lines != c.lines {
			t.Errorf("part %v = %+v", c.path, p)
		}
	}
	e := m.Root.Find(2).Envelope
	if e.Subject != "inner" || e.From[0].Host != "example.com" {
		t.Errorf("inner envelope = %+v", e)
	}
	want := Envelope{
		Date: "Mon, 23 Nov 2026 14:08:00 +0100", Subject: "Hello there", MessageID: "<1@example.org>",
		Time:    time.Date(2026, 11, 23, 14, 8, 0, 0, time.FixedZone("", 3600)),
		From:    []Address{{Name: "Joe Doe", Mailbox: "joe", Host: "example.org"}},
		Sender:  []Address{{Name: "Joe Doe", Mailbox: "joe", Host: "example.org"}},
		ReplyTo: []Address{{Name: "Joe Doe", Mailbox: "joe", Host: "example.org"}},
		To:      []Address{{Mailbox: "jane", Host: "example.net"}, {Mailbox: "hidden-recipients"}, {}},
	}
	if d := cmp.Diff(m.Envelope, want); d != "" {
		t.Errorf("envelope (-got +want):\n%s", d)
	}
	if len(m.Kept) != 2 || !m.KeptAll || m.Kept[0].Name != "Date" || string(m.Kept[1].Raw) != "Message-ID: <1@example.org>\r\n" {
		t.Errorf("kept %q", m.Kept)
	}
	log := strings.Join(rec.log, "\n")
	for _, s := range []string{"outside 0 0 preamble\n", "outside 0 1 epilogue\r\n"} {
		if !strings.Contains(log, s) {
			t.Errorf("visitor saw no %q in\n%s", s, log)
		}
	}
}

func TestBinaryOfSample(t *testing.T) {
	t.Parallel()
	m, _ := walkAll(t, sample, Options{Keep: []string{"from", "content-type"}})
	b := m.AppendBinary([]byte("x"))[1:]
	got, err := ParseBinary(b)
	if err != nil {
		t.Fatal(err)
	}
	m.Defects, m.Root.Header = nil, nil
	if d := cmp.Diff(dump(got), dump(m)); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	h, err := ParseHead(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, m.Head); d != "" {
		t.Errorf("head (-got +want):\n%s", d)
	}
}

func TestWalkReader(t *testing.T) {
	t.Parallel()
	m, err := Walk(iotest.OneByteReader(strings.NewReader(sample)), Options{})
	if err != nil || m.Size != int64(len(sample)) {
		t.Fatalf("Walk = %+v, %v", m, err)
	}
	broken := errors.New("broken")
	if _, err := Walk(io.MultiReader(strings.NewReader(sample), iotest.ErrReader(broken)), Options{}); !errors.Is(err, broken) {
		t.Errorf("Walk of a broken reader: %v", err)
	}
}
