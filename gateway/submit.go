package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
)

// submitTimeout bounds the wait for the answer to a whole message.
const submitTimeout = 5 * time.Minute

// Refusal is the provider's permanent refusal of a message: sending it again would
// not help.
type Refusal struct {
	To  addr.Address // the recipient it is about; zero for the whole message
	Err error
}

// Error names the recipient: it is for the user.
func (r *Refusal) Error() string {
	if r.To.IsZero() {
		return "the provider refused the mail: " + r.Err.Error()
	}
	return fmt.Sprintf("the provider refused %s: %v", r.To, r.Err)
}

// Unwrap returns the provider's answer.
func (r *Refusal) Unwrap() error { return r.Err }

// Submit hands a message to the provider for the recipients (RFC 6409). It
// returns nil once the provider has taken responsibility for all of them; after
// an error none of them gets it, unless the connection broke between the end of
// the message and the answer. A *Refusal is final. What is not encrypted is not sent.
func (u Upstream) Submit(ctx context.Context, to []addr.Address, msg []byte) error {
	if err := checkLeaving(bytes.NewReader(msg)); err != nil {
		return err
	}
	return u.submit(ctx, u.Address, to, bytes.NewReader(msg))
}

// submit is Submit for a message that was looked at, with any sender that the account may
// have.
func (u Upstream) submit(ctx context.Context, from addr.Address, to []addr.Address, msg io.Reader) error {
	c, conn, err := u.dialSMTP(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer c.Close()
	c.SubmissionTimeout = submitTimeout

	if err := c.Auth(sasl.NewPlainClient("", u.user(), u.password())); err != nil {
		return fmt.Errorf("log in for submission: %w", err)
	}
	if err := transact(c, from, to, msg); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	_ = c.Quit() // the provider has the mail, whatever becomes of the connection
	return nil
}

// transact is one mail transaction (RFC 5321, 3.3). One recipient refused is all
// refused: the message is not sent then.
func transact(c *smtp.Client, from addr.Address, to []addr.Address, msg io.Reader) error {
	if err := c.Mail(from.String(), nil); err != nil {
		return refusal(addr.Address{}, err)
	}
	for _, a := range to {
		if err := c.Rcpt(a.String(), nil); err != nil {
			return refusal(a, err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return refusal(addr.Address{}, err)
	}
	if _, err := io.Copy(w, msg); err != nil {
		return err // closing w would end the message as if it were whole
	}
	return refusal(addr.Address{}, w.Close())
}

// refusal makes a Refusal of an answer that is permanent.
func refusal(to addr.Address, err error) error {
	var answer *smtp.SMTPError
	if errors.As(err, &answer) && answer.Code/100 == 5 {
		return &Refusal{to, err}
	}
	return err
}
