package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/pgp"
)

// keyKind is where the vault keeps the user's own keys.
const keyKind = "key"

// ownKey is a key of the user's, as the vault keeps it. Keys that are no longer in
// use stay: old mail is encrypted to them.
type ownKey struct {
	Address string    `json:"address"`
	Secret  []byte    `json:"secret"` // in binary form, unlocked: the vault is the lock
	Added   time.Time `json:"added"`
	Current bool      `json:"current"`

	// Ended is when the user gave the identity up that the key is of. Secret is empty then
	// if the key was forgotten, too.
	Ended time.Time `json:"ended,omitzero"`

	// Rotation is the state of an encryption subkey that is replaced at intervals
	// (Autocrypt v2): with it all devices of the user derive the next subkey from the
	// last one by the clock alone. It is empty for keys without one.
	Rotation []rotation `json:"rotation,omitempty"`
}

// rotation is one subkey of a rotating sequence.
type rotation struct {
	Subkey pgp.Fingerprint `json:"subkey"`
	Secret []byte          `json:"secret"` // from which its successor follows
	From   time.Time       `json:"from"`
	Until  time.Time       `json:"until"`
}

// Identity is the user's own keys for one address.
type Identity struct {
	Address addr.Address
	Current *pgp.Key   // signs, and is given away; nil if the identity was given up
	Old     []*pgp.Key // open what was encrypted to them
}

// Keys returns all keys, the current one first.
func (i *Identity) Keys() []*pgp.Key {
	if i.Current == nil {
		return i.Old
	}
	return append([]*pgp.Key{i.Current}, i.Old...)
}

// AddKey keeps a key of the user's and makes it the current one for the address.
// Earlier ones stay, to open old mail.
func AddKey(v *vault.Vault, a addr.Address, k *pgp.Key, now time.Time) error {
	if !k.Cert().HasAddress(a) {
		return errors.New("the key is for another address: make one, or import the one that names this address")
	}
	secret, err := k.Bytes(nil)
	if err != nil {
		return fmt.Errorf("add key: %w", err)
	}
	name := string(k.Fingerprint())
	// The new key is there before an old one steps back: a crash between the two
	// leaves two current ones, of which the later counts.
	if err := putKey(v, name, ownKey{Address: a.String(), Secret: secret, Added: now, Current: true}); err != nil {
		return err
	}
	return stepBack(v, a, name)
}

// stepBack makes all keys of an address old ones, but for the one of that name.
func stepBack(v *vault.Vault, a addr.Address, name string) error {
	return eachKey(v, a, func(other string, o ownKey) error {
		if other == name || !o.Current {
			return nil
		}
		o.Current = false
		return putKey(v, other, o)
	})
}

// LoadIdentity returns the user's keys for an address, or ErrNoIdentity.
func LoadIdentity(v *vault.Vault, a addr.Address) (*Identity, error) {
	i, err := readIdentity(v, a)
	if err != nil {
		return nil, err
	}
	if i.Current == nil {
		return nil, ErrNoIdentity
	}
	return i, nil
}

// readIdentity returns the keys for an address, of which none need be current.
func readIdentity(v *vault.Vault, a addr.Address) (*Identity, error) {
	i := &Identity{Address: a}
	var newest time.Time
	err := eachKey(v, a, func(_ string, o ownKey) error {
		if o.Secret == nil {
			return nil // forgotten
		}
		k, err := pgp.ParseKey(o.Secret, nil)
		if err != nil {
			return fmt.Errorf("%w: a key of the account: %w", vault.ErrDamaged, err)
		}
		if !o.Current || i.Current != nil && o.Added.Before(newest) {
			i.Old = append(i.Old, k)
			return nil
		}
		if i.Current != nil {
			i.Old = append(i.Old, i.Current)
		}
		i.Current, newest = k, o.Added
		return nil
	})
	return i, err
}

func putKey(v *vault.Vault, name string, o ownKey) error {
	content, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := v.Put(keyKind, name, content); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// eachKey calls f for each key of an address.
func eachKey(v *vault.Vault, a addr.Address, f func(name string, o ownKey) error) error {
	return v.Each(keyKind, func(name string, content []byte) error {
		var o ownKey
		if err := json.Unmarshal(content, &o); err != nil {
			return fmt.Errorf("%w: a key can't be read: %w", vault.ErrDamaged, err)
		}
		if owner, err := addr.Parse(o.Address); err != nil || !owner.Equal(a) {
			return err
		}
		return f(name, o)
	})
}
