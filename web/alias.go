package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox"
)

// aliasTries is how often a generated name may be taken already.
const aliasTries = nameTries

// NewAlias gives the account of a session one more address, by the rules for names of
// the sign-up page: of that name, or of a generated one if it is "". Errors are those of
// mailbox.Session.AddAlias, and mailbox.ErrName for a name that nobody can have.
func (g *Signup) NewAlias(ctx context.Context, x *mailbox.Session, name string) (addr.Address, error) {
	a, err := g.newAlias(ctx, x, name)
	if errors.Is(err, errName) || errors.Is(err, errReserved) {
		err = fmt.Errorf("%w: %w", mailbox.ErrName, err)
	}
	return a, err
}

// newAlias is NewAlias with the errors that the pages tell apart.
func (g *Signup) newAlias(ctx context.Context, x *mailbox.Session, name string) (addr.Address, error) {
	if name != "" {
		if err := checkName(name, minName); err != nil {
			return addr.Address{}, err
		}
		return g.addAliasAs(ctx, x, name)
	}
	for try := 1; ; try++ {
		a, err := g.addAliasAs(ctx, x, addr.NewLocal(nil))
		if !errors.Is(err, mailbox.ErrExists) || try == aliasTries {
			return a, err
		}
	}
}

func (g *Signup) addAliasAs(ctx context.Context, x *mailbox.Session, local string) (addr.Address, error) {
	a, err := addr.Parse(local + "@" + g.domain)
	if err != nil {
		return addr.Address{}, errName
	}
	return a, x.AddAlias(ctx, a)
}
