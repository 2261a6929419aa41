package transcript

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// netConn keeps the signature of Server.Upgrade short where it is used.
type netConn = net.Conn

// maxLine is the longest line the player takes from a server.
const maxLine = 1 << 20

// A conn is one connection of a script.
type conn struct {
	name   string // as the script writes it, "" for the unnamed one
	nc     net.Conn
	r      *bufio.Reader
	skip   bool // an S* stands before the next wanted line
	closed bool
}

func newConn(name string, nc net.Conn) *conn {
	c := &conn{name: name}
	c.use(nc)
	return c
}

// use makes the player go on with nc.
func (c *conn) use(nc net.Conn) { c.nc, c.r = nc, bufio.NewReader(nc) }

// guard sets the deadline of a step, and ends its waiting when ctx ends. The
// function that it returns must be called after the step.
func (c *conn) guard(ctx context.Context) (release func()) {
	deadline, _ := ctx.Deadline()
	_ = c.nc.SetDeadline(deadline) // a closed connection fails at its use
	nc := c.nc
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// readLine returns the next line with its line end, or what there was of it.
func (c *conn) readLine() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return string(line[:80]), fmt.Errorf("the line is longer than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(line), err
		}
	}
}

// readN returns the next n bytes, or what there was of them.
func (c *conn) readN(n int) (string, error) {
	buf := make([]byte, n)
	got, err := io.ReadFull(c.r, buf)
	return string(buf[:got]), err
}

// unread returns what has been received and not been asked for.
func (c *conn) unread() string {
	rest, _ := c.r.Peek(c.r.Buffered())
	return string(rest)
}

// close closes the connection. What a peer that has gone makes of it is no
// part of the dialogue.
func (c *conn) close() {
	if !c.closed {
		c.closed = true
		_ = c.nc.Close()
	}
}

// handshake makes the connection a TLS client.
func handshake(ctx context.Context, nc net.Conn, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return nil, errors.New("the test has no Server.TLS")
	}
	t := tls.Client(nc, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// isClosed reports whether err is the end that a closing server causes. One that
// closes with unread input resets the connection (RFC 9293, 3.6.1); one that
// closes under TLS without close_notify makes an unexpected EOF.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET)
}

// shown makes text readable in a failure: as it is where it is printable, and
// quoted otherwise.
func shown(text string) string {
	const most = 2000
	cut := ""
	if len(text) > most {
		text, cut = text[:most], fmt.Sprintf("... (%d bytes)", len(text))
	}
	body := strings.TrimSuffix(text, "\r\n")
	if strings.ContainsFunc(body, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return strconv.Quote(text) + cut
	}
	return body + cut
}

// A dialogue keeps the last lines that were said, for failures.
type dialogue struct{ lines []string }

// longestDialogue is how many lines a failure shows.
const longestDialogue = 60

func (d *dialogue) add(line int, text string) {
	d.lines = append(d.lines, fmt.Sprintf("  %4d  %s", line, text))
	if len(d.lines) > longestDialogue {
		d.lines = d.lines[1:]
	}
}

func (d *dialogue) text() string {
	if len(d.lines) == 0 {
		return ""
	}
	return "\nthe dialogue so far:\n" + strings.Join(d.lines, "\n")
}
