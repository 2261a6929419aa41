package mailbox

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/restante/restante/mailbox/seal"
)

// publicKeys holds the parsed keys of accounts that get mail: parsing one takes as
// long as the rest of a small delivery's bookkeeping. A key is found by its account
// and used only if its bytes are those of the row at hand, so nothing here can be out
// of date. It is safe for concurrent use.
type publicKeys struct {
	max int // each takes some 9 KB

	mu   sync.Mutex
	keys map[AccountID]parsedKey
}

type parsedKey struct {
	bytes []byte
	key   seal.PublicKey
}

func newPublicKeys(most int) *publicKeys {
	return &publicKeys{max: most, keys: map[AccountID]parsedKey{}}
}

// of returns the key in an account's row.
func (p *publicKeys) of(row *Account) (seal.PublicKey, error) {
	if known, ok := p.find(row.ID); ok && bytes.Equal(known.bytes, row.Key.Public) {
		return known.key, nil
	}
	key, err := seal.ParsePublicKey(row.Key.Public)
	if err != nil {
		return seal.PublicKey{}, fmt.Errorf("%w: public key of account %s: %w", ErrCorrupt, row.ID, err)
	}
	p.keep(row.ID, parsedKey{bytes.Clone(row.Key.Public), key})
	return key, nil
}

func (p *publicKeys) find(id AccountID) (parsedKey, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.keys[id]
	return k, ok
}

// keep keeps a key, in place of any other if there are too many.
func (p *publicKeys) keep(id AccountID, k parsedKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other := range p.keys {
		if len(p.keys) < p.max {
			break
		}
		delete(p.keys, other)
	}
	p.keys[id] = k
}
