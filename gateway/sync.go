package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
)

// syncer makes the local store and the provider hold the same mail.
//
// One cycle looks at both sides and carries over what has changed since they last
// agreed, which the ledgers tell. It can be cut off anywhere: mail is recognised by
// the digest of its octets on the server, and by the identity that local copies have
// in common, so that the next cycle finds out how far the last one came. The rules,
// which docs/user.md tells the user:
//
//   - Flags: each flag is as the side has it that changed it.
//   - A mail deleted here is deleted there. One that vanished there stays here, marked as
//     no longer on the server, unless another device of the user's says that it deleted
//     it. If it came here in a cycle that was cut off, and vanished before the next, it
//     counts as new here: nothing is lost, but it may come back.
//   - A mail moved on one side is moved on the other. If both moved it, it is where the
//     server has it, and where it was put here it counts as vanished.
//   - A mail that is new here is encrypted to the user before it goes there.
//   - Of what the user has sent, Sent has one copy for each Message-ID.
//   - Another UIDVALIDITY means that all mail is compared by digest: what is found
//     goes on as before, what is not counts as vanished.
//   - A mailbox made or renamed on one side is made or renamed on the other; if both
//     renamed it, it has the server's name. One deleted here is deleted there if nothing
//     new is in it. One deleted there is deleted here if nothing is in it; else it stays
//     here, with mail that is no longer on the server, and is made again there for new mail.
type syncer struct {
	vault  *vault.Vault
	local  *Local
	opener *opener
	upload func(w io.Writer, header []byte, body io.Reader) error // encrypts to the user
	dir    string
	log    *slog.Logger

	ledgers map[string]*ledger // by name; nil until the first cycle
	near    map[mailbox.MailboxID]*near
	refused error // what the server did not take of the last cycle's mail; nil: all
}

// pair is a mailbox on both sides, as one cycle sees it.
type pair struct {
	box     mailbox.MailboxID // 0: deleted here
	far     string            // its name on the server
	missing bool              // from the server
	ledger  *ledger
	look    *look
	*near
	origins map[string]mailbox.UID // of strangers, by digest; nil: not read yet
	sent    map[string]mailbox.UID // by Message-ID, of the mailbox for sent mail; nil: not read yet
}

// cycle is one cycle on one connection. It reports whether another one should follow
// at once. After an error the next cycle goes on. Mail that the server refuses is no
// error; it is tried in each cycle, and refused says why it is not there.
func (s *syncer) cycle(ctx context.Context, r *remote) (again bool, err error) {
	c := &cycle{syncer: s, r: r}
	for _, step := range []func(context.Context) error{
		c.match, c.lookAll, c.arrivals, c.lookHere, c.vanished, c.departed, c.uploads, c.flags, c.marks, c.dropEmpty,
	} {
		if err := step(ctx); err != nil {
			return false, fmt.Errorf("sync: %w", err)
		}
	}
	s.refused = errors.Join(c.refused...)
	return c.again, nil
}

// cycle is the state of one cycle.
type cycle struct {
	*syncer
	r     *remote
	pairs []*pair
	again bool // something on the server is yet to be found

	refused []error // what the server said to mail that it did not take
}

// lookAll looks at both sides of every mailbox. A mailbox that was deleted here, and
// has something new there, is made again.
func (c *cycle) lookAll(ctx context.Context) error {
	for _, p := range c.pairs {
		if err := c.lookThere(p); err != nil {
			return err
		}
		if p.box == 0 && len(p.news()) > 0 {
			row, err := c.local.Session.Create(ctx, p.ledger.Name, mailbox.NoUse)
			if err != nil {
				return err
			}
			c.settle(p, row)
		}
	}
	return c.lookHere(ctx)
}

// lookThere looks at the server's side of a mailbox. One that is missing is as if it
// were empty.
func (c *cycle) lookThere(p *pair) error {
	if p.missing {
		p.look = &look{
			seen: seen{validity: p.ledger.Validity}, keeps: func(string) bool { return true },
			messages: map[imap.UID]flags{}, gone: map[imap.UID]bool{},
		}
		return nil
	}
	var err error
	if p.look, err = c.r.look(p.far, p.ledger); err != nil {
		return err
	}
	if p.ledger.Validity != 0 && p.ledger.Validity != p.look.validity {
		p.ledger.renumber()
	}
	p.ledger.Validity = p.look.validity
	return nil
}

// news returns the messages on the server that the ledger does not know.
func (p *pair) news() []imap.UID {
	var list []imap.UID
	for uid := range p.look.messages {
		if p.ledger.remote[uid] == nil {
			list = append(list, uid)
		}
	}
	slices.Sort(list)
	return list
}

// lookHere reads the local side of every mailbox.
func (c *cycle) lookHere(ctx context.Context) error {
	if _, err := c.local.Session.KeywordNames(ctx); err != nil { // so that Names knows them all
		return err
	}
	for _, p := range c.pairs {
		if p.box == 0 {
			p.near = newNear()
			continue
		}
		n := c.syncer.near[p.box]
		if n == nil {
			n = newNear()
			c.syncer.near[p.box] = n
		}
		p.near, p.origins = n, nil
		err := n.refresh(ctx, c.local.Session, p.box)
		if errors.Is(err, mailbox.ErrNoMailbox) {
			delete(c.syncer.near, p.box)
			p.box, p.near = 0, newNear()
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strangers returns the local messages that the ledger does not know.
func (p *pair) strangers() []mailbox.UID {
	var list []mailbox.UID
	for uid := range p.rows {
		if p.ledger.local[uid] == nil {
			list = append(list, uid)
		}
	}
	slices.Sort(list)
	return list
}

func one(uid mailbox.UID) []mailbox.UIDRange { return []mailbox.UIDRange{{Low: uid, High: uid}} }

// item calls f with a local message. It reports false if the message is gone.
func (s *syncer) item(ctx context.Context, p *pair, uid mailbox.UID, f func(*mailbox.Item) error) (found bool, err error) {
	err = s.local.Session.Fetch(ctx, p.box, one(uid), func(i *mailbox.Item) error {
		found = true
		return f(i)
	})
	return found, err
}

// id returns the identity of a local message, "" if it is gone.
func (s *syncer) id(ctx context.Context, p *pair, uid mailbox.UID) (id string, err error) {
	_, err = s.item(ctx, p, uid, func(i *mailbox.Item) error {
		id = i.ID()
		return nil
	})
	return id, err
}
