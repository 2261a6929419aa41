package gateway

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/mailbox"
)

// ledgerKind is where the vault keeps what is synchronised, a record for each mailbox.
const ledgerKind = "sync"

// ledger is what the two sides of one mailbox agreed on last.
type ledger struct {
	Name     string   `json:"name"` // with '/' between levels
	Validity uint32   `json:"validity"`
	ModSeq   uint64   `json:"modseq,omitempty"` // up to which Flags is what the server has
	Entries  []*entry `json:"entries"`
}

// entry pairs a mail on the server with one in the local store.
type entry struct {
	Remote imap.UID    `json:"r,omitempty"` // 0: not there yet, or no longer
	Local  mailbox.UID `json:"l,omitempty"` // 0: deleted here, and to be deleted there
	Flags  []string    `json:"f,omitempty"` // as both sides had them last
	ID     string      `json:"i"`           // of the local mail; copies share it
	Digest string      `json:"d,omitempty"` // of the octets on the server

	// Attempts are the digests of uploads that began. As long as Remote is 0, one of
	// them may have reached the server. A second one that did is removed.
	Attempts []string `json:"a,omitempty"`

	// Gone says that the mail vanished from the server, and nobody here deleted it.
	Gone bool `json:"g,omitempty"`
}

// pending reports whether the mail is yet to come to the server.
func (e *entry) pending() bool { return e.Remote == 0 && !e.Gone && e.Local != 0 }

// matches reports whether octets with that digest are this mail.
func (e *entry) matches(digest string) bool {
	return e.Digest == digest || e.attempted(digest)
}

func (e *entry) attempted(digest string) bool {
	for _, a := range e.Attempts {
		if a == digest {
			return true
		}
	}
	return false
}

// drop removes an entry.
func (l *ledger) drop(e *entry) {
	for i, have := range l.Entries {
		if have == e {
			l.Entries = append(l.Entries[:i:i], l.Entries[i+1:]...)
			return
		}
	}
}

// byRemote and byLocal index the entries.
func (l *ledger) byRemote() map[imap.UID]*entry {
	index := map[imap.UID]*entry{}
	for _, e := range l.Entries {
		if e.Remote != 0 {
			index[e.Remote] = e
		}
	}
	return index
}

func (l *ledger) byLocal() map[mailbox.UID]*entry {
	index := map[mailbox.UID]*entry{}
	for _, e := range l.Entries {
		if e.Local != 0 {
			index[e.Local] = e
		}
	}
	return index
}

// loadLedger returns the ledger of a mailbox, empty if there is none.
func loadLedger(v *vault.Vault, name string) (*ledger, error) {
	l := &ledger{Name: name}
	content, err := v.Get(ledgerKind, name)
	if errors.Is(err, vault.ErrNoRecord) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	if err := json.Unmarshal(content, l); err != nil {
		return nil, fmt.Errorf("%w: a ledger can't be read: %w", vault.ErrDamaged, err)
	}
	return l, nil
}

func (l *ledger) save(v *vault.Vault) error {
	content, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if err := v.Put(ledgerKind, l.Name, content); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}
