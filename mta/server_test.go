package mta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/mailbox"
)

// sender returns go-smtp's client on the smtps listener, logged in.
func sender(tb testing.TB, r *relay, user string) *smtp.Client {
	tb.Helper()
	conn, err := r.dial(tb.Context(), "smtps")
	if err != nil {
		tb.Fatal(err)
	}
	c := smtp.NewClient(conn)
	tb.Cleanup(func() { c.Close() })
	if err := c.Auth(sasl.NewPlainClient("", user, "secret of "+user)); err != nil {
		tb.Fatal(err)
	}
	return c
}

// send sends a message from one user to another.
func send(c *smtp.Client, from, to string, message []byte) error {
	return c.SendMail(from+"@here.example", []string{to + "@here.example"}, bytes.NewReader(message))
}

// numbered returns a message of about size bytes that no other is equal to.
func numbered(from string, n, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s@here.example\r\nDate: Sun, 01 Mar 2026 11:00:00 +0000\r\nMessage-ID: <%d@%s>\r\n\r\n", from, n, from)
	for b.Len() < size {
		b.WriteString("0123456789012345678901234567890123456789012345678901234567890123456789\r\n")
	}
	return b.Bytes()
}

// Many clients at a time lose nothing and mix nothing up.
func TestManySenders(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	const senders, each = 8, 5
	var running sync.WaitGroup
	want := map[string]bool{}
	for i := range senders {
		from := []string{"anna", "bert"}[i%2]
		c := sender(t, r, from)
		for j := range each {
			want[string(numbered(from, 100*i+j, 1000*i))] = true
		}
		running.Go(func() {
			for j := range each {
				if err := send(c, from, "bert", numbered(from, 100*i+j, 1000*i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	got, err := r.inbox(t.Context(), "bert")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got {
		if !want[string(m)] {
			t.Errorf("kept twice or changed: %q", m[:100])
		}
		delete(want, string(m))
	}
	if len(want) > 0 {
		t.Errorf("%d messages are lost", len(want))
	}
}

// A large message takes the way through the spool file.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	m := numbered("anna", 1, 3<<20)
	if err := send(sender(t, r, "anna"), "anna", "bert", m); err != nil {
		t.Fatal(err)
	}
	got, err := r.inbox(t.Context(), "bert")
	if err != nil || len(got) != 1 || !bytes.Equal(got[0], m) {
		t.Errorf("got %d messages, %v", len(got), err)
	}
}

// go-smtp's client shows what a client library makes of the replies.
func TestRepliesInAClient(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Gate = gate })
	err := send(sender(t, r, "anna"), "anna", "bert", numbered("anna", 1, 100))
	var refused *smtp.SMTPError
	if !errors.As(err, &refused) || refused.Code != 523 || refused.EnhancedCode != (smtp.EnhancedCode{5, 7, 10}) {
		t.Fatalf("got %v", err)
	}
	if !strings.HasPrefix(refused.Message, gateText) {
		t.Errorf("got %q", refused.Message)
	}
	conn, err := r.dial(t.Context(), "smtps")
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", "anna", "wrong")); !errors.As(err, &refused) || refused.Code != 535 {
		t.Errorf("got %v", err)
	}
}

// A client of the TLS port that says nothing is cut off, and nobody waits for it.
func TestSilentClientOfTheTLSPort(t *testing.T) {
	t.Parallel()
	r := newRelay(t, func(o *Options) { o.Limits.HandshakeTimeout = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", r.address["smtps"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) > 0 || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v", got, err)
	}
}

// The end of a listener that nobody asked for is an error.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	s := &Server{o: Options{Limits: Limits{}.withDefaults(), Log: nil}}
	l := newPipeListener()
	l.Close()
	if err := s.serve(t.Context(), l, exchange); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestStopBeforeTheStart(t *testing.T) {
	t.Parallel()
	s := &Server{o: Options{Limits: Limits{}.withDefaults()}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.serve(ctx, newPipeListener(), exchange); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	service := new(mailbox.Service)
	for name, o := range map[string]Options{
		"no service":   {Domains: []string{"here.example"}},
		"no domain":    {Service: service},
		"not a domain": {Service: service, Domains: []string{"here.example", "not a domain"}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := New(Options{Service: service, Domains: []string{"HERE.example", "bücher.example"}})
	if err != nil || s.o.Hostname != "here.example" || s.domains[1] != "xn--bcher-kva.example" || s.o.Limits.MaxRecipients != 100 {
		t.Errorf("got %+v, %v", s, err)
	}
}

// The whole way of a message of 4 KiB on one connection: TLS, checks, sealing,
// and the wait for the disk.
func BenchmarkSubmission(b *testing.B) {
	r := newRelay(b)
	c := sender(b, r, "anna")
	b.SetBytes(4096)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := send(c, "anna", "bert", numbered("anna", n, 4096)); err != nil {
			b.Fatal(err)
		}
	}
}
