package mailbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
)

const operatorLetter = "From: Restante <%[1]s>\r\nTo: <%[1]s>\r\nSubject: %[2]s\r\nDate: %[3]s\r\n" +
	"Message-ID: <%[4]x.operator@%[5]s>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%[6]s"

// TellOperator puts a mail of the relay's own into the operator's mailbox. The text has
// lines that end with CRLF. If there is no such mailbox here, or it takes no mail, nobody
// is told, which is no error: the operator reads the log then. Any other error is in the
// log already.
func (s *Service) TellOperator(ctx context.Context, subject, text string) error {
	to, err := s.operator()
	if err != nil {
		return nil
	}
	letter := fmt.Sprintf(operatorLetter, to, subject, s.now().UTC().Format(time.RFC1123Z), randomID(), s.o.Domain, text)
	r, err := s.recipient(ctx, to, int64(len(letter)))
	if isUnwilling(err) {
		return nil
	}
	if err == nil {
		err = s.deliverOwn(ctx, r, letter)
	}
	if err != nil {
		s.complain(ctx, "tell the operator", 0, err)
	}
	return err
}

// operator returns the address of who is told what the relay has to say.
func (s *Service) operator() (addr.Address, error) {
	if !s.o.Operator.IsZero() {
		return s.o.Operator, nil
	}
	return addr.Parse("postmaster@" + s.o.Domain)
}

// deliverOwn delivers a text of the relay's own.
func (s *Service) deliverOwn(ctx context.Context, r Recipient, text string) error {
	m, err := s.receive(ctx, strings.NewReader(text), ReceiveOptions{})
	if err != nil {
		return err
	}
	defer m.Close()
	return s.Deliver(ctx, addr.Address{}, []Recipient{r}, m)
}
