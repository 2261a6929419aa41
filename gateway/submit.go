package gateway

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/restante/restante/internal/addr"
)

// submitTimeout bounds the wait for the answer to a whole message.
const submitTimeout = 5 * time.Minute

// Submit hands a message to the provider for the recipients (RFC 6409). It
// returns nil once the provider has taken responsibility for all of them; after
// an error none of them gets it, unless the connection broke between the end of
// the message and the answer.
func (u Upstream) Submit(ctx context.Context, to []addr.Address, msg []byte) error {
	conn, err := u.dial(ctx, u.SMTPS)
	if err != nil {
		return fmt.Errorf("connect for submission: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c := smtp.NewClient(conn)
	defer c.Close()
	c.SubmissionTimeout = submitTimeout

	if err := c.Auth(sasl.NewPlainClient("", u.Address.String(), u.Password)); err != nil {
		return fmt.Errorf("log in for submission: %w", err)
	}
	recipients := make([]string, len(to))
	for i, a := range to {
		recipients[i] = a.String()
	}
	if err := c.SendMail(u.Address.String(), recipients, bytes.NewReader(msg)); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	return c.Quit()
}
