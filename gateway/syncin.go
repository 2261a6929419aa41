package gateway

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
)

// saveEvery is after how many arrivals the ledger is written. A crash before that
// costs the work on so many, and nothing else.
const saveEvery = 50

// arrivals takes in what is new on the server.
func (c *cycle) arrivals(ctx context.Context) error {
	for _, p := range c.pairs {
		for n, uid := range p.news() {
			if err := c.arrive(ctx, p, uid); err != nil {
				return err
			}
			if n%saveEvery == saveEvery-1 {
				if err := p.ledger.save(c.vault); err != nil {
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

// arrive finds out what a message on the server is, and takes it in if it is new.
func (c *cycle) arrive(ctx context.Context, p *pair, uid imap.UID) error {
	raw := newSpool(c.dir)
	date, ok, err := c.r.fetch(p.far, uid, raw)
	if err == nil && ok {
		err = raw.finish()
	}
	if err == nil && ok {
		err = c.take(ctx, p, uid, raw, date)
	}
	return errors.Join(err, raw.close())
}

func (c *cycle) take(ctx context.Context, p *pair, uid imap.UID, raw *spool, date time.Time) error {
	digest, err := digestOf(raw)
	if err != nil {
		return err
	}
	if e := p.awaited(digest); e != nil {
		e.Remote, e.Digest, e.Gone = uid, digest, false
		return nil
	}
	if p.superfluous(digest) {
		return c.r.remove(p.far, []imap.UID{uid})
	}
	here, err := c.stranger(ctx, p, digest)
	if err != nil {
		return err
	}
	if here != 0 {
		return c.join(ctx, p, uid, here, digest, p.look.messages[uid])
	}
	if done, err := c.movedThere(ctx, p, uid, digest); done || err != nil {
		return err
	}
	here, err = c.append(ctx, p, uid, raw, digest, date)
	if err != nil || here == 0 {
		return err
	}
	return c.join(ctx, p, uid, here, digest, p.look.messages[uid])
}

// awaited returns the entry whose mail has these octets and is not known to be on
// the server: it was uploaded or copied there, or the server has new numbers.
func (p *pair) awaited(digest string) *entry {
	for _, e := range p.ledger.Entries {
		if e.Remote == 0 && e.matches(digest) {
			return e
		}
	}
	return nil
}

// superfluous reports whether these octets are an upload of which another attempt
// has come to the server too.
func (p *pair) superfluous(digest string) bool {
	for _, e := range p.ledger.Entries {
		if e.Remote != 0 && e.Digest != digest && e.attempted(digest) {
			return true
		}
	}
	return false
}

// stranger returns a local message that the ledger does not know and that was made
// of these octets: a cycle was cut off before it wrote the ledger. 0 is none.
func (c *cycle) stranger(ctx context.Context, p *pair, digest string) (mailbox.UID, error) {
	for _, uid := range p.strangers() {
		same := false
		_, err := c.item(ctx, p, uid, func(i *mailbox.Item) error {
			if e := c.known(i.ID()); e != nil && e.Digest != "" {
				same = e.Digest == digest
				return nil
			}
			var err error
			same, err = madeOf(ctx, i, digest)
			return err
		})
		if same || err != nil {
			return uid, err
		}
	}
	return 0, nil
}

// known returns an entry of any mailbox with that identity.
func (c *cycle) known(id string) *entry {
	for _, p := range c.pairs {
		for _, e := range p.ledger.Entries {
			if e.ID == id {
				return e
			}
		}
	}
	return nil
}

// madeOf reports whether a local message says that it was made of octets with that
// digest.
func madeOf(ctx context.Context, i *mailbox.Item, digest string) (bool, error) {
	info, err := i.Info()
	if err != nil {
		return false, err
	}
	b, err := i.Body(ctx)
	if err != nil {
		return false, err
	}
	header, err := io.ReadAll(b.Section(0, info.HeaderLen))
	if err := errors.Join(err, b.Close()); err != nil {
		return false, err
	}
	for f := range mime.Fields(header) {
		if f.Is(digestField) {
			return f.Value() == digest, nil
		}
	}
	return false, nil
}

// movedThere moves the local mail if the message on the server is one that vanished
// from another mailbox there.
func (c *cycle) movedThere(ctx context.Context, p *pair, uid imap.UID, digest string) (bool, error) {
	for _, q := range c.pairs {
		if q == p {
			continue
		}
		for _, e := range q.ledger.Entries {
			_, there := q.look.messages[e.Remote]
			_, here := q.here[e.Local]
			if e.Remote == 0 || there || !here || e.Digest != digest {
				continue
			}
			done, err := c.local.Session.Copy(ctx, mailbox.CopyRequest{From: q.box, To: p.box, Set: one(e.Local), Move: true})
			if err != nil || len(done.Dest) != 1 {
				return false, err
			}
			q.ledger.drop(e)
			delete(q.here, e.Local)
			if err := c.decided(ctx, q, p, done.Dest[0]); err != nil {
				return false, err
			}
			return true, c.join(ctx, p, uid, done.Dest[0], digest, newFlagSet(e.Flags...))
		}
	}
	return false, nil
}

// append opens a message and puts it into the local store. It returns 0 if the message
// has no place in this mailbox, and has been taken out of it on the server.
func (c *cycle) append(ctx context.Context, p *pair, uid imap.UID, raw *spool, digest string, date time.Time) (mailbox.UID, error) {
	o, err := c.opener.open(raw, digest)
	if err != nil {
		return 0, err
	}
	if filed, err := c.file(ctx, p, uid, o.fate); filed || err != nil {
		return 0, errors.Join(err, o.close())
	}
	here, err := c.keep(ctx, p, o.page.reader(), p.look.messages[uid], date)
	return here, errors.Join(err, o.close())
}

func (c *cycle) keep(ctx context.Context, p *pair, mail io.Reader, flags flagSet, date time.Time) (mailbox.UID, error) {
	bits, err := c.bits(ctx, flags)
	if err != nil {
		return 0, err
	}
	m, err := c.local.Service.Receive(ctx, mail, mailbox.ReceiveOptions{})
	if err != nil {
		return 0, err
	}
	receipts, err := c.local.Session.Append(ctx, p.box, mailbox.Append{Message: m, Flags: bits, Date: date})
	if err := errors.Join(err, m.Close()); err != nil {
		return 0, err
	}
	return receipts[0].UID, nil
}

// join enters that two messages are the same mail.
func (c *cycle) join(ctx context.Context, p *pair, uid imap.UID, here mailbox.UID, digest string, base flagSet) error {
	id, err := c.id(ctx, p, here)
	if err != nil {
		return err
	}
	p.here[here] = base
	p.ledger.Entries = append(p.ledger.Entries, &entry{Remote: uid, Local: here, Flags: base.names(), ID: id, Digest: digest})
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

// vanished takes note of what is no longer on the server.
func (c *cycle) vanished(context.Context) error {
	for _, p := range c.pairs {
		for _, e := range append([]*entry(nil), p.ledger.Entries...) {
			_, there := p.look.messages[e.Remote]
			switch {
			case e.Remote == 0 || there:
			case e.Local == 0:
				p.ledger.drop(e) // deleted here before
			default:
				e.Remote, e.Gone = 0, true
			}
		}
	}
	return nil
}
