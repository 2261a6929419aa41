package gateway

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// flags carries flags over, in both directions. Then both sides of a mailbox agree.
func (c *cycle) flags(ctx context.Context) error {
	for _, p := range c.pairs {
		if p.missing {
			continue
		}
		if err := c.flagsOf(ctx, p); err != nil {
			return err
		}
		p.ledger.ModSeq, p.ledger.Messages, p.ledger.Next = p.look.modseq, p.look.count, p.look.next
		p.ledger.Whole = len(p.news()) == 0
		if err := p.ledger.save(c.vault); err != nil {
			return err
		}
	}
	return nil
}

// change is a set of flags to be added to or removed from messages.
type change struct {
	add   bool
	flags flags
}

func (c *cycle) flagsOf(ctx context.Context, p *pair) error {
	there, here, agreed := map[change][]imap.UID{}, map[change][]mailbox.UIDRange{}, map[*entry]flags{}
	for _, e := range p.ledger.entries() {
		far, ok1 := p.look.flags(e.Remote)
		near, ok2 := p.here(e.Local)
		if !ok1 || !ok2 || far == e.Flags && near.flags == e.Flags {
			continue
		}
		farSet, nearSet := far.set(), near.flags.set()
		merged := mergeFlags(e.Flags.set(), farSet, nearSet, p.look.keeps)
		kept := flagSet{}
		for n := range merged {
			if p.look.keeps(n) {
				kept[n] = true
			}
		}
		plan(there, farSet, kept, e.Remote)
		plan(here, nearSet, merged, mailbox.UIDRange{Low: e.Local, High: e.Local})
		agreed[e] = kept.flags()
	}
	if err := c.store(ctx, p, there, here); err != nil {
		return err
	}
	for e, f := range agreed {
		p.ledger.agree(e, f)
	}
	return nil
}

// store makes changes of flags on both sides.
func (c *cycle) store(ctx context.Context, p *pair, there map[change][]imap.UID, here map[change][]mailbox.UIDRange) error {
	for ch, uids := range there {
		if err := c.r.store(p.far, uids, ch.op(), ch.flags.set()); err != nil {
			return err
		}
	}
	for ch, set := range here {
		if err := c.storeHere(ctx, p, ch, set); err != nil {
			return err
		}
	}
	return nil
}

// plan enters what makes flags into want.
func plan[T any](changes map[change][]T, flags, want flagSet, of T) {
	if d := want.minus(flags); len(d) > 0 {
		ch := change{true, d.flags()}
		changes[ch] = append(changes[ch], of)
	}
	if d := flags.minus(want); len(d) > 0 {
		ch := change{false, d.flags()}
		changes[ch] = append(changes[ch], of)
	}
}

func (ch change) op() imap.StoreFlagsOp {
	if ch.add {
		return imap.StoreFlagsAdd
	}
	return imap.StoreFlagsDel
}

func (c *cycle) storeHere(ctx context.Context, p *pair, ch change, set []mailbox.UIDRange) error {
	bits, err := c.bits(ctx, ch.flags.set())
	if err != nil {
		return err
	}
	return c.change(ctx, p, ch.add, bits, set)
}

func (c *cycle) change(ctx context.Context, p *pair, add bool, bits mailbox.Flags, set []mailbox.UIDRange) error {
	mode := mailbox.RemoveFlags
	if add {
		mode = mailbox.AddFlags
	}
	slices.SortFunc(set, func(a, b mailbox.UIDRange) int { return int(a.Low) - int(b.Low) })
	_, err := c.local.Session.StoreFlags(ctx, p.box, mailbox.FlagChange{Set: set, Mode: mode, Flags: bits})
	return err
}

// marks shows which local messages are no longer on the server.
func (c *cycle) marks(ctx context.Context) error {
	for _, p := range c.pairs {
		changes := map[bool][]mailbox.UIDRange{}
		for _, e := range p.ledger.entries() {
			if near, here := p.here(e.Local); here && e.Gone != near.marked {
				changes[e.Gone] = append(changes[e.Gone], mailbox.UIDRange{Low: e.Local, High: e.Local})
			}
		}
		for add, set := range changes {
			bits, err := c.local.Session.FlagsOf(ctx, []string{goneKeyword})
			if err != nil {
				return err
			}
			if err := c.change(ctx, p, add, bits, set); err != nil {
				return err
			}
		}
	}
	return nil
}
