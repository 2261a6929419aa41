package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

func TestCRLF(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"": "", "a": "a", "a\r\nb\r\n": "a\r\nb\r\n", "a\nb": "a\r\nb", "a\rb": "a\r\nb", "\n\n": "\r\n\r\n",
		"\r\r\n": "\r\n\r\n", "\r\n\n": "\r\n\r\n", "a\r": "a\r\n", "\n\r": "\r\n\r\n",
	}
	for in, want := range tests {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "bytes": iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := io.ReadAll(newCRLF(r)); err != nil || string(got) != want {
				t.Errorf("%q, %s: got %q, %v, want %q", in, name, got, err, want)
			}
		}
		if err := iotest.TestReader(newCRLF(strings.NewReader(in)), []byte(want)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzCRLF: every line end is CRLF, and nothing else of the text changes.
func FuzzCRLF(f *testing.F) {
	f.Add("a\r\nb\rc\nd\n\r\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := io.ReadAll(newCRLF(strings.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.ReplaceAll(string(got), "\r\n", "")
		if strings.ContainsAny(plain, "\r\n") {
			t.Errorf("%q: %q has other line ends", in, got)
		}
		if want := strings.NewReplacer("\r", "", "\n", "").Replace(in); plain != want {
			t.Errorf("%q: the text became %q", in, plain)
		}
	})
}

func TestSpool(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, spoolMemory, spoolMemory + 1, 3 * spoolMemory} {
		dir := t.TempDir()
		want := bytes.Repeat([]byte("marker-spool"), size/12+1)[:size]
		s := newSpool(dir)
		if _, err := io.Copy(s, iotest.HalfReader(bytes.NewReader(want))); err != nil {
			t.Fatal(err)
		}
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(dir)
		if err != nil || (len(files) > 0) != (size > spoolMemory) {
			t.Errorf("size %d: got %d files, %v", size, len(files), err)
		}
		for _, f := range files {
			if b, err := os.ReadFile(dir + "/" + f.Name()); err != nil || bytes.Contains(b, []byte("marker")) {
				t.Errorf("size %d: the file shows the mail (error %v)", size, err)
			}
		}
		for _, from := range []int{0, size / 2, size} {
			if got, err := io.ReadAll(s.reader(int64(from))); err != nil || !bytes.Equal(got, want[from:]) {
				t.Errorf("size %d from %d: got %d bytes, %v", size, from, len(got), err)
			}
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if files, err = os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("size %d: %d files are left, %v", size, len(files), err)
		}
	}
}

// TestMessages: who gets a message together with whom.
func TestMessages(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, header, to, want string }{
		{"one", "To: a@x.test", "a@x.test", "a@x.test"},
		{"to and cc", "To: a@x.test\r\nCc: B <b@x.test>", "a@x.test b@x.test", "a@x.test b@x.test"},
		{"another spelling", "To: A@X.test", "a@x.test", "a@x.test"},
		{"twice", "To: a@x.test", "a@x.test A@x.test", "a@x.test"},
		{"a hidden one", "To: a@x.test", "b@x.test a@x.test", "a@x.test; b@x.test"},
		{"only hidden ones", "To: undisclosed: ;", "a@x.test b@x.test", "a@x.test; b@x.test"},
		{"in a group", "To: team: a@x.test, b@x.test;", "a@x.test b@x.test", "a@x.test b@x.test"},
		{"quoted", `To: "a b"@x.test`, `"a b"@x.test`, `"a b"@x.test`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var to []addr.Address
			for _, s := range splitAddresses(tt.to) {
				to = append(to, addr.MustParse(s))
			}
			from := addr.MustParse("me@x.test")
			o, err := readOutgoing(strings.NewReader("From: me@x.test\r\n"+tt.header+"\r\n\r\n"), from.Equal, to, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer o.content.close()
			var got []string
			for _, m := range o.messages() {
				got = append(got, strings.Trim(fmt.Sprint(m.to), "[]"))
			}
			if diff := cmp.Diff(strings.Join(got, "; "), tt.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

// splitAddresses splits at blanks outside quotes.
func splitAddresses(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

// TestOuterHeader: what everybody sees depends on what the recipients' software needs.
func TestOuterHeader(t *testing.T) {
	t.Parallel()
	alice, key := generate(t, "alice@x.test")
	bob, bobKey := generate(t, "bob@x.test")
	own := &Identity{Address: alice, Current: key}
	o, err := readOutgoing(strings.NewReader(plain(alice.String(), bob.String(), "", "x")), alice.Equal, []addr.Address{bob}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer o.content.close()
	for _, greet := range []bool{true, false} {
		v, _ := newVault(t)
		c := NewContacts(v)
		s := Sighting{Cert: bobKey.Cert()}
		if !greet {
			s.Date = day(0)
		}
		if _, err := c.Update(bob, func(p Peer) (Peer, Event) { return p.See(bob, s) }); err != nil {
			t.Fatal(err)
		}
		k, err := c.resolve(&identities{main: own}, own, o.to, day(100))
		if err != nil {
			t.Fatal(err)
		}
		var mail bytes.Buffer
		if err := o.compose(&mail, message{to: o.to}, k); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(mail.String(), "\r\nAutocrypt:"); got != greet {
			t.Errorf("greet %v: got the certificate outside: %v", greet, got)
		}
		if err := pgp.Inspect(&mail, pgp.InspectOptions{}); err != nil {
			t.Errorf("the gate refuses the mail: %v", err)
		}
	}
}

func TestMissingDateAndID(t *testing.T) {
	t.Parallel()
	from := addr.MustParse("me@x.test")
	o, err := readOutgoing(strings.NewReader("From: me@x.test\n\nhello\n"), from.Equal, []addr.Address{from}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer o.content.close()
	got := map[string]string{}
	for _, f := range outgoingHeader(o.message.Root, o.id, day(0)) {
		got[f.Name] = f.Value
	}
	if got["Date"] != "Sun, 01 Nov 2026 12:00:00 +0000" || !strings.HasSuffix(got["Message-ID"], "@x.test>") {
		t.Errorf("got %v", got)
	}
	if _, err := readOutgoing(strings.NewReader("From: me@x.test\n\n"), from.Equal, nil, t.TempDir()); !errors.Is(err, errNobody) {
		t.Errorf("no recipient: got %v", err)
	}
}

// TestReplies: no text of an unforeseen error reaches the client.
func TestReplies(t *testing.T) {
	t.Parallel()
	for _, r := range replies {
		if got, ok := replyTo(fmt.Errorf("wrapped: %w", r.err)); !ok || got.Code != r.reply.Code || len(got.Message) == 0 {
			t.Errorf("%v: got %v, %v", r.err, got, ok)
		}
	}
	got, ok := replyTo(errors.New("marker"))
	if ok || got.Code != 451 || strings.Contains(got.Message, "marker") {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, r := range reasons {
		u := &Unsendable{[]UnsendableTo{{addr.MustParse("bob@x.test"), r.err}}}
		if got, ok := replyTo(u); !ok || got.Code != 523 || !strings.Contains(got.Message, "bob@x.test") || strings.Contains(got.Message, "%!") {
			t.Errorf("%v: got %v, %v", r.err, got, ok)
		}
	}
}
