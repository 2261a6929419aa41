package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/restante/restante/gateway/vault"
)

// Where the vault keeps ledgers: a record for the head of each, and one for each page.
const (
	ledgerKind = "sync"
	pageKind   = "sync-page"
)

// pageEntries is how many entries are written together: what changes of one costs the
// writing of so many, whatever the size of the mailbox.
const pageEntries = 256

func pageName(mailbox string, page int) string { return mailbox + "\x00" + strconv.Itoa(page) }

// save writes what has changed since the last time. Each page is written whole or not at
// all, and the head last. A crash between them loses nothing: an entry that was not
// written is made again, by the digest of its mail.
func (l *ledger) save(v *vault.Vault) error {
	for _, n := range slices.Sorted(maps.Keys(l.dirty)) {
		if err := l.savePage(v, n); err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		delete(l.dirty, n)
	}
	if l.Pages = len(l.pages); l.ledgerHead == l.saved {
		return nil
	}
	if err := putRecord(v, ledgerKind, l.Name, l.ledgerHead); err != nil {
		return err
	}
	l.saved = l.ledgerHead
	return nil
}

func (l *ledger) savePage(v *vault.Vault, n int) error {
	if len(l.pages[n]) == 0 {
		return v.Delete(pageKind, pageName(l.Name, n))
	}
	content, err := json.Marshal(l.pages[n])
	if err != nil {
		return err
	}
	return v.Put(pageKind, pageName(l.Name, n), content)
}

// remove deletes the ledger.
func (l *ledger) remove(v *vault.Vault) error {
	if err := v.Delete(ledgerKind, l.Name); err != nil {
		return fmt.Errorf("remove ledger: %w", err)
	}
	for n := range l.pages {
		if err := v.Delete(pageKind, pageName(l.Name, n)); err != nil {
			return fmt.Errorf("remove ledger: %w", err)
		}
	}
	return nil
}

// rename writes the ledger under another name, before it is gone from the old one.
func (l *ledger) rename(v *vault.Vault, name string) error {
	old := *l
	l.Name = name
	for n := range l.pages {
		l.dirty[n] = true
	}
	if err := l.save(v); err != nil {
		return err
	}
	return old.remove(v)
}

// loadLedgers returns all ledgers by name.
func loadLedgers(v *vault.Vault) (map[string]*ledger, error) {
	all := map[string]*ledger{}
	err := eachRecord(v, ledgerKind, func(name string, head ledgerHead) error {
		l := newLedger(name)
		l.ledgerHead, l.saved = head, head
		all[name] = l
		return l.load(v)
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return all, nil
}

// load reads the pages.
func (l *ledger) load(v *vault.Vault) error {
	l.pages = make([][]*entry, l.Pages)
	for n := range l.pages {
		content, err := v.Get(pageKind, pageName(l.Name, n))
		if errors.Is(err, vault.ErrNoRecord) {
			continue // it has become empty
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(content, &l.pages[n]); err != nil {
			return fmt.Errorf("%w: a ledger can't be read: %w", vault.ErrDamaged, err)
		}
		for _, e := range l.pages[n] {
			e.page = n
			l.index(e)
		}
	}
	return nil
}
