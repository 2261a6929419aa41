package imapd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
)

// suspicious refuses messages with the word "plain", as soon as it sees it.
type suspicious struct {
	*mime.Walker
	seen *int64 // octets of all messages
}

func (s suspicious) Write(p []byte) (int, error) {
	*s.seen += int64(len(p))
	if bytes.Contains(p, []byte("plain")) {
		return 0, errPlain
	}
	return s.Walker.Write(p)
}

var errPlain = plainText{}

type plainText struct{}

func (plainText) Error() string  { return "not encrypted" }
func (plainText) Reason() string { return "no OpenPGP message" }

// What the gate refuses gets one answer, which says why; the rest of it is thrown
// away unseen, and the connection goes on (DESIGN §8.10).
func TestAppendGate(t *testing.T) {
	t.Parallel()
	var seen int64
	w := newWorld(t, func(o *imapd.Options) {
		o.Gate = func(g mailbox.GateOptions) mailbox.Judge { return suspicious{mime.NewWalker(g.Walk), &seen} }
	})
	c := w.dial(t).enter(w.account(t, "b@example.org"))
	rest := strings.Repeat("x CREATE pwned\r\n", 1<<16)
	for i, announce := range []string{"{%d+}", "{%d}"} {
		text := "Subject: plain\r\n\r\n" + rest
		c.send("a APPEND INBOX "+announce, len(text))
		if i == 1 && c.line() != "+ Go on" {
			t.Fatal("not asked for the message")
		}
		c.send("%s", text)
		want := "a NO [CANNOT] Encryption needed: only OpenPGP encrypted messages can be kept here (no OpenPGP message)"
		if got := c.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if most := int64(4 * 64 << 10); seen > most {
		t.Errorf("the gate was shown %d octets of what it refused at once, want at most %d", seen, most)
	}
	if got := c.ok(`LIST "" pwned`); len(got) > 0 {
		t.Errorf("the message was run as commands: %q", got)
	}
	c.append("Archive", "Subject: fine\r\n\r\n")
	if got := c.ok("STATUS Archive (MESSAGES)")[0]; got != "* STATUS Archive (MESSAGES 1)" {
		t.Error(got)
	}
}

// append appends a message that must be taken.
func (c *client) append(name, text string) {
	c.tb.Helper()
	c.ok("APPEND %s {%d+}\r\n%s", name, len(text), text)
}

// A quota is looked at before the message is sent, and holds for COPY, too.
func TestAppendOverQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created, err := w.CreateAccount(t.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{
		Quota: &mailbox.Quota{Bytes: 100_000, Messages: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := w.dial(t).enter(created)
	want := "NO [OVERQUOTA] The mailbox is full: delete something first"
	if _, got := c.command("APPEND INBOX {100001}"); got != want {
		t.Errorf("by size: got %q, want %q", got, want)
	}
	c.append("INBOX", message("m1"))
	c.append("INBOX", message("m2"))
	c.ok("SELECT INBOX")
	if _, got := c.command("COPY 1:2 Archive"); got != want {
		t.Errorf("COPY: got %q, want %q", got, want)
	}
	c.ok("COPY 1 Archive")
	if _, got := c.command("APPEND INBOX {10}"); got != want {
		t.Errorf("by number: got %q, want %q", got, want)
	}
}

// A message of the size that a relay takes goes in and out without being held. It
// is not parallel because it measures memory.
func TestLargeMessage(t *testing.T) {
	const size = 30 << 20
	w := newWorld(t)
	c := w.dial(t).enter(w.account(t, "b@example.org"))
	before := allocated()
	c.send("a APPEND INBOX {%d+}", size)
	if _, err := io.Copy(c.nc, largeMessage(size)); err != nil {
		t.Fatal(err)
	}
	c.send("")
	if got := c.line(); !strings.HasPrefix(got, "a OK ") {
		t.Fatal(got)
	}
	in := allocated() - before
	c.ok("SELECT INBOX")

	before = allocated()
	c.send("b FETCH 1 (BODY.PEEK[] BODY.PEEK[1]<20971520.10>)")
	if got, want := c.line(), fmt.Sprintf("* 1 FETCH (BODY[] {%d}", size); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	if err := same(io.LimitReader(c.r, size), largeMessage(size)); err != nil {
		t.Error(err)
	}
	if got, want := c.line()+c.line(), " BODY[1]<20971520> {10}0123456789)"; len(got) != len(want) {
		t.Errorf("got %q, want something like %q", got, want)
	}
	if got := c.line(); got != "b OK FETCH completed" {
		t.Error(got)
	}
	if out := allocated() - before; in > 2<<20 || out > 2<<20 {
		t.Errorf("%d bytes were allocated to take the message in, and %d to tell it", in, out)
	}
}

// allocated returns the bytes that were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// largeMessage returns a reader of a message of that size.
func largeMessage(size int64) io.Reader {
	return io.LimitReader(io.MultiReader(strings.NewReader("Subject: large\r\n\r\n"), &lines{}), size)
}

// lines is an endless text.
type lines struct{ at int }

func (l *lines) Read(p []byte) (int, error) {
	const line = "0123456789 lines of a long text, of which each is as all others are\r\n"
	for i := range p {
		p[i] = line[l.at]
		l.at = (l.at + 1) % len(line)
	}
	return len(p), nil
}

// same reports where two streams differ.
func same(got, want io.Reader) error {
	var a, b [4096]byte
	for at := 0; ; at += len(a) {
		n, err := io.ReadFull(got, a[:])
		m, _ := io.ReadFull(want, b[:])
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("differs after octet %d", at)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
