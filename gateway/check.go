package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// ErrPassword: the provider does not know the address, or the password is wrong.
var ErrPassword = errors.New("the provider refuses the address or the password")

// Check logs in by IMAP and by SMTP, one after the other, and does nothing else. The
// error is ErrPassword if the provider refused, else it says what could not be reached.
func (u Upstream) Check(ctx context.Context) error {
	r, err := u.connect(ctx)
	if err != nil {
		return refused(err)
	}
	if err := r.close(); err != nil {
		return fmt.Errorf("end of IMAP: %w", err)
	}
	c, conn, err := u.dialSMTP(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", u.user(), u.password())); err != nil {
		return refused(fmt.Errorf("log in for submission: %w", err))
	}
	_ = c.Quit() // all is known
	return nil
}

// refused tells a wrong password from other trouble.
func refused(err error) error {
	var no *imap.Error
	var answer *smtp.SMTPError
	switch {
	case errors.As(err, &no) && no.Type == imap.StatusResponseTypeNo && (no.Code == imap.ResponseCodeAuthenticationFailed || no.Code == ""):
		return fmt.Errorf("%w (IMAP)", ErrPassword)
	case errors.As(err, &answer) && answer.Code == 535:
		return fmt.Errorf("%w (SMTP)", ErrPassword)
	}
	return err
}
