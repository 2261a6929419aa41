package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// IdentityUse is one of the user's identities apart, with what it is used for.
type IdentityUse struct {
	Address     addr.Address
	Fingerprint pgp.Fingerprint // empty if it was given up
	Contacts    []addr.Address  // to whom new mail goes out by it
	Groups      []string        // their names
}

// NewIdentity makes an identity apart: an address of the account's at the provider, and a
// key for it that names nothing else. The address is the one that is given, or if that is
// zero one that the provider makes up. Errors: ErrNoAliases, ErrPassword, or what the
// provider says.
func (g *Gateway) NewIdentity(ctx context.Context, want addr.Address) (addr.Address, error) {
	all := g.own.Load()
	if !want.IsZero() && all.isOwn(want) {
		return addr.Address{}, errors.New("this is an identity of yours already, or was one: take another address")
	}
	a, err := g.upstream.makeAlias(ctx, want, all.isOwn)
	if err != nil {
		return addr.Address{}, err
	}
	// The key tells the day on which it was made, and not the second.
	day := g.o.Now().UTC().Truncate(24 * time.Hour)
	key, err := pgp.Generate(a, pgp.KeyOptions{Now: func() time.Time { return day }})
	if err != nil {
		return addr.Address{}, err
	}
	if err := AddKey(g.o.Vault, a, key, g.o.Now()); err != nil {
		return addr.Address{}, err
	}
	return a, g.ReloadKeys()
}

// Identities returns the user's identities apart, with those that were given up, by
// address.
func (g *Gateway) Identities() ([]IdentityUse, error) {
	var list []IdentityUse
	for _, i := range g.own.Load().apart {
		u := IdentityUse{Address: i.Address}
		if i.Current != nil {
			u.Fingerprint = i.Current.Fingerprint()
		}
		for _, x := range g.groups.list() {
			if x.self(g.upstream.Address).Equal(i.Address) {
				u.Groups = append(u.Groups, x.Name)
			}
		}
		list = append(list, u)
	}
	err := g.contacts.Each(func(a addr.Address, p Peer) error {
		for i := range list {
			if known := p.knownAs(g.upstream.Address); len(known) > 0 && known[0].Equal(list[i].Address) {
				list[i].Contacts = append(list[i].Contacts, a)
			}
		}
		return nil
	})
	for _, u := range list {
		slices.SortFunc(u.Contacts, func(a, b addr.Address) int { return strings.Compare(a.Key(), b.Key()) })
	}
	return list, err
}

// UseIdentity makes new mail to a contact go out by an identity; the zero Address is the
// account's own. Answers go on by the one to which their mail came. Errors: ErrNotOwn,
// ErrEnded.
func (g *Gateway) UseIdentity(identity, contact addr.Address) error {
	own, err := g.own.Load().live(identity)
	if err != nil {
		return err
	}
	_, err = g.contacts.Update(contact, func(p Peer) (Peer, Event) { return p.prefers(own.Address, g.upstream.Address), Nothing })
	return err
}

// EndIdentity gives an identity apart up for good: mail to its address is refused, nobody
// gets the address again, and nothing goes out by it. Its key opens the mail that there
// is; with forget the key is gone, and what the provider has of that mail with it. The
// error is ErrNotOwn, or wraps ErrNoAliases if all is done but for the address, which the
// user has to give up at the provider.
func (g *Gateway) EndIdentity(ctx context.Context, identity addr.Address, forget bool) error {
	own := g.own.Load().of(identity)
	if own == nil || own == g.own.Load().main {
		return ErrNotOwn
	}
	dropped := g.upstream.dropAlias(ctx, identity)
	if dropped != nil && !errors.Is(dropped, ErrNoAliases) {
		return dropped
	}
	if err := EndIdentity(g.o.Vault, identity, forget, g.o.Now()); err != nil {
		return err
	}
	if err := g.joins.end(identity); err != nil {
		return err
	}
	return errors.Join(g.ReloadKeys(), dropped)
}
