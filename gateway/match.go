package gateway

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/restante/restante/mailbox"
)

// match pairs the mailboxes of both sides, by role and then by name, carries over what
// was renamed, and makes those that are missing.
func (c *cycle) match(ctx context.Context) error {
	here, err := c.folders(ctx)
	if err != nil {
		return err
	}
	if c.ledgers == nil {
		if c.syncer.ledgers, err = loadLedgers(c.vault); err != nil {
			return err
		}
		c.syncer.near = map[mailbox.MailboxID]*near{}
	}
	m := &matching{cycle: c, here: here}
	if err := m.list(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{m.renamedHere, m.renamedThere, m.renamedHere, m.pairThere, m.pairHere} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	slices.SortStableFunc(c.pairs, func(a, b *pair) int { return strings.Compare(order(a), order(b)) })
	return nil
}

// order puts INBOX first: that is where people look.
func order(p *pair) string {
	if p.ledger.Name == inboxName {
		return ""
	}
	return p.ledger.Name
}

// folders returns the local mailboxes by name.
func (s *syncer) folders(ctx context.Context) (map[string]mailbox.Folder, error) {
	list, err := s.local.Session.Folders(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]mailbox.Folder{}
	for _, f := range list {
		if f.ID != 0 && f.Name != deviceBox {
			here[f.Name] = f
		}
	}
	return here, nil
}

// matching is the work of match.
type matching struct {
	*cycle
	there map[string]place // by the local name
	here  map[string]mailbox.Folder
}

// list reads what mailboxes the server has.
func (m *matching) list() error {
	there, err := m.r.mailboxes()
	if err != nil {
		return err
	}
	m.name(there)
	return nil
}

// name gives each mailbox on the server its local name: that of the local one with the
// same role, else its own. One whose name is taken then has another.
func (m *matching) name(there []place) {
	m.there = map[string]place{}
	roles := map[mailbox.SpecialUse]string{}
	for _, f := range m.here {
		roles[f.Use] = f.Name
	}
	var others []place
	for _, p := range there {
		if name := roles[p.use]; p.use != mailbox.NoUse && name != "" {
			m.there[name] = p
			continue
		}
		others = append(others, p)
	}
	for _, p := range others {
		name := p.name
		for m.there[name].name != "" {
			name += "_"
		}
		m.there[name] = p
	}
}

// pairThere pairs the mailboxes on the server with local ones.
func (m *matching) pairThere(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(m.there)) {
		p := &pair{far: m.there[name].name, ledger: m.ledger(name)}
		f, ok := m.here[name]
		delete(m.here, name)
		switch {
		case ok:
			m.settle(p, f.Mailbox)
		case p.ledger.Validity == 0:
			row, err := m.local.Session.Create(ctx, name, mailbox.NoUse)
			if err == nil {
				err = m.local.Session.Subscribe(ctx, name, true)
			}
			if err != nil {
				return err
			}
			m.settle(p, row)
		}
		m.pairs = append(m.pairs, p)
	}
	return nil
}

// pairHere takes the local mailboxes that the server does not have: those that are
// new are made there. The ledgers of those that neither side has go.
func (m *matching) pairHere(context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(m.here)) {
		p := &pair{far: name, ledger: m.ledger(name)}
		m.settle(p, m.here[name].Mailbox)
		if p.missing = p.ledger.Validity != 0; !p.missing {
			if err := m.r.create(name); err != nil {
				return err
			}
		}
		m.pairs = append(m.pairs, p)
	}
	used := map[*ledger]bool{}
	for _, p := range m.pairs {
		used[p.ledger] = true
	}
	for name, l := range m.ledgers {
		if used[l] {
			continue
		}
		if err := l.remove(m.vault); err != nil {
			return err
		}
		delete(m.ledgers, name)
	}
	return nil
}

// ledger returns the ledger of that name, empty if it is new.
func (s *syncer) ledger(name string) *ledger {
	if s.ledgers[name] == nil {
		s.ledgers[name] = newLedger(name)
	}
	return s.ledgers[name]
}

// settle says which local mailbox is of the pair. If it is another one than before, of
// the same name, all mail of that one is deleted.
func (s *syncer) settle(p *pair, row mailbox.Mailbox) {
	p.box = row.ID
	if p.ledger.Box == row.ID && p.ledger.Local == row.UIDValidity {
		return
	}
	for _, e := range p.ledger.entries() {
		if e.Local != 0 {
			p.ledger.setLocal(e, 0)
		}
	}
	p.ledger.Box, p.ledger.Local = row.ID, row.UIDValidity
	delete(s.near, row.ID)
}

// dropEmpty deletes the local mailboxes that were deleted on the server, and in which
// nothing is left. One with a role is for the user's client and stays.
func (c *cycle) dropEmpty(ctx context.Context) error {
	folders, err := c.folders(ctx)
	if err != nil {
		return err
	}
	for _, p := range c.pairs {
		f := folders[p.ledger.Name]
		if !p.missing || p.box == 0 || f.Mailbox.Messages > 0 || f.ID != p.box || f.Use != mailbox.NoUse || p.ledger.Name == inboxName {
			continue
		}
		if err := c.local.Session.Delete(ctx, p.ledger.Name); err != nil {
			return err
		}
		if err := c.forgetBox(p); err != nil {
			return err
		}
	}
	return nil
}

// forgetBox removes what is known of a mailbox that both sides have no longer.
func (c *cycle) forgetBox(p *pair) error {
	c.pairs = slices.DeleteFunc(slices.Clone(c.pairs), func(q *pair) bool { return q == p })
	delete(c.ledgers, p.ledger.Name)
	delete(c.syncer.near, p.box)
	return p.ledger.remove(c.vault)
}
