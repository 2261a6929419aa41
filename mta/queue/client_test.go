package queue

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"github.com/restante/restante/internal/addr"
)

// A sink is a go-smtp server that keeps what it gets.
type sink struct {
	*smtp.Server
	address string

	mu     sync.Mutex
	mails  []sunk
	left   int           // sessions that ended
	held   chan struct{} // gets a value when a message waits for free
	free   chan struct{}
	conns  int
	logins []string
}

// sunk is one mail in a sink.
type sunk struct {
	From, Body string
	To         []string
	Notify     []string
	EnvelopeID string
	UTF8       bool
	RequireTLS bool
}

// newSink starts one; change alters it before.
func newSink(tb testing.TB, change ...func(*smtp.Server)) *sink {
	tb.Helper()
	s := &sink{}
	s.Server = smtp.NewServer(s)
	s.ErrorLog = quietLog
	s.TLSConfig, _ = certificate(tb)
	s.Domain, s.MaxMessageBytes, s.EnableDSN, s.EnableSMTPUTF8, s.EnableREQUIRETLS = "mx.there.example", 1<<26, true, true, true
	for _, f := range change {
		f(s.Server)
	}
	ln := listen(tb)
	s.address = ln.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(ln) // its end is that of the test
	}()
	tb.Cleanup(func() {
		ln.Close() // Serve may not have begun yet, and then Close does not know it
		s.Close()
		<-ended
	})
	return s
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return &sinkSession{sink: s}, nil
}

func (s *sink) got() []sunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

// ended returns how many sessions have ended; one ends at STARTTLS.
func (s *sink) ended() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// hold makes the next messages wait for their reply until release is called. held
// gets a value for each.
func (s *sink) hold() (held <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.free = make(chan struct{}, 10), make(chan struct{})
	return s.held, sync.OnceFunc(func() { close(s.free) })
}

func (s *sink) wait() {
	s.mu.Lock()
	held, free := s.held, s.free
	s.mu.Unlock()
	if held != nil {
		held <- struct{}{}
		<-free
	}
}

type sinkSession struct {
	*sink
	mail sunk
}

func (s *sinkSession) Reset() { s.mail = sunk{} }
func (s *sinkSession) Logout() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left++
	return nil
}

func (s *sinkSession) Mail(from string, o *smtp.MailOptions) error {
	s.mail = sunk{From: from, UTF8: o.UTF8, RequireTLS: o.RequireTLS, EnvelopeID: o.EnvelopeID}
	return nil
}

func (s *sinkSession) Rcpt(to string, o *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "gone") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no " + to}
	}
	s.mail.To = append(s.mail.To, to)
	for _, n := range o.Notify {
		s.mail.Notify = append(s.mail.Notify, string(n))
	}
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Body = string(body)
	s.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, s.mail)
	return nil
}

func (s *sinkSession) AuthMechanisms() []string { return []string{"PLAIN"} }

func (s *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.logins = append(s.logins, user+":"+password)
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// dial connects our client to a server, with TLS.
func dial(tb testing.TB, address string) *client {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := newClient(tb.Context(), conn, "mail.here.example", Timeouts{}.withDefaults())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.close)
	_, config := certificate(tb)
	if err := c.startTLS(tb.Context(), config); err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestAgainstServer: a foreign server gets what we mean to send, several mails on
// one connection.
func TestAgainstServer(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	c := dial(t, s.address)
	big := strings.Repeat("..lines that begin with dots\r\n", 100000) // three chunks
	for _, body := range []string{"a: b\r\n\r\nshort\r\n", big, ""} {
		p := newParcel(body, "bert@there.example/NEVER", "gone@there.example", "jörg@there.example")
		p.requireTLS, p.envID = true, "id+2B1"
		verdicts, err := c.send(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		got := []outcome{verdicts[0].outcome, verdicts[1].outcome, verdicts[2].outcome}
		if want := []outcome{delivered, failed, delivered}; !cmp.Equal(got, want) {
			t.Fatalf("got outcomes %v, want %v", got, want)
		}
		mails := s.got()
		want := sunk{From: "anna@here.example", Body: body, To: []string{"bert@there.example", "jörg@there.example"},
			Notify: []string{"NEVER"}, EnvelopeID: "id+1", UTF8: true, RequireTLS: true}
		if d := cmp.Diff(want, mails[len(mails)-1]); d != "" {
			t.Fatalf("the server's mail (-want +got):\n%.2000s", d)
		}
	}
	if s.conns != 2 { // go-smtp makes a new session after STARTTLS
		t.Errorf("got %d sessions for three mails, want one before STARTTLS and one after", s.conns)
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	c := dial(t, s.address)
	var refused *refusal
	if err := c.auth(t.Context(), "relay", "wrong"); !errors.As(err, &refused) || refused.reply.code != 535 {
		t.Errorf("a wrong password: got %v, want a refusal with 535", err)
	}
	if err := c.auth(t.Context(), "relay", "secret"); err != nil {
		t.Error(err)
	}
	c.secure = false
	if err := c.auth(t.Context(), "relay", "secret"); !errors.Is(err, errAuthClear) {
		t.Errorf("without TLS: got %v, want errAuthClear", err)
	}
	if want := []string{"relay:wrong", "relay:secret"}; !cmp.Equal(s.logins, want) {
		t.Errorf("got logins %v, want %v", s.logins, want)
	}
}

// TestBodyLost: a message that can't be read to its end is not taken for whole by
// the server, whichever way it goes.
func TestBodyLost(t *testing.T) {
	t.Parallel()
	for _, chunking := range []bool{true, false} {
		s := newSink(t)
		c := dial(t, s.address)
		if !chunking {
			delete(c.caps, "CHUNKING")
		}
		p := newParcel("a: b\r\n\r\nhalf a message\r\n", "bert@there.example")
		p.size += 10
		verdicts, err := c.send(t.Context(), p)
		if !errors.Is(err, errBody) || verdicts[0].outcome != deferred || verdicts[0].status != (enhanced{4, 3, 0}) {
			t.Errorf("chunking %v: got %v and %+v, want errBody and a deferral", chunking, err, verdicts)
		}
		c.close()
		s.Close()
		if got := s.got(); len(got) != 0 {
			t.Errorf("chunking %v: the server has half a message: %+v", chunking, got)
		}
	}
}

// TestInterrupt: when the context ends, whatever waits returns at once.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "220 mx\r\n")
		bufio.NewReader(conn).ReadString('\n') // EHLO, which gets no answer
		cancel()
		io.Copy(io.Discard, conn)
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(ctx, conn, "here.example", Timeouts{}.withDefaults()); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want errInterrupted", err)
	}
}

// TestHandshakeFaults: a handshake that fails says why, and quotes nothing.
func TestHandshakeFaults(t *testing.T) {
	t.Parallel()
	good, err := testCertificate()
	if err != nil {
		t.Fatal(err)
	}
	old, err := newCertificate(testHosts, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		server tls.Certificate
		client *tls.Config
		want   error
	}{
		{"unknown authority", good, &tls.Config{ServerName: testHosts[0]}, errCertificate},
		{"another name", good, &tls.Config{ServerName: "other.example", RootCAs: rootsOf(good)}, errCertName},
		{"expired", old, &tls.Config{ServerName: testHosts[0], RootCAs: rootsOf(old)}, errCertExpired},
		{"not TLS", tls.Certificate{}, &tls.Config{ServerName: testHosts[0]}, errHandshake},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t)
			go offerTLS(ln, c.server)
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			cl, err := newClient(t.Context(), conn, "here.example", Timeouts{}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			defer cl.close()
			if err := cl.startTLS(t.Context(), c.client); err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// offerTLS speaks SMTP up to the handshake, for which it may have no certificate.
func offerTLS(ln net.Listener, cert tls.Certificate) {
	conn, err := ln.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, line := range []string{"220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go on\r\n"} {
		io.WriteString(conn, line)
		if line != "220 go on\r\n" {
			in.ReadString('\n')
		}
	}
	if cert.Certificate == nil {
		in.ReadByte()
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	}
	tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
}

// TestCommandLine: an address can't carry a command of its own.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	c := dial(t, s.address)
	p := newParcel("a: b\r\n\r\n", "bert@there.example/NEVER\r\nRCPT TO:<x@y.example>")
	if _, err := c.send(t.Context(), p); !errors.Is(err, errCommandLine) {
		t.Errorf("got %v, want errCommandLine", err)
	}
	if _, err := addr.Parse("a\r\nb@there.example"); err == nil {
		t.Error("an address may have a line end in it")
	}
}
