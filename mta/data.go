package mta

import (
	"errors"
	"io"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// data takes the message of the transaction, from DATA or BDAT alike, and
// returns nil only when it is durable for every recipient, here or in the queue
// (RFC 5321, 6.1). On
// the way in the message is checked line by line, its header is rewritten, and
// what comes out of that is what the gate judges and what is stored.
func (s *session) data(r io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLogin(); err != nil {
		return err
	}
	err := s.take(r)
	s.server.counts.count(err)
	return err
}

// take is data for a client that may send.
func (s *session) take(r io.Reader) error {
	limit, tooLarge := messageLimit(s.server.limits.MaxMessage, s.tx.recipients())
	m, err := s.receive(r, limit)
	if errors.Is(err, mailbox.ErrTooLarge) {
		return tooLarge
	}
	if err != nil {
		return err
	}
	defer m.Close()
	if err := s.signAway(m); err != nil {
		return err
	}
	if err := s.server.service.Dispatch(s.ctx, s.tx.from, s.tx.to, s.tx.away, m); err != nil {
		return err
	}
	s.publishOffered(m)
	s.noticeSubject()
	return nil
}

// signAway makes the signature of a message that leaves. Its author is one of our
// users, and so the domain is one of ours.
func (s *session) signAway(m *mailbox.Spooled) error {
	if len(s.tx.away.To) == 0 || s.server.sign == nil {
		return nil
	}
	author := s.tx.from
	if from := m.Message.Envelope.From; len(from) == 1 {
		if a, err := addr.Parse("author@" + from[0].Host); err == nil {
			author = a
		}
	}
	var err error
	s.tx.away.Header, err = s.server.sign(author.Domain(), m.Reader())
	return err
}

// originSurvey returns what finds out whether a message comes from where it says,
// for mail from other servers.
func (s *session) originSurvey() func([]byte, io.Reader) (io.Reader, error) {
	if s.policy.role != exchange || s.server.origin == OriginUnchecked {
		return nil
	}
	check := &originCheck{
		origin: s.server.origin, dns: s.server.dns, tempo: s.server.tempo, client: s.wire.client(), hello: s.tx.hello, sender: s.tx.from,
	}
	return func(block []byte, body io.Reader) (io.Reader, error) {
		if err := check.begin(block, s.server.now()); err != nil {
			return nil, err
		}
		return &originReader{r: body, ctx: s.ctx, check: check}, nil
	}
}

func (s *session) receive(r io.Reader, limit int64) (*mailbox.Spooled, error) {
	lines := &lineReader{r: r, maxLine: s.server.limits.MaxLine, maxSize: limit}
	message := &headerReader{r: lines, rewrite: s.rewriter().rewrite, survey: s.originSurvey()}
	gate, refused := s.server.gate, error(nil)
	if s.tx.clear {
		gate = eitherGate(gate, &refused)
	}
	m, err := s.server.service.Receive(s.ctx, message, mailbox.ReceiveOptions{
		Gate:       gate,
		NullSender: s.policy.role == exchange && s.tx.from.IsZero(),
	})
	if err != nil || refused == nil {
		return m, err
	}
	return s.keepClear(m, refused)
}
