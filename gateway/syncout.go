package gateway

import (
	"context"
	"errors"
	"io"
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
		for _, e := range p.ledger.entries() {
			if _, here := p.here(e.Local); !here {
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
	}
	if err := c.tellDeletions(); err != nil {
		return err
	}
	for _, p := range c.pairs {
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
		return nil
	}
	p.ledger.setLocal(e, 0)
	return nil
}

// remove deletes on the server what was deleted here. What the server does not give
// up at once is tried again in the next cycle.
func (c *cycle) remove(p *pair) error {
	var uids []imap.UID
	for _, e := range p.ledger.entries() {
		if e.Local == 0 && e.Remote != 0 {
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
	if p.box == 0 && len(p.ledger.remote) == len(uids) {
		return c.dropMailbox(p)
	}
	return nil
}

// dropMailbox deletes a mailbox on the server that was deleted here. INBOX is none
// of these: the local store always has it.
func (c *cycle) dropMailbox(p *pair) error {
	now, err := c.r.look(p.far, newLedger(p.ledger.Name))
	if err != nil || len(now.messages) > 0 { // one has come meanwhile, or the server keeps them
		return err
	}
	if err := c.r.drop(p.far); err != nil {
		return err
	}
	return c.forgetBox(p)
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
	moved := &entry{Local: uid, Flags: e.Flags, ID: e.ID, Digest: e.Digest, Attempts: e.Attempts, Gone: e.Gone}
	if !e.Gone {
		var err error
		if moved.Remote, err = c.r.copy(p.far, e.Remote, q.far, true); err != nil {
			return err
		}
		c.again = true // its flags may have changed here too: the next cycle sees it at its new place
	}
	q.ledger.add(moved)
	if err := q.ledger.save(c.vault); err != nil {
		return err
	}
	p.look.take(e.Remote)
	p.ledger.drop(e)
	return p.ledger.save(c.vault)
}

// uploads carries over what is new here.
func (c *cycle) uploads(ctx context.Context) error {
	for _, p := range c.pairs {
		if p.missing {
			if err := c.makeThere(p); err != nil {
				return err
			}
			continue
		}
		for _, uid := range p.strangers() {
			dropped, err := c.dropSentTwin(ctx, p, uid)
			if err == nil && !dropped {
				err = c.enter(ctx, p, uid)
			}
			if err != nil {
				return err
			}
		}
		for _, e := range p.ledger.entries() {
			if e.pending() && len(c.refused) < maxRefused {
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

// makeThere makes a mailbox that was deleted on the server, if something in it is new
// here. The next cycle brings that there.
func (c *cycle) makeThere(p *pair) error {
	isNew := len(p.strangers()) > 0
	for _, e := range p.ledger.entries() {
		isNew = isNew || e.pending()
	}
	if isNew {
		if err := c.r.create(p.far); err != nil {
			return err
		}
		p.ledger.Validity = 0
		p.ledger.renumber()
		c.again = true
	}
	return p.ledger.save(c.vault)
}

// enter makes an entry for a local message that has none: a copy of one that is on
// the server, or was, or a new one.
func (c *cycle) enter(ctx context.Context, p *pair, uid mailbox.UID) error {
	id, err := c.id(ctx, p, uid)
	if err != nil || id == "" {
		return err
	}
	near, _ := p.here(uid)
	e := &entry{Local: uid, ID: id, Flags: near.flags}
	if q, source := c.source(id); source != nil {
		if e.Remote, err = c.r.copy(q.far, source.Remote, p.far, false); err != nil {
			return err
		}
		if err := c.decided(ctx, q, p, uid); err != nil {
			return err
		}
		e.Digest, e.Flags = source.Digest, q.flagsThere(source.Remote)
		if e.Remote != 0 {
			p.look.put(e.Remote, e.Flags)
		}
		c.again = c.again || e.Remote == 0
	} else if old := c.known(id); old != nil && old.Gone {
		e.Gone = true
	}
	p.ledger.add(e)
	return p.ledger.save(c.vault)
}

// source returns a message on the server that a local copy is of.
func (c *cycle) source(id string) (*pair, *entry) {
	for _, p := range c.pairs {
		for _, e := range p.ledger.id[id] {
			if e.Remote != 0 && e.Local != 0 {
				return p, e
			}
		}
	}
	return nil, nil
}

// maxAttempts is how often a mail is uploaded of which nothing is found on the
// server afterwards: one that changes mail would get it again and again.
const maxAttempts = 20

// maxRefused is how many mails the server may refuse before a cycle leaves the others to
// later ones: where there is no room, each of them costs a connection.
const maxRefused = 3

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
	if err := checkLeaving(sealed.reader(0)); err != nil {
		c.refused = append(c.refused, err) // it stays here, and all else goes on
		return nil
	}
	digest, err := digestOf(sealed)
	if err != nil {
		return err
	}
	p.ledger.attempt(e, digest)
	near, _ := p.here(e.Local)
	p.ledger.agree(e, near.flags)
	if err := p.ledger.save(c.vault); err != nil {
		return err
	}
	uid, err := c.r.append(p.far, sealed.reader(0), sealed.size, e.Flags.set(), date)
	if isRefusal(err) && c.r.alive() {
		c.refused = append(c.refused, err)
		p.ledger.giveUp(e, digest)
		return p.ledger.save(c.vault)
	}
	if err != nil {
		return err
	}
	if uid != 0 {
		p.ledger.found(e, uid, digest)
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
