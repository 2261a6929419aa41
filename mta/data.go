package mta

import (
	"errors"
	"io"

	"github.com/restante/restante/mailbox"
)

// data takes the message of the transaction, from DATA or BDAT alike, and
// returns nil only when it is durable for every recipient (RFC 5321, 6.1). On
// the way in the message is checked line by line, its header is rewritten, and
// what comes out of that is what the gate judges and what is stored.
func (s *session) data(r io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLogin(); err != nil {
		return err
	}
	limit, tooLarge := messageLimit(s.server.limits.MaxMessage, len(s.tx.to))
	m, err := s.receive(r, limit)
	if errors.Is(err, mailbox.ErrTooLarge) {
		return tooLarge
	}
	if err != nil {
		return err
	}
	defer m.Close()
	return s.server.service.Deliver(s.ctx, s.tx.from, s.tx.to, m)
}

func (s *session) receive(r io.Reader, limit int64) (*mailbox.Spooled, error) {
	lines := &lineReader{r: r, maxLine: s.server.limits.MaxLine, maxSize: limit}
	message := &headerReader{r: lines, rewrite: s.rewriter().rewrite}
	return s.server.service.Receive(s.ctx, message, mailbox.ReceiveOptions{
		Gate:       s.server.gate,
		NullSender: s.policy.role == exchange && s.tx.from.IsZero(),
	})
}
