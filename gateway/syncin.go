package gateway

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// atOnce is how many messages are taken in together: by one command, and one
// transaction.
const atOnce = 32

// arrivals takes in what is new on the server, the newest first: a user who has just
// set the gateway up wants to see today's mail. Within a batch the order is the server's.
func (c *cycle) arrivals(ctx context.Context) error {
	for _, p := range c.pairs {
		for uids := p.news(); len(uids) > 0; {
			n := max(0, len(uids)-atOnce)
			if err := c.arrive(ctx, p, uids[n:]); err != nil {
				return err
			}
			uids = uids[:n]
		}
		if err := p.ledger.save(c.vault); err != nil {
			return err
		}
	}
	return nil
}

// newcomer is a message on the server on its way into the local store.
type newcomer struct {
	received
	digest string
	opened *opened // what becomes of it, if it is new
}

// arrive finds out what some messages on the server are, and takes in those that are
// new. A crash costs the work on these, and nothing else.
func (c *cycle) arrive(ctx context.Context, p *pair, uids []imap.UID) error {
	list, err := c.r.fetch(p.far, uids, c.dir)
	var fresh []*newcomer
	for _, m := range list {
		n := &newcomer{received: m}
		if err == nil {
			var isNew bool
			if isNew, err = c.take(ctx, p, n); isNew {
				fresh = append(fresh, n)
				continue
			}
		}
		err = errors.Join(err, n.close())
	}
	if err == nil && len(fresh) > 0 {
		err = c.keep(ctx, p, fresh)
	}
	for _, n := range fresh {
		err = errors.Join(err, n.close())
	}
	if err == nil {
		err = p.ledger.save(c.vault)
	}
	return err
}

func (n *newcomer) close() error {
	if n.opened == nil {
		return n.raw.close()
	}
	return errors.Join(n.raw.close(), n.opened.close())
}

// take finds out what a message on the server is. It reports true, and opens it, if it
// is to be taken in.
func (c *cycle) take(ctx context.Context, p *pair, n *newcomer) (isNew bool, err error) {
	if n.digest, err = digestOf(n.raw); err != nil {
		return false, err
	}
	if e := p.awaited(n.digest); e != nil {
		p.ledger.found(e, n.uid, n.digest)
		return false, nil
	}
	if p.superfluous(n.digest) {
		p.look.take(n.uid)
		return false, c.r.remove(p.far, []imap.UID{n.uid})
	}
	here, err := c.stranger(ctx, p, n.digest)
	if err != nil {
		return false, err
	}
	if here != 0 {
		return false, c.join(ctx, p, n, here, p.flagsThere(n.uid))
	}
	if done, err := c.movedThere(ctx, p, n); done || err != nil {
		return false, err
	}
	if n.opened, err = c.opener.open(n.raw, n.digest); err != nil {
		return false, err
	}
	if twin, err := c.sentTwin(ctx, p, n); twin || err != nil {
		return false, err
	}
	filed, err := c.file(ctx, p, n.uid, n.opened.fate)
	if filed {
		p.look.take(n.uid)
	}
	return !filed && err == nil, err
}

func (p *pair) flagsThere(uid imap.UID) flags {
	f, _ := p.look.flags(uid)
	return f
}

// awaited returns the entry whose mail has these octets and is not known to be on
// the server: it was uploaded or copied there, was moved away and back, or the server has
// new numbers.
func (p *pair) awaited(digest string) *entry {
	for _, e := range p.ledger.digest[digest] {
		if e.Remote == 0 || !p.look.has(e.Remote) {
			return e
		}
	}
	return nil
}

// superfluous reports whether these octets are an upload of which another attempt
// has come to the server too.
func (p *pair) superfluous(digest string) bool {
	for _, e := range p.ledger.digest[digest] {
		if e.Remote != 0 && e.Digest != digest && e.attempted(digest) {
			return true
		}
	}
	return false
}

// stranger returns a local message that the ledger does not know and that was made
// of these octets: a cycle was cut off before it wrote the ledger. 0 is none.
func (c *cycle) stranger(ctx context.Context, p *pair, digest string) (mailbox.UID, error) {
	if p.origins == nil {
		if err := c.readOrigins(ctx, p); err != nil {
			return 0, err
		}
	}
	uid := p.origins[digest]
	if p.ledger.local[uid] != nil {
		return 0, nil
	}
	return uid, nil
}

// readOrigins finds out of what octets the strangers of a mailbox were made.
func (c *cycle) readOrigins(ctx context.Context, p *pair) error {
	p.origins = map[string]mailbox.UID{}
	strangers := p.strangers()
	for len(strangers) > 0 {
		uid := strangers[len(strangers)-1] // the oldest of several is taken
		strangers = strangers[:len(strangers)-1]
		_, err := c.item(ctx, p, uid, func(i *mailbox.Item) error {
			digest, err := c.originOf(ctx, i)
			p.origins[digest] = uid
			return err
		})
		if err != nil {
			return err
		}
	}
	delete(p.origins, "")
	return nil
}

// originOf returns the digest of what a local message was made of, "" if of nothing.
func (c *cycle) originOf(ctx context.Context, i *mailbox.Item) (string, error) {
	if e := c.known(i.ID()); e != nil && e.Digest != "" {
		return e.Digest, nil
	}
	return madeOf(ctx, i)
}

// known returns an entry of any mailbox with that identity.
func (c *cycle) known(id string) *entry {
	for _, p := range c.pairs {
		if list := p.ledger.id[id]; len(list) > 0 {
			return list[0]
		}
	}
	return nil
}

// madeOf returns the digest of which a local message says that it was made of octets
// with it, "" if it says none.
func madeOf(ctx context.Context, i *mailbox.Item) (string, error) {
	info, err := i.Info()
	if err != nil {
		return "", err
	}
	b, err := i.Body(ctx)
	if err != nil {
		return "", err
	}
	header, err := io.ReadAll(b.Section(0, info.HeaderLen))
	if err := errors.Join(err, b.Close()); err != nil {
		return "", err
	}
	for f := range mime.Fields(header) {
		if f.Is(digestField) {
			return f.Value(), nil
		}
	}
	return "", nil
}

// movedThere moves the local mail if the message on the server is one that vanished
// from another mailbox there.
func (c *cycle) movedThere(ctx context.Context, p *pair, n *newcomer) (bool, error) {
	for _, q := range c.pairs {
		if q == p {
			continue
		}
		for _, e := range q.ledger.digest[n.digest] {
			_, here := q.here(e.Local)
			if e.Remote == 0 || q.look.has(e.Remote) || !here || e.Digest != n.digest {
				continue
			}
			done, err := c.local.Session.Copy(ctx, mailbox.CopyRequest{From: q.box, To: p.box, Set: one(e.Local), Move: true})
			if err != nil || len(done.Dest) != 1 {
				return false, err
			}
			delete(q.rows, e.Local)
			q.ledger.drop(e)
			if err := c.decided(ctx, q, p, done.Dest[0]); err != nil {
				return false, err
			}
			return true, c.join(ctx, p, n, done.Dest[0], e.Flags)
		}
	}
	return false, nil
}

// keep puts messages into the local store, all or none.
func (c *cycle) keep(ctx context.Context, p *pair, list []*newcomer) (err error) {
	var appends []mailbox.Append
	defer func() {
		for _, a := range appends {
			err = errors.Join(err, a.Message.Close())
		}
	}()
	for _, n := range list {
		bits, err := c.bits(ctx, p.flagsThere(n.uid).set())
		if err != nil {
			return err
		}
		m, err := c.local.Service.Receive(ctx, n.opened.page.reader(), mailbox.ReceiveOptions{})
		if err != nil {
			return err
		}
		appends = append(appends, mailbox.Append{Message: m, Flags: bits, Date: n.date})
	}
	receipts, err := c.local.Session.Append(ctx, p.box, appends...)
	if err != nil {
		return err
	}
	for i, n := range list {
		if err := c.join(ctx, p, n, receipts[i].UID, p.flagsThere(n.uid)); err != nil {
			return err
		}
	}
	return nil
}

// join enters that two messages are the same mail.
func (c *cycle) join(ctx context.Context, p *pair, n *newcomer, here mailbox.UID, base flags) error {
	id, err := c.id(ctx, p, here)
	if err != nil {
		return err
	}
	bits, err := c.bits(ctx, base.set())
	if err != nil {
		return err
	}
	p.put(c.local.Session, here, bits)
	p.ledger.add(&entry{Remote: n.uid, Local: here, Flags: base, ID: id, Digest: n.digest})
	return nil
}

// bits returns flags as the local store has them.
func (s *syncer) bits(ctx context.Context, flags flagSet) (bits mailbox.Flags, err error) {
	var words []string
	for _, n := range flags.names() {
		if bit, ok := systemFlags[n]; ok {
			bits |= bit
		} else if !strings.HasPrefix(n, `\`) {
			words = append(words, n)
		}
	}
	if len(words) == 0 {
		return bits, nil
	}
	keywords, err := s.local.Session.FlagsOf(ctx, words)
	return bits | keywords, err
}

// vanished takes note of what is no longer on the server: what another device has
// deleted there is deleted here, all else is kept.
func (c *cycle) vanished(ctx context.Context) error {
	missing := map[*pair][]*entry{}
	for _, p := range c.pairs {
		for _, e := range p.ledger.entries() {
			switch {
			case e.Remote == 0 || p.look.has(e.Remote):
			case e.Local == 0:
				p.ledger.drop(e) // deleted here before
			default:
				missing[p] = append(missing[p], e)
			}
		}
	}
	deleted, err := c.deletedElsewhere(len(missing) > 0)
	if err != nil {
		return err
	}
	for p, list := range missing {
		for _, e := range list {
			if _, ok := deleted[deletionOf(p, e)]; !ok {
				p.ledger.vanish(e)
				continue
			}
			if err := c.deleteHere(ctx, p, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cycle) deleteHere(ctx context.Context, p *pair, e *entry) error {
	if _, err := c.local.Session.Expunge(ctx, p.box, one(e.Local), true); err != nil {
		return err
	}
	delete(p.rows, e.Local)
	p.ledger.drop(e)
	return nil
}
