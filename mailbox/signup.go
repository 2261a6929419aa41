package mailbox

import (
	"context"
	"errors"
	"log/slog"

	"github.com/restante/restante/internal/addr"
)

// FirstLogin is a login with an address that no account has. Mail clients that
// make up an address themselves begin with one: Delta Chat does, on IMAP and SMTP
// at the same moment.
type FirstLogin struct {
	Address  addr.Address
	Password string // never of the form of a generated secret
	Peer     Peer
}

// LogValue keeps logins out of logs.
func (FirstLogin) LogValue() slog.Value { return slog.StringValue("[login]") }

// accountFor finds the account of a login, which it makes if the address is
// nobody's and Options.SignUp allows it. Else it returns a row that has no
// credentials, as lookUp does.
func (s *Service) accountFor(ctx context.Context, t *try) (Account, error) {
	row, err := s.lookUp(ctx, t.mac)
	mayNot := s.o.SignUp == nil || t.known || t.address.IsZero() || t.proof.generated
	if err != nil || row.ID != 0 || mayNot {
		return row, err
	}
	// Of several first logins of one address in this process, one makes the
	// account and is counted once. It goes on if its client hangs up, for the
	// others wait for it.
	v, err, _ := s.firsts.Do(string(t.mac[:]), func() (any, error) {
		return s.signUp(context.WithoutCancel(ctx), t)
	})
	if err != nil {
		return Account{}, err
	}
	return v.(Account), nil
}

// signUp makes the account of a first login. Whoever is faster, here or on another
// node, makes it with his password; the others are checked against that.
func (s *Service) signUp(ctx context.Context, t *try) (Account, error) {
	row, err := s.lookUp(ctx, t.mac)
	if err != nil || row.ID != 0 {
		return row, err
	}
	err = s.o.SignUp(FirstLogin{Address: t.address, Password: t.proof.text, Peer: t.peer})
	if errors.Is(err, ErrAuth) {
		return Account{}, nil
	}
	if err != nil {
		return Account{}, err
	}
	_, err = s.CreateAccount(ctx, t.address, NewAccountOptions{Password: t.proof.text})
	if err != nil && !errors.Is(err, ErrExists) {
		return Account{}, err
	}
	return s.lookUp(ctx, t.mac)
}
