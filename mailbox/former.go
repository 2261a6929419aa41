package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/restante/restante/mailbox/seal"
)

// # Former keys
//
// An account that was given new keys still has mail under the former ones. Their root
// secrets are kept under the present keys until the last message has followed: a
// session wraps messages anew as it meets them, and all of them in the background.

// former is what is kept of the key of a former generation.
type former struct {
	sealer seal.Owner
	root   seal.Root
	keys   *seal.Keys
}

// past is all that an account keeps of former generations.
type past struct {
	keys  map[uint32]*former
	email *[32]byte // the key of EMAILIDs, if it is not that of the present generation

	damaged []FormerKey // do not open
}

func (p past) wipe() {
	for _, f := range p.keys {
		f.root.Wipe()
	}
}

// emailGeneration stands for the key of EMAILIDs among the former keys.
const emailGeneration = 0

func formerLabel(generation uint32) string {
	if generation == emailGeneration {
		return "key of EMAILIDs"
	}
	return "root of generation " + strconv.FormatUint(uint64(generation), 10)
}

// pastOf opens what an account keeps of former generations. What does not open is no
// reason to keep its owner from all the rest. Errors: errRotated if the account has
// another key by now than its owner's.
func (s *Service) pastOf(ctx context.Context, owner seal.Owner, keys *seal.Keys) (past, error) {
	if owner.Generation == 1 {
		return past{}, nil
	}
	rows, err := s.store.FormerKeys(ctx, AccountID(owner.Account))
	if err != nil {
		return past{}, fmt.Errorf("read former keys: %w", err)
	}
	for _, row := range rows {
		if g, err := seal.Generation(row.Sealed); err == nil && g > owner.Generation {
			return past{}, errRotated
		}
	}
	p := openPast(keys, rows)
	for _, row := range p.damaged {
		s.log.Error("a former key does not open", "account", AccountID(owner.Account), "generation", row.Generation)
	}
	return p, nil
}

func openPast(keys *seal.Keys, rows []FormerKey) past {
	p := past{keys: map[uint32]*former{}}
	for _, row := range rows {
		b, err := keys.OpenNote(formerLabel(row.Generation), row.Sealed)
		switch {
		case err != nil || len(b) != len(seal.Root{}):
			p.damaged = append(p.damaged, row)
		case row.Generation == emailGeneration:
			p.email = (*[32]byte)(b)
		default:
			f := &former{sealer: keys.Owner(), root: seal.Root(b)}
			f.sealer.Generation = row.Generation
			f.keys = f.root.Keys(f.sealer)
			p.keys[row.Generation] = f
		}
	}
	return p
}

// rows seals the past under new keys, together with the root that they take the place
// of.
func (p past) rows(from, to *seal.Keys, root *seal.Root) []FormerKey {
	email := from.EmailKey()
	if p.email != nil {
		email = *p.email
	}
	noEmail := func(f FormerKey) bool { return f.Generation == emailGeneration }
	list := append(slices.DeleteFunc(slices.Clone(p.damaged), noEmail),
		FormerKey{emailGeneration, to.SealNote(formerLabel(emailGeneration), email[:])},
		FormerKey{from.Owner().Generation, to.SealNote(formerLabel(from.Owner().Generation), root[:])})
	for g, f := range p.keys {
		list = append(list, FormerKey{g, to.SealNote(formerLabel(g), f.root[:])})
	}
	return list
}

// isFormer reports whether a message is sealed to a former key.
func (own *owner) isFormer(m *Message) bool { return m.Generation < own.sealer.Generation }

// leaveFormer has all messages follow to the present key, in the background, and
// forgets the former ones.
func (own *owner) leaveFormer() {
	if len(own.past.keys) == 0 || own.followed.Load() {
		return
	}
	own.inBackground(func(ctx context.Context) error {
		boxes, err := own.svc.store.Mailboxes(ctx, own.id)
		if err != nil {
			return fmt.Errorf("list mailboxes: %w", err)
		}
		for _, b := range boxes {
			if err := own.rewrapMailbox(ctx, b.ID); err != nil && !errors.Is(err, ErrNoMailbox) {
				return err
			}
		}
		left, err := own.svc.store.DropFormerKeys(ctx, own.id)
		if err != nil {
			return fmt.Errorf("drop former keys: %w", err)
		}
		own.followed.Store(left == 0)
		return nil
	})
}
