package mta

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// The header fields that carry the envelope of a message over HTTPS. There is one
// fieldTo for each recipient.
const (
	fieldFrom = "X-Mail-From"
	fieldTo   = "X-Mail-To"
)

// TakeHTTPS answers a POST with which another relay brings mail, as chatmail relays
// do among themselves at /mxdeliv: the body is the message, and the envelope is in
// the header. It is the same as one SMTP transaction at the MX, under the same rules
// and limits, but for this: the message is taken for all recipients or for none. 200
// says that it is durable. Any other status means that nothing was kept, and the
// body is the SMTP reply that says why; the other relay then tries SMTP, where each
// recipient is answered apart. conn is the connection that the request came on.
func (s *Server) TakeHTTPS(w http.ResponseWriter, r *http.Request, conn net.Conn) {
	e := s.endpoint(r.Context(), nil, exchange)
	defer e.cancel()
	wire := &wire{server: e, limits: e.limits, role: exchange, peer: e.network(conn), conn: conn, secure: true, opened: time.Now()}
	x := newSession(e, wire, func() string { return "" })
	defer x.logout()
	answer := http.NewResponseController(w)
	body := &bodyReader{r: r.Body, answer: answer, patience: e.limits.ProgressTimeout}
	outcome, ok := x.run(func() error { return x.takeHTTPS(r, body) }, outcomes)
	if ok {
		outcome = replyKept
		wire.tally.kept++
	}
	wire.tally.bytes = body.n
	_ = answer.SetWriteDeadline(time.Now().Add(e.limits.WriteTimeout)) // without it, the server's own holds
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(outcome.httpStatus())
	fmt.Fprintf(w, "%d %d.%d.%d %s\r\n", outcome.code, outcome.enhanced[0], outcome.enhanced[1], outcome.enhanced[2], outcome.text)
}

// httpStatus is the status that goes with a reply.
func (r reply) httpStatus() int {
	switch {
	case r.code < 300:
		return http.StatusOK
	case r.code < 500:
		return http.StatusServiceUnavailable
	case r.code == 552:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// takeHTTPS does the transaction.
func (s *session) takeHTTPS(r *http.Request, body io.Reader) error {
	to := r.Header.Values(fieldTo)
	if len(to) == 0 {
		return errRecipientPath
	}
	if len(to) > s.server.limits.MaxRecipients {
		return errBudget
	}
	if err := s.mail(bare(r.Header.Get(fieldFrom)), &smtp.MailOptions{Size: max(r.ContentLength, 0)}); err != nil {
		return err
	}
	for _, path := range to {
		if err := s.rcpt(bare(path), nil); err != nil {
			return err
		}
	}
	return s.data(body)
}

// bare takes the angle brackets off an address that has them.
func bare(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(path), "<"), ">")
}

// A bodyReader reads the message of a request, which may take as long as it makes
// progress.
type bodyReader struct {
	r        io.Reader
	answer   *http.ResponseController
	patience time.Duration
	n, mark  int64
}

// progressStep is how much a sender must bring within ProgressTimeout.
const progressStep = 512

func (b *bodyReader) Read(p []byte) (int, error) {
	if b.n == 0 || b.n-b.mark >= progressStep {
		b.mark = b.n
		_ = b.answer.SetReadDeadline(time.Now().Add(b.patience)) // without it, the server's own holds
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		err = errLost // its text names addresses
	}
	return n, err
}
