package gateway

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// The user is one person to some people and another one to others: besides the account's
// own address there can be identities apart, each with an address and a key that no other
// has. A conversation or a group is held by one of them, so that the people in two
// conversations can't find out that they write to the same person, and each can be given
// up alone.

// Why a mail can't go out by any identity.
var (
	// ErrLinks: one mail would show that two of the user's addresses are one person's.
	ErrLinks = errors.New("the recipients know you by different addresses, and would learn that these are one person's: write to them apart")
	// ErrEnded: the address by which somebody knows the user was given up.
	ErrEnded = errors.New("you have given up the address by which a recipient knows you: " +
		"say by which you write now with `restante gateway identity use`")
	// ErrNotOwn: an address is not one of the user's, or was given up.
	ErrNotOwn = errors.New("this is no identity of yours: `restante gateway identity` lists them")
)

// identities are all keys of the user's. The value never changes once it is made.
type identities struct {
	main  *Identity   // of the account's own address
	apart []*Identity // all others, by address, with those that were given up
}

// loadIdentities reads the user's keys. The error is ErrNoIdentity if there is none for
// the account's own address.
func loadIdentities(v *vault.Vault, main addr.Address) (*identities, error) {
	own, err := LoadIdentity(v, main)
	if err != nil {
		return nil, err
	}
	all := &identities{main: own}
	seen := map[string]bool{main.Key(): true}
	err = eachRecord(v, keyKind, func(_ string, o ownKey) error {
		a, err := addr.Parse(o.Address)
		if err != nil || seen[a.Key()] {
			return err
		}
		seen[a.Key()] = true
		i, err := readIdentity(v, a)
		all.apart = append(all.apart, i)
		return err
	})
	slices.SortFunc(all.apart, func(x, y *Identity) int { return cmp.Compare(x.Address.Key(), y.Address.Key()) })
	return all, err
}

// Keys returns all keys, the account's current one first.
func (s *identities) Keys() []*pgp.Key {
	list := s.main.Keys()
	for _, i := range s.apart {
		list = append(list, i.Keys()...)
	}
	return list
}

// of returns the identity of an address, nil if the address is not the user's.
func (s *identities) of(a addr.Address) *Identity {
	if s.main.Address.Equal(a) {
		return s.main
	}
	for _, i := range s.apart {
		if i.Address.Equal(a) {
			return i
		}
	}
	return nil
}

// live returns the identity of an address by which mail can go out; the zero Address is
// that of the account. The error is ErrNotOwn or ErrEnded.
func (s *identities) live(a addr.Address) (*Identity, error) {
	if a.IsZero() {
		return s.main, nil
	}
	switch i := s.of(a); {
	case i == nil:
		return nil, ErrNotOwn
	case i.Current == nil:
		return nil, ErrEnded
	default:
		return i, nil
	}
}

// isOwn reports whether an address is the user's, or was.
func (s *identities) isOwn(a addr.Address) bool { return s.of(a) != nil }

// withKey returns the identity that a key is of, nil if it is not the user's.
func (s *identities) withKey(f pgp.Fingerprint) *Identity {
	for _, i := range append([]*Identity{s.main}, s.apart...) {
		if i.has(f) {
			return i
		}
	}
	return nil
}

// has reports whether a key is one of the identity's.
func (i *Identity) has(f pgp.Fingerprint) bool {
	return slices.ContainsFunc(i.Keys(), func(k *pgp.Key) bool { return k.Fingerprint() == f })
}

// EndIdentity makes the keys of an address old ones for good: nothing goes out by it any
// more, and on no device. They open what was encrypted to them, unless forget is set: then
// the keys are gone, and so is all that only they open.
func EndIdentity(v *vault.Vault, a addr.Address, forget bool, now time.Time) error {
	return eachKey(v, a, func(name string, o ownKey) error {
		if o.Ended.IsZero() {
			o.Ended = now
		}
		o.Current = false
		if forget {
			o.Secret, o.Rotation = nil, nil
		}
		return putKey(v, name, o)
	})
}

// overrules reports whether what another device says of a key counts more than what is
// known here: the end of a key, and that it was forgotten, are for good.
func (o ownKey) overrules(here ownKey) bool {
	switch {
	case here.Secret == nil || o.Secret == nil:
		return here.Secret != nil
	case here.Ended.IsZero() != o.Ended.IsZero():
		return here.Ended.IsZero()
	}
	return o.Added.After(here.Added)
}
