package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/addr"
)

// aliasEntry is where a Restante relay keeps the addresses of an account (METADATA, RFC
// 5464): one a line. To set it to "+NAME" makes one more, "+" one of a name that the
// relay makes up, and "-ADDRESS" gives one up for good.
const aliasEntry = "/private/vendor/restante/alias"

// ErrNoAliases: the provider lets no address be made by IMAP.
var ErrNoAliases = errors.New("this provider makes no addresses for programs: make one in its own settings, then say `restante gateway identity new ADDRESS`")

// aliases lists the addresses of the account. The error is ErrNoAliases if the provider
// keeps no such list, or not for this password.
func (r *remote) aliases() ([]addr.Address, error) {
	caps := r.client.Caps()
	if !caps.Has(imap.CapMetadata) && !caps.Has(imap.CapMetadataServer) {
		return nil, ErrNoAliases
	}
	data, err := r.client.GetMetadata("", []string{aliasEntry}, nil).Wait()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	value := data.Entries[aliasEntry]
	if value == nil {
		return nil, ErrNoAliases
	}
	var list []addr.Address
	for line := range strings.FieldsSeq(string(*value)) {
		if a, err := addr.Parse(line); err == nil {
			list = append(list, a)
		}
	}
	return list, nil
}

func (r *remote) setAlias(value string) error {
	b := []byte(value)
	if err := r.client.SetMetadata("", map[string]*[]byte{aliasEntry: &b}).Wait(); err != nil {
		return fmt.Errorf("change addresses: %w", err)
	}
	return nil
}

// makeAlias gives the account an address: that one, or if it is zero one that the provider
// makes up. taken says which of the account's have a use already. An address that the
// account has is no error; nor is a provider without a list, if the address is given: its
// owner has made it there.
func (u Upstream) makeAlias(ctx context.Context, want addr.Address, taken func(addr.Address) bool) (a addr.Address, err error) {
	err = u.onServer(ctx, func(r *remote) error {
		have, err := r.aliases()
		if errors.Is(err, ErrNoAliases) && !want.IsZero() {
			a = want
			return nil
		}
		if err != nil {
			return err
		}
		if !want.IsZero() && containsAddress(have, want) {
			a = want
			return nil
		}
		if err := r.setAlias("+" + want.Local()); err != nil {
			return err
		}
		now, err := r.aliases()
		for _, fresh := range now {
			if !containsAddress(have, fresh) && !taken(fresh) && (want.IsZero() || fresh.Equal(want)) {
				a = fresh
			}
		}
		if err == nil && a.IsZero() {
			err = errors.New("the provider made another address than the one that was asked for: look at the account's page")
		}
		return err
	})
	return a, err
}

// dropAlias gives an address of the account up for good. It is no error if the provider
// has it no more. The error is ErrNoAliases if that is to be done in another way.
func (u Upstream) dropAlias(ctx context.Context, a addr.Address) error {
	return u.onServer(ctx, func(r *remote) error {
		have, err := r.aliases()
		if err != nil || !containsAddress(have, a) {
			return err
		}
		return r.setAlias("-" + a.String())
	})
}
