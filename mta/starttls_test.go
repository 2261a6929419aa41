package mta

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// replyLine is a reply line as RFC 5321, 4.2 has it.
var replyLine = regexp.MustCompile(`^[245][0-5][0-9][ -][\x20-\x7e]*\r\n$`)

// FuzzBeforeTLS sends anything to a port that wants STARTTLS: each line gets
// replies and nothing but replies, none says a word of what was sent, and none
// but EHLO, HELO, NOOP, RSET, QUIT and STARTTLS is granted.
func FuzzBeforeTLS(f *testing.F) {
	for _, seed := range []string{"", "EHLO x\r\nSTARTTLS\r\n", "STARTTLS\r\nNOOP\r\n", "mail from:<a@b>\nRSET\n", "HELO\r\nQUIT\r\nNOOP\r\n", strings.Repeat("x", 3000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		l := startPipes(t, submission)
		c := l.dial()
		defer c.Close()
		go func() {
			c.Write([]byte("NOOP zxqvk\r\n"))
			c.Write(sent) // fails when the server has hung up
			c.Write([]byte("\r\nQUIT\r\n"))
		}()
		got := untilTLS(c)
		for line := range strings.Lines(got) {
			if !replyLine.MatchString(line) || strings.Contains(line, "zxqvk") {
				t.Errorf("%q was answered with %q", sent, line)
			}
			if strings.HasPrefix(line, "235") || strings.HasPrefix(line, "354") {
				t.Errorf("%q was granted: %q", sent, line)
			}
		}
	})
}

// untilTLS returns what the server says until it ends or waits for a handshake.
func untilTLS(c net.Conn) string {
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "220 2.0.0") {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return got.String()
}
