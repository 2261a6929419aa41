package wire

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/mime"
)

// TestPeerClient lets go-imap's client send a FETCH and read the answer.
func TestPeerClient(t *testing.T) {
	t.Parallel()
	server, conn := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- answerClient(server) }()
	c := imapclient.New(conn, nil)
	options := &imap.FetchOptions{
		Envelope: true, Flags: true, UID: true, InternalDate: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection:   []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierText, Peek: true}},
	}
	msgs, err := c.Fetch(imap.SeqSetNum(1, 2, 5), options).Collect()
	_ = c.Close()
	// The client asks for capabilities by itself, and hangs up in the midst of it;
	// what the server says of that matters only if the client did not get all.
	if end := <-served; err != nil {
		t.Fatal(errors.Join(err, end))
	}
	if len(msgs) != 1 {
		t.Fatalf("got %d messages, want 1", len(msgs))
	}
	m := msgs[0]
	if got, want := m.Envelope.Cc[1].Addr(), "KLENSIN@MIT.EDU"; got != want {
		t.Errorf("Cc = %q, want %q", got, want)
	}
	if diff := cmp.Diff([]imap.Flag{imap.FlagSeen, "$Junk"}, m.Flags); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	if !m.InternalDate.Equal(peerDate) || m.UID != 77 {
		t.Errorf("date %v and UID %d, want %v and 77", m.InternalDate, m.UID, peerDate)
	}
	if got, want := string(m.FindBodySection(options.BodySection[0])), "hello\r\n"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	checkPeerStructure(t, m.BodyStructure)
}

func checkPeerStructure(t *testing.T, s imap.BodyStructure) {
	t.Helper()
	var got []string
	s.Walk(func(_ []int, p imap.BodyStructure) bool {
		entry := p.MediaType()
		if d := p.Disposition(); d != nil {
			entry += " " + d.Value + " " + d.Params["filename"]
		}
		got = append(got, entry)
		return true
	})
	want := []string{"multipart/mixed", "text/plain", "message/rfc822", "application/pgp attachment a.asc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("structure (-want +got):\n%s", diff)
	}
}

var (
	peerDate = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	peerPart = &mime.Part{Type: "multipart", Subtype: "mixed", Parts: []*mime.Part{
		text("plain", 5, 1),
		{Type: "message", Subtype: "rfc822", Envelope: &rfcEnvelope, Parts: []*mime.Part{text("html", 3, 1)}},
		{Type: "application", Subtype: "pgp", Disposition: "attachment",
			DispositionParams: mime.Params{{Name: "filename", Value: "a.asc"}}},
	}}
)

// answerClient serves commands until the client hangs up.
func answerClient(conn net.Conn) error {
	defer conn.Close()
	r := NewReader(conn, Options{})
	e := NewEncoder(conn, EncoderOptions{})
	err := e.Status("", imap.StatusResponseTypePreAuth, "", "hello")
	for err = errors.Join(err, e.Flush()); err == nil; err = errors.Join(err, e.Flush()) {
		if r.Wait() != nil {
			return nil
		}
		err = answerCommand(r, e)
	}
	return err
}

// answerCommand serves FETCH, and CAPABILITY, which the client asks for at a
// moment of its own.
func answerCommand(r *Reader, e *Encoder) error {
	d, err := r.Command()
	if err != nil {
		return err
	}
	tag := d.Tag()
	d.SP()
	if d.Keyword() == "FETCH" {
		err = answerFetch(d, e)
	} else {
		e.Untagged()
		e.Word("CAPABILITY IMAP4rev1 IMAP4rev2")
		err = errors.Join(d.End(), e.CRLF())
	}
	return errors.Join(err, e.Status(tag, imap.StatusResponseTypeOK, "", "done"))
}

func answerFetch(d *Decoder, e *Encoder) error {
	d.SP()
	set := d.Set()
	d.SP()
	f := d.Fetch()
	if err := d.End(); err != nil {
		return err
	}
	if diff := cmp.Diff([]Range{{1, 2}, {5, 5}}, set.Ranges); diff != "" {
		return errors.New("set: " + diff)
	}
	e.StartFetch(1)
	e.Word("UID")
	e.Number(77)
	e.Word("FLAGS")
	e.Flags([]imap.Flag{imap.FlagSeen, imap.FlagJunk})
	e.Word("INTERNALDATE")
	e.DateTime(peerDate)
	e.Word("ENVELOPE")
	e.Envelope(&rfcEnvelope)
	e.Word("BODYSTRUCTURE")
	e.BodyStructure(peerPart)
	e.SectionLabel(&f.Sections[0])
	e.String("hello\r\n")
	return e.EndFetch()
}
