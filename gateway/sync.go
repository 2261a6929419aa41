package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
)

// syncer makes the local store and the provider hold the same mail.
//
// One cycle looks at both sides and carries over what has changed since they last
// agreed, which the ledgers tell. It can be cut off anywhere: mail is recognised by
// the digest of its octets on the server, and by the identity that local copies have
// in common, so that the next cycle finds out how far the last one came. The rules:
//
//   - Flags: each flag is as the side has it that changed it.
//   - A mail deleted here is deleted there. One that vanished there, and was not
//     deleted here, stays here and is marked as no longer on the server. If it came
//     here in a cycle that was cut off, and vanished before the next, it counts as new
//     here: nothing is lost, but it may come back.
//   - A mail moved on one side is moved on the other. If both moved it, it is where the
//     server has it, and where it was put here it counts as vanished.
//   - A mail that is new here is encrypted to the user before it goes there.
//   - Another UIDVALIDITY means that all mail is compared by digest: what is found
//     goes on as before, what is not counts as vanished.
//   - A mailbox made on one side is made on the other. One deleted here is deleted
//     there if nothing new is in it. One deleted there is made again.
type syncer struct {
	vault  *vault.Vault
	local  *Local
	opener *opener
	upload func(w io.Writer, header []byte, body io.Reader) error // encrypts to the user
	dir    string
	log    *slog.Logger
}

// pair is a mailbox on both sides, as one cycle sees it.
type pair struct {
	box    mailbox.MailboxID // 0: deleted here
	far    string            // its name on the server
	ledger *ledger
	look   *look
	here   map[mailbox.UID]flagSet
	marked map[mailbox.UID]bool // those with goneKeyword
}

// cycle is one cycle on one connection. It reports whether another one should follow
// at once. After an error the next cycle goes on.
func (s *syncer) cycle(ctx context.Context, r *remote) (again bool, err error) {
	pairs, err := s.pairs(ctx, r)
	if err != nil {
		return false, fmt.Errorf("sync: %w", err)
	}
	c := &cycle{syncer: s, r: r, pairs: pairs}
	for _, step := range []func(context.Context) error{c.lookAll, c.arrivals, c.lookHere, c.vanished, c.departed, c.uploads, c.flags, c.marks} {
		if err := step(ctx); err != nil {
			return false, fmt.Errorf("sync: %w", err)
		}
	}
	return c.again, nil
}

// cycle is the state of one cycle.
type cycle struct {
	*syncer
	r     *remote
	pairs []*pair
	again bool // something on the server is yet to be found
}

// pairs matches the mailboxes of both sides, by role and then by name, and makes
// those that are missing.
func (s *syncer) pairs(ctx context.Context, r *remote) ([]*pair, error) {
	there, err := r.mailboxes()
	if err != nil {
		return nil, err
	}
	here, err := s.folders(ctx)
	if err != nil {
		return nil, err
	}
	var pairs []*pair
	for _, p := range there {
		pr, err := s.pairThere(ctx, p, here)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pr)
	}
	for _, name := range slices.Sorted(maps.Keys(here)) { // what is left
		if err := r.create(name); err != nil {
			return nil, err
		}
		l, err := loadLedger(s.vault, name)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, &pair{box: here[name].ID, far: name, ledger: l})
	}
	return pairs, nil
}

// folders returns the local mailboxes by name.
func (s *syncer) folders(ctx context.Context) (map[string]mailbox.Folder, error) {
	list, err := s.local.Session.Folders(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]mailbox.Folder{}
	for _, f := range list {
		if f.ID != 0 {
			here[f.Name] = f
		}
	}
	return here, nil
}

// pairThere finds the local mailbox for one on the server and takes it out of here.
func (s *syncer) pairThere(ctx context.Context, p place, here map[string]mailbox.Folder) (*pair, error) {
	name := p.name
	for _, f := range here {
		if p.use != mailbox.NoUse && f.Use == p.use {
			name = f.Name
		}
	}
	l, err := loadLedger(s.vault, name)
	if err != nil {
		return nil, err
	}
	f, ok := here[name]
	delete(here, name)
	if ok || l.Validity != 0 {
		return &pair{box: f.ID, far: p.name, ledger: l}, nil
	}
	row, err := s.local.Session.Create(ctx, name, mailbox.NoUse)
	if err == nil {
		err = s.local.Session.Subscribe(ctx, name, true)
	}
	return &pair{box: row.ID, far: p.name, ledger: l}, err
}

// lookAll looks at both sides of every mailbox. A mailbox that was deleted here, and
// has something new there, is made again.
func (c *cycle) lookAll(ctx context.Context) error {
	for _, p := range c.pairs {
		var err error
		if p.look, err = c.r.look(p.far, p.ledger); err != nil {
			return err
		}
		if p.ledger.Validity != 0 && p.ledger.Validity != p.look.validity {
			p.forget()
		}
		p.ledger.Validity = p.look.validity
		if p.box == 0 && len(p.news()) > 0 {
			row, err := c.local.Session.Create(ctx, p.ledger.Name, mailbox.NoUse)
			if err != nil {
				return err
			}
			p.box = row.ID
		}
	}
	return c.lookHere(ctx)
}

// forget takes every mail as vanished: the server numbers them anew. Those that are
// still there come back as arrivals.
func (p *pair) forget() {
	for _, e := range p.ledger.Entries {
		if e.Remote != 0 {
			e.Remote, e.Gone = 0, e.Local != 0
		}
	}
}

// news returns the messages on the server that the ledger does not know.
func (p *pair) news() []imap.UID {
	known := p.ledger.byRemote()
	var list []imap.UID
	for uid := range p.look.messages {
		if known[uid] == nil {
			list = append(list, uid)
		}
	}
	slices.Sort(list)
	return list
}

// lookHere reads the local side of every mailbox.
func (c *cycle) lookHere(ctx context.Context) error {
	x := c.local.Session
	if _, err := x.KeywordNames(ctx); err != nil { // so that Names knows them all
		return err
	}
	for _, p := range c.pairs {
		p.here, p.marked = map[mailbox.UID]flagSet{}, map[mailbox.UID]bool{}
		if p.box == 0 {
			continue
		}
		ch, err := x.Changes(ctx, p.box, 0)
		if errors.Is(err, mailbox.ErrNoMailbox) {
			p.box = 0
			continue
		}
		if err != nil {
			return err
		}
		for _, row := range ch.Rows {
			p.here[row.UID] = localFlags(x, row.Flags)
			for _, n := range x.Names(row.Flags) {
				p.marked[row.UID] = p.marked[row.UID] || strings.EqualFold(n, goneKeyword)
			}
		}
	}
	return nil
}

// strangers returns the local messages that the ledger does not know.
func (p *pair) strangers() []mailbox.UID {
	known := p.ledger.byLocal()
	var list []mailbox.UID
	for uid := range p.here {
		if known[uid] == nil {
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
