package queue

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/restante/restante/internal/redact"
)

// The bounds of one reply. RFC 5321, 4.5.3.1.5 gives a line 512 bytes; some
// servers take more.
const (
	maxReplyLine  = 2048
	maxReplyLines = 128
	maxReplyBytes = 16 << 10

	// maxReplyText is how much is kept of what a reply says to people.
	maxReplyText = 240
)

var (
	errReplySyntax = errors.New("queue: the server's reply is not SMTP")
	errReplyLength = errors.New("queue: the server's reply is too long")
)

// An enhanced code tells more than a reply's code (RFC 3463). The zero value is
// none.
type enhanced [3]int

// String gives the code as RFC 3463 writes it.
func (e enhanced) String() string { return fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2]) }

// A reply is what the other server answered. The zero reply is none.
type reply struct {
	code     int
	enhanced enhanced
	text     string // cleaned: one line, printable, without addresses
}

// String gives the numbers of the reply and not its text, so that it can stand
// in an error or a log.
func (r reply) String() string {
	if r.enhanced == (enhanced{}) {
		return strconv.Itoa(r.code)
	}
	return fmt.Sprintf("%d %s", r.code, r.enhanced)
}

func (r reply) positive() bool  { return r.code/100 == 2 }
func (r reply) permanent() bool { return r.code/100 == 5 }

// status returns the enhanced code, or the least telling one of its class.
func (r reply) status() enhanced {
	if r.enhanced != (enhanced{}) {
		return r.enhanced
	}
	return enhanced{r.code / 100, 0, 0}
}

// A refusal is a reply that ends a conversation before there were recipients.
type refusal struct {
	stage string
	reply reply
}

func (r *refusal) Error() string { return fmt.Sprintf("queue: %s refused with %s", r.stage, r.reply) }

// readReply reads one reply of any number of lines. The lines come back as well,
// without their codes: the reply to EHLO is read by programs. The reader's
// buffer bounds a line.
func readReply(in *bufio.Reader) (reply, []string, error) {
	var lines []string
	code, size := 0, 0
	for {
		raw, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return reply{}, nil, errReplyLength
		}
		if err != nil {
			return reply{}, nil, err
		}
		c, text, last, err := parseReplyLine(string(raw))
		if err != nil {
			return reply{}, nil, err
		}
		if code != 0 && c != code {
			return reply{}, nil, errReplySyntax // RFC 5321, 4.2.1: one code in all lines
		}
		code, size = c, size+len(raw)
		if len(lines) == maxReplyLines || size > maxReplyBytes {
			return reply{}, nil, errReplyLength
		}
		lines = append(lines, text)
		if last {
			return newReply(code, lines), lines, nil
		}
	}
}

// parseReplyLine takes a line apart. A lone line feed ends a line too: much is
// forgiven in replies, where nothing can be smuggled.
func parseReplyLine(line string) (code int, text string, last bool, err error) {
	line = strings.TrimRight(line, "\r\n")
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, "", false, errReplySyntax
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", true, nil
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, errReplySyntax
	}
	return code, line[4:], line[3] == ' ', nil
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func newReply(code int, lines []string) reply {
	r := reply{code: code}
	texts := make([]string, len(lines))
	for i, line := range lines {
		e, rest := cutEnhanced(line)
		if e[0] == code/100 {
			r.enhanced, line = e, rest
		}
		texts[i] = line
	}
	r.text = clean(strings.Join(texts, " "))
	return r
}

// cutEnhanced takes an enhanced code from the beginning of a line.
func cutEnhanced(line string) (enhanced, string) {
	word, rest, _ := strings.Cut(line, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return enhanced{}, line
	}
	var e enhanced
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || len(p) > 3 {
			return enhanced{}, line
		}
		e[i] = int(n)
	}
	return e, rest
}

// clean makes foreign text fit for a report to the sender of a message: printable
// ASCII of a bounded length in which nobody is named.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	s = redact.Text(strings.Join(strings.Fields(s), " "))
	if len(s) > maxReplyText {
		s = s[:maxReplyText] + "..."
	}
	return s
}
