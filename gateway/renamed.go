package gateway

import (
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
)

// renamedHere renames on the server what was renamed here, with all below it; and the
// ledger, also if the server has done so already.
func (m *matching) renamedHere(context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(m.here)) {
		l := m.ledgerOf(m.here[name])
		if l == nil || l.Name == name || m.ledgers[name] != nil {
			continue
		}
		_, old := m.there[l.Name]
		_, done := m.there[name]
		if old == done {
			continue // the mail in it moves one by one
		}
		if old {
			if err := m.r.rename(m.there[l.Name].name, name); err != nil {
				return err
			}
			if err := m.list(); err != nil { // not every server renames what is below it
				return err
			}
		}
		if err := m.rename(l, name); err != nil {
			return err
		}
	}
	return nil
}

// ledgerOf returns the ledger of a local mailbox, nil if it is new.
func (m *matching) ledgerOf(f mailbox.Folder) *ledger {
	for _, l := range m.ledgers {
		if l.Box == f.ID && l.Local == f.Mailbox.UIDValidity {
			return l
		}
	}
	return nil
}

// folderOf returns the name of a ledger's local mailbox, "" if that is no more.
func (m *matching) folderOf(l *ledger) string {
	for name, f := range m.here {
		if l.Box == f.ID && l.Local == f.Mailbox.UIDValidity {
			return name
		}
	}
	return ""
}

func (m *matching) rename(l *ledger, name string) error {
	delete(m.ledgers, l.Name)
	m.ledgers[name] = l
	return l.rename(m.vault, name)
}

// renamedThere renames here what was renamed on the server.
func (m *matching) renamedThere(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(m.there)) {
		if _, here := m.here[name]; here || m.ledgers[name] != nil {
			continue
		}
		l, err := m.sameAs(m.there[name])
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		if err := m.local.Session.Rename(ctx, m.folderOf(l), name); err != nil {
			return err
		}
		if m.here, err = m.folders(ctx); err != nil { // what is below it has new names too
			return err
		}
		if err := m.rename(l, name); err != nil {
			return err
		}
	}
	return nil
}

// sameAs returns the ledger of a mailbox that is no longer on the server under its
// name, and that this one is: it has the same UIDVALIDITY, and the mail with the
// highest UID of the ledger is in it.
func (m *matching) sameAs(p place) (*ledger, error) {
	for _, name := range slices.Sorted(maps.Keys(m.ledgers)) {
		l := m.ledgers[name]
		if _, there := m.there[name]; there || m.folderOf(l) == "" || len(l.remote) == 0 || name == inboxName {
			continue
		}
		same, err := m.r.holds(p.name, l.Validity, l.remote[slices.Max(slices.Collect(maps.Keys(l.remote)))], m.dir)
		if err != nil {
			return nil, err
		}
		if same {
			return l, nil
		}
	}
	return nil, nil
}

// holds reports whether a mailbox with that UIDVALIDITY has the mail of an entry.
func (r *remote) holds(far string, validity uint32, e *entry, dir string) (bool, error) {
	if err := r.selectBox(far); err != nil {
		return false, err
	}
	if r.valid != validity {
		return false, nil
	}
	list, err := r.fetch(far, []imap.UID{e.Remote}, dir)
	same := false
	for _, m := range list {
		if err == nil {
			var digest string
			digest, err = digestOf(m.raw)
			same = digest == e.Digest
		}
		_ = m.raw.close() // it was only read
	}
	return same, err
}
