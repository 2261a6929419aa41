package mailbox

import (
	"context"
	"crypto/hmac"
	"fmt"
	"slices"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

const (
	// MaxAddresses is how many addresses an account has at most.
	MaxAddresses = 32
	// maxAddressesEver is how many it can ever have: an address that was given up
	// is nobody's for good.
	maxAddressesEver = 500
)

// Alias is one of the addresses of an account, as its owner sees it.
type Alias struct {
	Address     addr.Address
	Options     AddressOptions
	Certificate []byte // published; nil if there is none
}

// Aliases lists the addresses of an account, oldest first, with what belongs to each.
func (s *Service) Aliases(ctx context.Context, id AccountID) ([]Alias, error) {
	if s.closed() {
		return nil, ErrClosed
	}
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, err
	}
	published, err := s.store.PublishedBy(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var list []Alias
	for _, e := range entries {
		a := Alias{Address: e.address, Options: e.options}
		mac := s.key.AddressMAC(e.address.Key())
		for _, p := range published {
			if p.MAC != mac {
				continue
			}
			if a.Certificate, err = s.openCertificate(id, p); err != nil {
				return nil, err
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// Aliases is Service.Aliases for the account of the session. The error is ErrAuth if
// the session may not manage it.
func (x *Session) Aliases(ctx context.Context) ([]Alias, error) {
	own, err := x.manager()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return own.svc.Aliases(ctx, own.id)
}

// manager returns what the session works with if it may manage the account, else
// ErrAuth.
func (x *Session) manager() (*owner, error) {
	own, err := x.use()
	if err == nil && !x.Manages() {
		err = ErrAuth
	}
	return own, err
}

// AddAlias gives an account one more address at the primary domain. From outside,
// nothing tells whose it is. Errors: ErrName if it is at another domain; ErrExists if
// it is taken, or was given up once; ErrLimit if the account has MaxAddresses of them,
// or had too many already.
func (s *Service) AddAlias(ctx context.Context, id AccountID, a addr.Address) error {
	if s.closed() {
		return ErrClosed
	}
	if primary, err := addr.Parse("postmaster@" + s.o.Domain); err != nil || a.Domain() != primary.Domain() {
		return fmt.Errorf("add alias: %w: it is at another domain", ErrName)
	}
	row, err := s.store.Account(ctx, id)
	if err != nil {
		return fmt.Errorf("add alias: %w", err)
	}
	address := s.directoryEntry(id, row.Key, a, AddressOptions{})
	if err := s.store.AddAddress(ctx, id, address, MaxAddresses, maxAddressesEver); err != nil {
		return fmt.Errorf("add alias: %w", err)
	}
	return s.followKey(ctx, row, address)
}

// followKey makes the entry of a new address anew if the account's key was replaced
// while it was added.
func (s *Service) followKey(ctx context.Context, before Account, a Address) error {
	now, err := s.store.Account(ctx, before.ID)
	if err != nil || now.Key.Generation == before.Key.Generation {
		return err
	}
	e, err := s.openEntry(before.ID, a)
	if err != nil {
		return badEntry(before.ID, a.MAC, err)
	}
	return s.store.SetEntry(ctx, before.ID, a.MAC, a.Entry, s.directoryEntry(before.ID, now.Key, e.address, e.options).Entry)
}

// AddAlias is Service.AddAlias for the account of the session, and ErrAuth if the
// session may not manage it.
func (x *Session) AddAlias(ctx context.Context, a addr.Address) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("add alias: %w", err)
	}
	return own.svc.AddAlias(ctx, own.id, a)
}

// RetireAlias takes an address from an account. Mail to it is refused from then on,
// and nobody gets the address again. Errors: ErrGone if it is not the account's, and
// ErrLimit if it is the account's last.
func (s *Service) RetireAlias(ctx context.Context, id AccountID, a addr.Address) error {
	if s.closed() {
		return ErrClosed
	}
	if err := s.store.RetireAddress(ctx, id, s.key.AddressMAC(a.Key())); err != nil {
		return fmt.Errorf("retire alias: %w", err)
	}
	return nil
}

// RetireAlias is Service.RetireAlias for the account of the session, and ErrAuth if
// the session may not manage it.
func (x *Session) RetireAlias(ctx context.Context, a addr.Address) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("retire alias: %w", err)
	}
	return own.svc.RetireAlias(ctx, own.id, a)
}

// SetAddressOptions replaces the choices of one of the account's addresses. Without
// Publish, what the address has published is taken away. Errors: ErrAuth if the
// session may not manage the account; ErrGone if the address is not the account's, or
// was changed at the same moment.
func (x *Session) SetAddressOptions(ctx context.Context, a addr.Address, o AddressOptions) error {
	own, err := x.manager()
	if err != nil {
		return fmt.Errorf("set options of address: %w", err)
	}
	if err := own.svc.setOptions(ctx, own.id, own.svc.key.AddressMAC(a.Key()), o); err != nil {
		return fmt.Errorf("set options of address: %w", err)
	}
	return nil
}

func (s *Service) setOptions(ctx context.Context, id AccountID, mac seal.AddressMAC, o AddressOptions) error {
	account, err := s.store.Account(ctx, id)
	if err != nil {
		return err
	}
	rows, err := s.store.Addresses(ctx, id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rows, func(row Address) bool { return hmac.Equal(row.MAC[:], mac[:]) })
	if i < 0 {
		return ErrGone
	}
	e, err := s.openEntry(id, rows[i])
	if err != nil {
		return badEntry(id, mac, err)
	}
	if !o.Publish {
		if err := s.store.Unpublish(ctx, id, mac); err != nil {
			return err
		}
	}
	if e.options == o {
		return nil
	}
	return s.store.SetEntry(ctx, id, mac, rows[i].Entry, s.directoryEntry(id, account.Key, e.address, o).Entry)
}
