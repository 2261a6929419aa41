// Package index is the gateway's search index: it knows which messages of the local
// store have a text in them, without opening them.
//
//	ix, err := index.Open(v)
//	err = ix.Update(ctx, session, folder.ID)  // after changes
//	imapd.New(imapd.Options{Service: s, Index: ix})
//
// The index is made of blocks. A block is one file of the vault, sealed like all its
// files, that is written once, whole, and covers up to 1,024 messages of one mailbox:
// which grams, three octets each, are in which of them, and their texts as imapd's
// search compares them. A search looks up some grams of what it is for, and reads the
// texts of those messages that have all of them. A text shorter than a gram is looked
// for in all texts of the block.
//
// No message is ever missed: one that no block covers is reported as one that may have
// the text, and imapd opens it. So the index may be late, lose a block in a crash, or be
// deleted as a whole at any time; Update makes what is missing.
//
// A message that was expunged leaves its grams and texts in a block, sealed, until
// an eighth of the block's messages are gone: then those that are left go to a new one.
package index

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
)

// kind is where the vault keeps the blocks.
const kind = "index"

// Index is a search index. It is safe for concurrent use; one Update runs at a time.
type Index struct {
	vault    *vault.Vault
	sizes    sizes
	updating sync.Mutex

	mu     sync.RWMutex
	blocks map[mailbox.MailboxID][]*block // the slices never change
}

// Open reads what blocks there are. A damaged one is removed, and made again by
// Update. The vault stays the caller's.
func Open(v *vault.Vault) (*Index, error) {
	ix := &Index{vault: v, sizes: usualSizes, blocks: map[mailbox.MailboxID][]*block{}}
	var names []string
	err := v.SweepBlobs(kind, func(name string) bool {
		names = append(names, name)
		return true
	})
	if errors.Is(err, vault.ErrDamaged) {
		return ix, v.DeleteAll(kind) // without its name a file can't be told from others
	}
	if err != nil {
		return nil, fmt.Errorf("open search index: %w", err)
	}
	for _, name := range names {
		if err := ix.load(name); err != nil {
			return nil, fmt.Errorf("open search index: %w", err)
		}
	}
	return ix, nil
}

func (ix *Index) load(name string) error {
	blob, err := ix.vault.OpenBlob(kind, name)
	if err == nil {
		var b *block
		b, err = readBlock(name, blob)
		if err = errors.Join(err, blob.Close()); err == nil {
			ix.add(b)
			return nil
		}
	}
	if errors.Is(err, vault.ErrDamaged) || errors.Is(err, errBlock) {
		return ix.vault.Delete(kind, name)
	}
	return err
}

func (ix *Index) add(b *block) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.blocks[b.mailbox] = append(slices.Clip(ix.blocks[b.mailbox]), b)
}

// remove takes a block out. A search that has begun with it finds its file missing,
// and opens the messages instead.
func (ix *Index) remove(b *block) error {
	ix.mu.Lock()
	rest := slices.DeleteFunc(slices.Clone(ix.blocks[b.mailbox]), func(o *block) bool { return o == b })
	ix.blocks[b.mailbox] = rest
	if len(rest) == 0 {
		delete(ix.blocks, b.mailbox)
	}
	ix.mu.Unlock()
	if err := ix.vault.Delete(kind, b.name); err != nil {
		return fmt.Errorf("remove a block of the search index: %w", err)
	}
	return nil
}

// of returns the blocks of a mailbox.
func (ix *Index) of(id mailbox.MailboxID) []*block {
	ix.mu.RLock()
	defer ix.mu.RUnlock()
	return ix.blocks[id]
}
