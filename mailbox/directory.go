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
// its key (both big-endian), the SHA-256 of its public key, the owner's choices as
// one octet, and the address. With the account and the address, the directory can be
// made anew under another relay key.
const (
	entryVersion = 1
	entryHead    = 1 + 8 + 4 + sha256.Size
)

// AddressOptions are the choices of an address's owner.
type AddressOptions struct {
	Cleartext bool // takes mail from outside that is not encrypted, where the relay allows it
	Publish   bool // publishes the certificate that the owner's mail program sends along
}

// octet returns the options as an entry has them.
func (o AddressOptions) octet() (b byte) {
	if o.Cleartext {
		b |= 1
	}
	if o.Publish {
		b |= 2
	}
	return b
}

func addressOptions(b byte) AddressOptions {
	return AddressOptions{Cleartext: b&1 != 0, Publish: b&2 != 0}
}

// directoryEntry seals what an address stands for.
func (s *Service) directoryEntry(id AccountID, key AccountKey, a addr.Address, o AddressOptions) Address {
	mac := s.key.AddressMAC(a.Key())
	content := append(append(entryOf(id, key), o.octet()), a.String()...)
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

// entry is what an entry says.
type entry struct {
	head    []byte // as entryOf makes it
	address addr.Address
	options AddressOptions
}

// openEntry opens an entry of an account. It doesn't compare the key: an account
// whose key was exchanged can still be named, and given new keys.
func (s *Service) openEntry(id AccountID, row Address) (entry, error) {
	content, err := s.key.Open(seal.Directory, row.MAC[:], row.Entry)
	if err != nil {
		return entry{}, err
	}
	if len(content) <= entryHead || content[0] != entryVersion {
		return entry{}, errors.New("it is of a form that is not known")
	}
	if AccountID(binary.BigEndian.Uint64(content[1:])) != id {
		return entry{}, errors.New("it belongs to another account")
	}
	a, err := addr.Parse(string(content[entryHead+1:]))
	return entry{content[:entryHead], a, addressOptions(content[entryHead])}, err
}

// byAddress finds the account of an address, and makes sure that the directory
// means this account and its key. Errors: ErrNoAccount; ErrCorrupt if somebody has
// exchanged one of them, which names the row.
func (s *Service) byAddress(ctx context.Context, mac seal.AddressMAC) (Account, AddressOptions, error) {
	row, err := s.store.Lookup(ctx, mac)
	if err != nil {
		return Account{}, AddressOptions{}, err
	}
	e, err := s.openEntry(row.ID, Address{MAC: mac, Entry: row.Entry})
	if err == nil && !slices.Equal(e.head, entryOf(row.ID, row.Key)) {
		err = errors.New("the account has another public key than the one it names")
	}
	if err != nil {
		return Account{}, AddressOptions{}, badEntry(row.ID, mac, err)
	}
	return row, e.options, nil
}

func badEntry(id AccountID, mac seal.AddressMAC, err error) error {
	return fmt.Errorf("%w: directory entry %x of account %s: %w", ErrCorrupt, mac, id, err)
}

// entries opens the entries of an account, oldest first.
func (s *Service) entries(ctx context.Context, id AccountID) ([]entry, error) {
	rows, err := s.store.Addresses(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	list := make([]entry, 0, len(rows))
	for _, row := range rows {
		e, err := s.openEntry(id, row)
		if err != nil {
			return nil, badEntry(id, row.MAC, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// addresses lists the addresses of an account, oldest first.
func (s *Service) addresses(ctx context.Context, id AccountID) ([]addr.Address, error) {
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, err
	}
	list := make([]addr.Address, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.address)
	}
	return list, nil
}

// newEntries makes the entries of an account's addresses for another key.
func (s *Service) newEntries(ctx context.Context, id AccountID, key AccountKey) (*KeyChange, []addr.Address, error) {
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	var list []addr.Address
	change := &KeyChange{AccountKey: key}
	for _, e := range entries {
		list = append(list, e.address)
		change.Addresses = append(change.Addresses, s.directoryEntry(id, key, e.address, e.options))
	}
	return change, list, nil
}
