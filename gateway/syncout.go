package gateway

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// departed carries over what was moved and deleted here. What is missing in the last
// look may have been moved, while that went on, to a mailbox it had seen already; so
// one more look, which sees all of them at their new place, comes before anything is
// taken for deleted.
func (c *cycle) departed(ctx context.Context) error {
	missing := map[*pair][]*entry{}
	for _, p := range c.pairs {
		for _, e := range p.ledger.Entries {
			if _, here := p.here[e.Local]; !here {
				missing[p] = append(missing[p], e)
			}
		}
	}
	if len(missing) > 0 {
		if err := c.lookHere(ctx); err != nil {
			return err
		}
	}
	for _, p := range c.pairs {
		for _, e := range missing[p] {
			if err := c.depart(ctx, p, e); err != nil {
				return err
			}
		}
		if err := c.remove(p); err != nil {
			return err
		}
	}
	return nil
}

// depart carries over that one mail is no longer in a mailbox here.
func (c *cycle) depart(ctx context.Context, p *pair, e *entry) error {
	if e.Local != 0 && !e.pending() {
		done, err := c.movedHere(ctx, p, e)
		if done || err != nil {
			return err
		}
	}
	if e.Remote == 0 {
		p.ledger.drop(e)
	}
	e.Local = 0
	return nil
}

// remove deletes on the server what was deleted here. What the server does not give
// up at once is tried again in the next cycle.
func (c *cycle) remove(p *pair) error {
	var uids []imap.UID
	for _, e := range p.ledger.Entries {
		if e.Local == 0 {
			uids = append(uids, e.Remote)
		}
	}
	if err := p.ledger.save(c.vault); err != nil { // so that a cut leaves it a deletion of ours
		return err
	}
	if len(uids) > 0 {
		if err := c.r.remove(p.far, uids); err != nil {
			return err
		}
	}
	if p.box == 0 && len(uids) == len(p.look.messages) {
		return c.dropMailbox(p)
	}
	return nil
}

// dropMailbox deletes a mailbox on the server that was deleted here. INBOX is none
// of these: the local store always has it.
func (c *cycle) dropMailbox(p *pair) error {
	now, err := c.r.look(p.far, &ledger{})
	if err != nil || len(now.messages) > 0 { // one has come meanwhile, or the server keeps them
		return err
	}
	if err := c.r.drop(p.far); err != nil {
		return err
	}
	c.pairs = slices.DeleteFunc(slices.Clone(c.pairs), func(q *pair) bool { return q == p })
	return c.vault.Delete(ledgerKind, p.ledger.Name)
}

// movedHere moves a message on the server if the local mail, which is no longer in
// this mailbox, has come up in another.
func (c *cycle) movedHere(ctx context.Context, p *pair, e *entry) (bool, error) {
	for _, q := range c.pairs {
		if q == p {
			continue
		}
		for _, uid := range q.strangers() {
			id, err := c.id(ctx, q, uid)
			if err != nil {
				return false, err
			}
			if id == e.ID {
				return true, errors.Join(c.decided(ctx, p, q, uid), c.moveThere(p, e, q, uid))
			}
		}
	}
	return false, nil
}

// moveThere moves a message on the server. Where it went is written before where it
// was is forgotten.
func (c *cycle) moveThere(p *pair, e *entry, q *pair, uid mailbox.UID) error {
	moved := *e
	moved.Local = uid
	if !e.Gone {
		var err error
		if moved.Remote, err = c.r.copy(p.far, e.Remote, q.far, true); err != nil {
			return err
		}
		c.again = true // its flags may have changed here too: the next cycle sees it at its new place
	}
	q.ledger.Entries = append(q.ledger.Entries, &moved)
	if err := q.ledger.save(c.vault); err != nil {
		return err
	}
	delete(p.look.messages, e.Remote)
	p.ledger.drop(e)
	return p.ledger.save(c.vault)
}

// uploads carries over what is new here.
func (c *cycle) uploads(ctx context.Context) error {
	for _, p := range c.pairs {
		for _, uid := range p.strangers() {
			if err := c.enter(ctx, p, uid); err != nil {
				return err
			}
		}
		for _, e := range slices.Clone(p.ledger.Entries) {
			if e.pending() {
				if err := c.send(ctx, p, e); err != nil {
					return err
				}
			}
		}
		if err := p.ledger.save(c.vault); err != nil {
			return err
		}
	}
	return nil
}

// enter makes an entry for a local message that has none: a copy of one that is on
// the server, or was, or a new one.
func (c *cycle) enter(ctx context.Context, p *pair, uid mailbox.UID) error {
	id, err := c.id(ctx, p, uid)
	if err != nil || id == "" {
		return err
	}
	e := &entry{Local: uid, ID: id, Flags: p.here[uid].names()}
	if q, source := c.source(id); source != nil {
		if e.Remote, err = c.r.copy(q.far, source.Remote, p.far, false); err != nil {
			return err
		}
		if err := c.decided(ctx, q, p, uid); err != nil {
			return err
		}
		flags := q.look.messages[source.Remote]
		e.Digest, e.Flags = source.Digest, flags.names()
		if e.Remote != 0 {
			p.look.messages[e.Remote] = flags
		}
		c.again = c.again || e.Remote == 0
	} else if old := c.known(id); old != nil && old.Gone {
		e.Gone = true
	}
	p.ledger.Entries = append(p.ledger.Entries, e)
	return p.ledger.save(c.vault)
}

// source returns a message on the server that a local copy is of.
func (c *cycle) source(id string) (*pair, *entry) {
	for _, p := range c.pairs {
		for _, e := range p.ledger.Entries {
			if e.ID == id && e.Remote != 0 && e.Local != 0 {
				return p, e
			}
		}
	}
	return nil, nil
}

// maxAttempts is how often a mail is uploaded of which nothing is found on the
// server afterwards: one that changes mail would get it again and again.
const maxAttempts = 20

// send uploads a local message, encrypted to the user. What will be on the server is
// written down before: if the answer is lost, the next cycle knows it again.
func (c *cycle) send(ctx context.Context, p *pair, e *entry) error {
	if len(e.Attempts) >= maxAttempts {
		c.log.Error("a mail can't be brought to the server", "attempts", len(e.Attempts))
		return nil
	}
	sealed := newSpool(c.dir)
	date, ok, err := c.seal(ctx, p, e.Local, sealed)
	if err == nil && ok {
		err = c.sendSealed(p, e, sealed, date)
	}
	return errors.Join(err, sealed.close())
}

func (c *cycle) sendSealed(p *pair, e *entry, sealed *spool, date time.Time) error {
	digest, err := digestOf(sealed)
	if err != nil {
		return err
	}
	e.Attempts = append(e.Attempts, digest)
	e.Flags = p.here[e.Local].names()
	if err := p.ledger.save(c.vault); err != nil {
		return err
	}
	flags := newFlagSet(e.Flags...)
	if e.Remote, err = c.r.append(p.far, sealed.reader(0), sealed.size, flags, date); err != nil {
		return err
	}
	if e.Remote != 0 {
		e.Digest = digest
		return nil
	}
	c.again = true // the server does not tell where it is: the next cycle finds it
	return nil
}

// seal encrypts a local message to the user. It reports false if the message is
// gone.
func (c *cycle) seal(ctx context.Context, p *pair, uid mailbox.UID, w *spool) (date time.Time, ok bool, err error) {
	ok, err = c.item(ctx, p, uid, func(i *mailbox.Item) error {
		info, err := i.Info()
		if err != nil {
			return err
		}
		date = info.Date
		b, err := i.Body(ctx)
		if err != nil {
			return err
		}
		header, err := io.ReadAll(b.Section(0, info.HeaderLen))
		if err == nil {
			err = c.upload(w, header, b.Section(info.HeaderLen, b.Size()-info.HeaderLen))
		}
		return errors.Join(err, b.Close())
	})
	if err == nil && ok {
		err = w.finish()
	}
	return date, ok, err
}

// flags carries flags over, in both directions.
func (c *cycle) flags(ctx context.Context) error {
	for _, p := range c.pairs {
		if err := c.flagsOf(ctx, p); err != nil {
			return err
		}
		p.ledger.ModSeq = p.look.modseq
		if err := p.ledger.save(c.vault); err != nil {
			return err
		}
	}
	return nil
}

// change is a set of flags to be added to or removed from messages.
type change struct {
	add   bool
	flags string // names, separated by blanks
}

func (c *cycle) flagsOf(ctx context.Context, p *pair) error {
	there, here := map[change][]imap.UID{}, map[change][]mailbox.UIDRange{}
	for _, e := range p.ledger.Entries {
		far, ok1 := p.look.messages[e.Remote]
		near, ok2 := p.here[e.Local]
		if !ok1 || !ok2 {
			continue
		}
		merged := mergeFlags(newFlagSet(e.Flags...), far, near, p.look.keeps)
		kept := flagSet{}
		for n := range merged {
			if p.look.keeps(n) {
				kept[n] = true
			}
		}
		plan(there, far, kept, e.Remote)
		plan(here, near, merged, mailbox.UIDRange{Low: e.Local, High: e.Local})
		e.Flags = kept.names()
	}
	for ch, uids := range there {
		if err := c.r.store(p.far, uids, ch.op(), ch.set()); err != nil {
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
		ch := change{true, strings.Join(d.names(), " ")}
		changes[ch] = append(changes[ch], of)
	}
	if d := flags.minus(want); len(d) > 0 {
		ch := change{false, strings.Join(d.names(), " ")}
		changes[ch] = append(changes[ch], of)
	}
}

func (ch change) set() flagSet { return newFlagSet(strings.Fields(ch.flags)...) }

func (ch change) op() imap.StoreFlagsOp {
	if ch.add {
		return imap.StoreFlagsAdd
	}
	return imap.StoreFlagsDel
}

func (c *cycle) storeHere(ctx context.Context, p *pair, ch change, set []mailbox.UIDRange) error {
	bits, err := c.bits(ctx, ch.set())
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
		for _, e := range p.ledger.Entries {
			if _, here := p.here[e.Local]; here && e.Gone != p.marked[e.Local] {
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
