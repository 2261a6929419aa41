package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/mailbox/seal"
)

// The directory says whose an address is and to which key its mail is sealed. Both
// stand in clear columns as well, by which the store finds things, but those can be
// changed by whoever can write to the store: to have future mail sealed to a key of
// his own. So they are taken for true only if the sealed entry, which the relay key
// protects, says the same. What this can't detect is a directory set back to an
// earlier state.

// An entry holds, inside its seal: version, the account's number, the generation of
// its key (both big-endian), the SHA-256 of its public key, and the address. With
// the account and the address, the directory can be made anew under another relay
// key.
const (
	entryVersion = 1
	entryHead    = 1 + 8 + 4 + sha256.Size
)

// directoryEntry seals what an address stands for.
func (s *Service) directoryEntry(id AccountID, key AccountKey, a addr.Address) Address {
	mac := s.key.AddressMAC(a.Key())
	content := append(entryOf(id, key), a.String()...)
	return Address{MAC: mac, Entry: s.key.Seal(seal.Directory, mac[:], content)}
}

// entryOf returns the beginning of an entry: whose it is, and to which key mail is
// sealed.
func entryOf(id AccountID, key AccountKey) []byte {
	b := binary.BigEndian.AppendUint64([]byte{entryVersion}, uint64(id))
	b = binary.BigEndian.AppendUint32(b, key.Generation)
	sum := sha256.Sum256(key.Public)
	return append(b, sum[:]...)
}

// openEntry opens an entry of an account. It doesn't compare the key: an account
// whose key was exchanged can still be named, and given new keys.
func (s *Service) openEntry(id AccountID, row Address) (head []byte, a addr.Address, err error) {
	content, err := s.key.Open(seal.Directory, row.MAC[:], row.Entry)
	if err != nil {
		return nil, addr.Address{}, err
	}
	if len(content) < entryHead || content[0] != entryVersion {
		return nil, addr.Address{}, errors.New("it is of a form that is not known")
	}
	if AccountID(binary.BigEndian.Uint64(content[1:])) != id {
		return nil, addr.Address{}, errors.New("it belongs to another account")
	}
	a, err = addr.Parse(string(content[entryHead:]))
	return content[:entryHead], a, err
}

// byAddress finds the account of an address, and makes sure that the directory
// means this account and its key. Errors: ErrNoAccount; ErrCorrupt if somebody has
// exchanged one of them, which names the row.
func (s *Service) byAddress(ctx context.Context, mac seal.AddressMAC) (Account, error) {
	row, err := s.store.Lookup(ctx, mac)
	if err != nil {
		return Account{}, err
	}
	head, _, err := s.openEntry(row.ID, Address{MAC: mac, Entry: row.Entry})
	if err == nil && !slices.Equal(head, entryOf(row.ID, row.Key)) {
		err = errors.New("the account has another public key than the one it names")
	}
	if err != nil {
		return Account{}, badEntry(row.ID, mac, err)
	}
	return row, nil
}

func badEntry(id AccountID, mac seal.AddressMAC, err error) error {
	return fmt.Errorf("%w: directory entry %x of account %s: %w", ErrCorrupt, mac, id, err)
}

// addresses lists the addresses of an account, oldest first.
func (s *Service) addresses(ctx context.Context, id AccountID) ([]addr.Address, error) {
	rows, err := s.store.Addresses(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	list := make([]addr.Address, 0, len(rows))
	for _, row := range rows {
		_, a, err := s.openEntry(id, row)
		if err != nil {
			return nil, badEntry(id, row.MAC, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// newEntries makes the entries of an account's addresses for another key.
func (s *Service) newEntries(ctx context.Context, id AccountID, key AccountKey) (*KeyChange, []addr.Address, error) {
	list, err := s.addresses(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	change := &KeyChange{AccountKey: key}
	for _, a := range list {
		change.Addresses = append(change.Addresses, s.directoryEntry(id, key, a))
	}
	return change, list, nil
}
