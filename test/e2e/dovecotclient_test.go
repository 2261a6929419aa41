//go:build e2e && dovecot

package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// rawIMAP is a client that costs as little as can be: it looks at the end of what
// comes, and at nothing else.
type rawIMAP struct {
	c   *tls.Conn
	n   int
	buf []byte
}

// connect logs in.
func (s *imapServer) connect(tb testing.TB) *rawIMAP {
	tb.Helper()
	nc, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true}) // it is our own, on loopback
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	c := &rawIMAP{c: nc, buf: make([]byte, 64<<10)}
	if _, err := nc.Read(c.buf); err != nil { // the greeting
		tb.Fatal(err)
	}
	c.do(tb, "LOGIN %s %s", s.user, s.password)
	return c
}

// do sends a command and reads to its answer, which must be OK.
func (c *rawIMAP) do(tb testing.TB, format string, args ...any) {
	tb.Helper()
	c.n++
	tag := fmt.Sprintf("t%d ", c.n)
	if err := c.send(tag + fmt.Sprintf(format, args...) + "\r\n"); err != nil {
		tb.Fatal(err)
	}
	line, err := c.until(tag)
	if err != nil {
		tb.Fatalf("%s: %v", format, err)
	}
	if !bytes.HasPrefix(line, []byte(tag+"OK")) {
		tb.Fatalf("%s: %s", format, line)
	}
}

func (c *rawIMAP) send(text string) error {
	if err := c.c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.WriteString(c.c, text)
	return err
}

// until reads until a line that begins with the prefix is the last one that came.
func (c *rawIMAP) until(prefix string) ([]byte, error) {
	var tail []byte
	for {
		n, err := c.c.Read(c.buf)
		if err == nil {
			err = c.c.SetDeadline(time.Now().Add(patience))
		}
		if err != nil {
			return nil, err
		}
		got := c.buf[:n]
		tail = append(tail, got[max(0, n-1024):]...)
		tail = tail[max(0, len(tail)-1024):]
		if !bytes.HasSuffix(tail, []byte("\r\n")) {
			continue
		}
		from := bytes.LastIndexByte(tail[:len(tail)-2], '\n') + 1
		if bytes.HasPrefix(tail[from:], []byte(prefix)) {
			return tail[from:], nil
		}
	}
}

// untilContains reads until something has come that holds the text.
func (c *rawIMAP) untilContains(text string) error {
	var tail []byte
	for {
		n, err := c.c.Read(c.buf)
		if err != nil {
			return err
		}
		tail = append(tail, c.buf[:n]...)
		if bytes.Contains(tail, []byte(text)) {
			return nil
		}
		tail = tail[max(0, len(tail)-len(text)):]
	}
}

// letter returns a mail of about 4 KiB, each with another subject.
func letter(n int) string {
	head := fmt.Sprintf("From: Alice <alice@example.net>\r\nTo: Bob <bob@example.org>\r\nSubject: letter %d\r\n"+
		"Message-ID: <%d@example.net>\r\nDate: Mon, 4 May 2026 05:02:01 +0200\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n", n, n)
	line := "It is a mail as long as most are that carry a few words under a seal, or so.\r\n"
	return head + string(bytes.Repeat([]byte(line), (4096-len(head))/len(line)))
}

// append adds a letter to a mailbox.
func (c *rawIMAP) append(tb testing.TB, mailbox string, n int) {
	text := letter(n)
	c.do(tb, "APPEND %s {%d+}\r\n%s", mailbox, len(text), text)
}

// appendMany adds letters to a mailbox by one command (RFC 3502).
func (c *rawIMAP) appendMany(tb testing.TB, mailbox string, first, count int) {
	var b strings.Builder
	for n := first; n < first+count; n++ {
		text := letter(n)
		fmt.Fprintf(&b, " {%d+}\r\n%s", len(text), text)
	}
	c.do(tb, "APPEND %s%s", mailbox, b.String())
}
