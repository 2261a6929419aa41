package index

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
)

// sizes is how messages are put into blocks.
type sizes struct {
	fresh int // so many messages without a block make one; a search opens those that wait for it
	block int // messages, at most mostDocs; one that has less than half is put together with others
}

var usualSizes = sizes{fresh: 128, block: mostDocs}

// Update covers what is new in a mailbox, and forgets what is gone from it. A mailbox
// that is no more is no error. After an error, or a crash, the index is whole, and the
// next Update goes on.
func (ix *Index) Update(ctx context.Context, x *mailbox.Session, id mailbox.MailboxID) error {
	ix.updating.Lock()
	defer ix.updating.Unlock()
	t, err := x.Open(ctx, id)
	if errors.Is(err, mailbox.ErrNoMailbox) {
		return ix.drop(ix.of(id))
	}
	if err != nil {
		return fmt.Errorf("update search index: %w", err)
	}
	defer t.Close()
	v := t.View()
	if err := ix.forget(v); err != nil {
		return err
	}
	if err := ix.cover(ctx, x, v.Mailbox, ix.sizes.missing(v.UIDs, ix.of(id))); err != nil {
		return err
	}
	return ix.drop(superfluous(v.UIDs, ix.of(id)))
}

// Keep removes the blocks of all mailboxes but these.
func (ix *Index) Keep(keep func(mailbox.MailboxID) bool) error {
	ix.updating.Lock()
	defer ix.updating.Unlock()
	ix.mu.RLock()
	var gone []*block
	for id, blocks := range ix.blocks {
		if !keep(id) {
			gone = append(gone, blocks...)
		}
	}
	ix.mu.RUnlock()
	return ix.drop(gone)
}

func (ix *Index) drop(blocks []*block) error {
	for _, b := range blocks {
		if err := ix.remove(b); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the blocks of a mailbox that had the same number, or whose messages
// were numbered otherwise.
func (ix *Index) forget(v mailbox.View) error {
	var other []*block
	for _, b := range ix.of(v.Mailbox.ID) {
		if b.validity != v.Mailbox.UIDValidity {
			other = append(other, b)
		}
	}
	return ix.drop(other)
}

// cover makes blocks for messages, as many as it takes.
func (ix *Index) cover(ctx context.Context, x *mailbox.Session, box mailbox.Mailbox, uids []mailbox.UID) error {
	if len(uids) == 0 {
		return nil
	}
	var set []mailbox.UIDRange
	for _, uid := range uids {
		set = push(set, uid)
	}
	b := newBuilder(ix.sizes.block)
	err := x.FetchBodies(ctx, box.ID, set, func(i *mailbox.Item) error {
		if b.full() {
			if err := b.write(ix, box); err != nil {
				return err
			}
		}
		return b.index(ctx, i)
	})
	if err != nil {
		return fmt.Errorf("update search index: %w", err)
	}
	return b.write(ix, box)
}

// missing returns which messages are to go into new blocks, ascending: those that no
// block covers, and those of blocks that are better made anew. As long as few are
// new and nothing else is to be done, there are none.
func (s sizes) missing(uids []mailbox.UID, blocks []*block) []mailbox.UID {
	var kept, small []*block
	stale := false
	for _, b := range blocks {
		live := b.live(uids)
		switch {
		case len(b.docs)-live > len(b.docs)/8:
			stale = stale || live > 0
		case len(b.docs) < s.block/2 && !b.full:
			small = append(small, b)
		default:
			kept = append(kept, b)
		}
	}
	if all := uncovered(uids, kept); len(small) > 1 && len(all) >= s.block {
		return all
	}
	rest := uncovered(uids, append(kept, small...))
	if len(rest) < s.fresh && !stale {
		return nil
	}
	return rest
}

// live returns how many of a block's messages are still there.
func (b *block) live(uids []mailbox.UID) (n int) {
	at := 0
	for _, d := range b.docs {
		i, ok := slices.BinarySearch(uids[at:], d.uid)
		if at += i; ok {
			n++
		}
	}
	return n
}

// uncovered returns the messages that none of the blocks covers.
func uncovered(uids []mailbox.UID, blocks []*block) (list []mailbox.UID) {
	for i, n := range coverage(uids, blocks) {
		if n == 0 {
			list = append(list, uids[i])
		}
	}
	return list
}

// coverage returns how many blocks cover each message.
func coverage(uids []mailbox.UID, blocks []*block) []int {
	count := make([]int, len(uids))
	for _, b := range blocks {
		b.count(uids, count, 1)
	}
	return count
}

func (b *block) count(uids []mailbox.UID, count []int, by int) {
	at := 0
	for _, d := range b.docs {
		i, ok := slices.BinarySearch(uids[at:], d.uid)
		if at += i; ok {
			count[at] += by
		}
	}
}

// superfluous returns the blocks whose messages are gone, or covered by others: the
// smallest of them, and of two alike the one with more that is gone.
func superfluous(uids []mailbox.UID, blocks []*block) (list []*block) {
	count := coverage(uids, blocks)
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(a, b *block) int {
		if d := a.live(uids) - b.live(uids); d != 0 {
			return d
		}
		return len(b.docs) - len(a.docs)
	})
	for _, b := range order {
		b.count(uids, count, -1)
		if b.needed(uids, count) {
			b.count(uids, count, 1)
			continue
		}
		list = append(list, b)
	}
	return list
}

// needed reports whether a message of the block is in no other, by their counts
// without it.
func (b *block) needed(uids []mailbox.UID, count []int) bool {
	for _, d := range b.docs {
		if i, ok := slices.BinarySearch(uids, d.uid); ok && count[i] == 0 {
			return true
		}
	}
	return false
}
