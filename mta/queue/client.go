package queue

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"time"
)

// Timeouts bounds how long another server may take. Those for single replies are
// RFC 5321's (4.5.3.2), beyond which no honest server is.
type Timeouts struct {
	Connect   time.Duration // for one address; 30 s
	Handshake time.Duration // for TLS; 1 min
	Greeting  time.Duration // and each reply to EHLO, STARTTLS and AUTH; 5 min
	Command   time.Duration // MAIL and RCPT; 5 min
	DataStart time.Duration // DATA; 2 min
	Progress  time.Duration // each 16 KiB that we send; 3 min
	DataEnd   time.Duration // the reply to the whole message; 10 min
}

func (t Timeouts) withDefaults() Timeouts {
	orDefault(&t.Connect, 30*time.Second)
	orDefault(&t.Handshake, time.Minute)
	orDefault(&t.Greeting, 5*time.Minute)
	orDefault(&t.Command, 5*time.Minute)
	orDefault(&t.DataStart, 2*time.Minute)
	orDefault(&t.Progress, 3*time.Minute)
	orDefault(&t.DataEnd, 10*time.Minute)
	return t
}

func orDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// A client is one SMTP connection to another server, for one goroutine. After an
// error of any method it is of no use but for close.
type client struct {
	link     *link
	in       *bufio.Reader
	hello    string // how we name ourselves
	timeouts Timeouts
	caps     capabilities
	secure   bool // TLS
	verified bool // and the server has proved its name
	dirty    bool // the last transaction did not come to its end
}

// newClient reads the greeting on conn and says EHLO. It closes conn if that
// fails.
func newClient(ctx context.Context, conn net.Conn, hello string, t Timeouts) (*client, error) {
	c := &client{link: &link{conn: conn, progress: t.Progress}, hello: hello, timeouts: t}
	c.in = bufio.NewReaderSize(c.link, maxReplyLine)
	defer c.link.during(ctx)()
	if err := c.begin(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) begin() error {
	r, _, err := c.reply(c.timeouts.Greeting)
	if err != nil {
		return err
	}
	if r.code != 220 {
		return &refusal{"the connection", r}
	}
	return c.sayHello()
}

// sayHello learns what the server can do. One that knows no EHLO can do nothing
// (RFC 5321, 3.2).
func (c *client) sayHello() error {
	r, lines, err := c.command("EHLO "+c.hello, c.timeouts.Greeting)
	if err != nil {
		return err
	}
	if r.code == 250 {
		c.caps = parseCapabilities(lines)
		return nil
	}
	if !r.permanent() {
		return &refusal{"EHLO", r}
	}
	c.caps = nil
	r, _, err = c.command("HELO "+c.hello, c.timeouts.Greeting)
	if err == nil && r.code != 250 {
		err = &refusal{"HELO", r}
	}
	return err
}

// startTLS makes the connection TLS and learns anew what the server can do: what
// it said before is worth nothing (RFC 3207, 4.2). Errors: errNoTLS, errInjected,
// and those of the handshake.
func (c *client) startTLS(ctx context.Context, config *tls.Config) error {
	defer c.link.during(ctx)()
	if !c.caps.has("STARTTLS") {
		return errNoTLS
	}
	r, _, err := c.command("STARTTLS", c.timeouts.Greeting)
	if err != nil {
		return err
	}
	if r.code != 220 {
		return errNoTLS
	}
	// What came along in plain text is somebody else's voice.
	if c.in.Buffered() > 0 {
		return errInjected
	}
	if err := c.link.upgrade(ctx, config, c.timeouts.Handshake); err != nil {
		return err
	}
	c.secure = true
	c.verified = !config.InsecureSkipVerify || config.VerifyConnection != nil
	return c.sayHello()
}

var errAuthClear = errors.New("queue: a password is sent over TLS only")
var errAuthPlain = errors.New("queue: the relay host does not offer AUTH PLAIN")

// auth logs in with PLAIN (RFC 4616), for a relay host.
func (c *client) auth(ctx context.Context, user, password string) error {
	defer c.link.during(ctx)()
	if !c.secure {
		return errAuthClear
	}
	if !c.caps.mechanism("PLAIN") {
		return errAuthPlain
	}
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	r, _, err := c.command("AUTH PLAIN "+secret, c.timeouts.Greeting)
	if err == nil && r.code != 235 {
		err = &refusal{"the login", r}
	}
	return err
}

// quit says goodbye and closes the connection. It does not wait for an answer:
// everything that matters was answered.
func (c *client) quit() {
	c.link.progress = time.Second
	_ = c.write("QUIT") // whether it is heard does not matter
	c.close()
}

func (c *client) close() { c.link.close() }

// command sends one line and reads the reply.
func (c *client) command(line string, d time.Duration) (reply, []string, error) {
	if err := c.write(line); err != nil {
		return reply{}, nil, err
	}
	return c.reply(d)
}

var errCommandLine = errors.New("queue: a command would have had a line end in it")

// write sends lines in one piece.
func (c *client) write(lines ...string) error {
	var b strings.Builder
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n\x00") {
			return errCommandLine
		}
		b.WriteString(line)
		b.WriteString("\r\n")
	}
	_, err := c.link.Write([]byte(b.String()))
	return err
}

// reply reads one reply, which has to be there within d. A server that says 421
// is about to close the connection, whatever it was asked (RFC 5321, 3.8).
func (c *client) reply(d time.Duration) (reply, []string, error) {
	if err := c.link.expect(d); err != nil {
		return reply{}, nil, err
	}
	r, lines, err := readReply(c.in)
	if err == nil && r.code == 421 {
		err = &refusal{"further work", r}
	}
	return r, lines, err
}
