package imapd_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// FuzzSession lets a client say anything, and then go. The connection must end;
// whatever the server says must be whole responses that a client can read; and
// nothing may be logged as an error. The account's quota bounds what a client that
// knows COPY can do.
func FuzzSession(f *testing.F) {
	for _, s := range sessions {
		f.Add(s.loggedIn, []byte(strings.ReplaceAll(s.text, "\n", "\r\n")))
	}
	w := newWorld(f, func(o *imapd.Options) { o.Limits.Message = 1 << 16 })
	created, err := w.CreateAccount(f.Context(), addr.MustParse("b@example.org"), mailbox.NewAccountOptions{Quota: &mailbox.Quota{Messages: 30}})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{message("one"), message("two")} {
		if err := w.deliver(f.Context(), "b@example.org", text); err != nil {
			f.Fatal(err)
		}
	}
	login := "l LOGIN b " + created.Secret + "\r\n"
	f.Fuzz(func(t *testing.T, loggedIn bool, said []byte) {
		if loggedIn {
			said = append([]byte(login), said...)
		}
		c := &monologue{in: bytes.NewReader(said)}
		w.server.ServeConn(t.Context(), c)
		checkResponses(t, c.out.Bytes())
		if text := w.log.String(); strings.Contains(text, "level=ERROR") {
			t.Fatal(text)
		}
	})
}

// sessions are the seeds.
var sessions = []struct {
	loggedIn bool
	text     string
}{
	{false, "a CAPABILITY\nb ID (\"name\" NIL)\nc STARTTLS\nd LOGIN b {3}\nxyz\n"},
	{false, "a AUTHENTICATE PLAIN\nAGIAYg==\nb AUTHENTICATE LOGIN\n*\n\n(\n"},
	{true, "a SELECT INBOX\nb FETCH 1:* (FLAGS UID BODY.PEEK[HEADER.FIELDS (Subject)]<0.10> ENVELOPE BODYSTRUCTURE)\nc IDLE\nDONE\n"},
	{true, "a EXAMINE INBOX (CONDSTORE)\nb UID SEARCH RETURN (SAVE COUNT) OR SEEN (NOT FROM {1+}\na)\nc UID FETCH $ MODSEQ (CHANGEDSINCE 1)\n"},
	{true, "a SELECT INBOX\nb STORE 1 +FLAGS.SILENT (\\Deleted $x)\nc UID COPY 1:2 Sent\nd MOVE 2 Trash\ne EXPUNGE\nf CLOSE\ng UNSELECT\n"},
	{true, "a APPEND INBOX (\\Seen) \" 4-May-2026 00:00:00 +0000\" {12+}\nSubject: x\n\n\nb APPEND Nowhere {9+}\nc NOOP\n\n"},
	{true, "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% *) RETURN (STATUS (MESSAGES RECENT HIGHESTMODSEQ))\nb LSUB \"\" %\nc NAMESPACE\n"},
	{true, "a ENABLE IMAP4rev2 CONDSTORE\nb CREATE x/y (USE (\\Sent))\nc RENAME x z\nd DELETE x/y\ne SUBSCRIBE x\nf STATUS x (UNSEEN)\n"},
}

// checkResponses reads what the server said with the client's half of the codec.
func checkResponses(t *testing.T, said []byte) {
	t.Helper()
	r := wire.NewReader(bytes.NewReader(said), wire.Options{Responses: true, MaxLine: 1 << 20})
	for {
		switch err := r.Wait(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatalf("%v, of %q", err, said)
		}
		d, err := r.Command()
		if err == nil && d.Peek() == 0 {
			err = errors.New("an empty line")
		}
		if err == nil {
			err = d.Skip()
		}
		if err != nil {
			t.Fatalf("%v, of %q", err, said)
		}
	}
}

// monologue is a connection whose client says everything at once and goes.
type monologue struct {
	in  *bytes.Reader
	out bytes.Buffer
}

var _ net.Conn = (*monologue)(nil)

func (m *monologue) Read(p []byte) (int, error)       { return m.in.Read(p) }
func (m *monologue) Write(p []byte) (int, error)      { return m.out.Write(p) }
func (m *monologue) Close() error                     { return nil }
func (m *monologue) LocalAddr() net.Addr              { return nil }
func (m *monologue) RemoteAddr() net.Addr             { return nil }
func (m *monologue) SetDeadline(time.Time) error      { return nil }
func (m *monologue) SetReadDeadline(time.Time) error  { return nil }
func (m *monologue) SetWriteDeadline(time.Time) error { return nil }
