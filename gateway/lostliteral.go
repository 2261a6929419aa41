package gateway

import (
	"errors"
	"io"
	"time"
)

// literalPatience is how long a connection that was lost in the midst of a literal may
// take to notice.
const literalPatience = 10 * time.Second

// lostLiteral reads a literal of the IMAP client. When the connection is lost in the midst of
// one, the client's own goroutine goes on reading, and so does whoever discards the rest:
// both of one buffer (go-imap v2.0.0-beta.8, imapclient/fetch.go, fetchLiteralReader). So
// the error is told only when that goroutine has come to its end.
type lostLiteral struct {
	r      io.Reader
	closed <-chan struct{} // of the client
}

func (l *lostLiteral) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		select {
		case <-l.closed:
		case <-time.After(literalPatience):
		}
	}
	return n, err
}
