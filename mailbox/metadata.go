package mailbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/restante/restante/mailbox/seal"
)

// The bounds of METADATA.
const (
	MaxEntries    = 256      // of an account with all its mailboxes
	MaxEntryValue = 16 << 10 // octets of a value
	maxEntryName  = 256
)

// Entry is what an owner notes beside a mailbox, or beside the account (RFC 5464).
// Its name begins with "/private/" or "/shared/" and is in lower case.
type Entry struct {
	Name  string
	Value []byte // nil is no entry
}

// Metadata lists the entries of a mailbox by their names; 0 stands for the account
// itself. An entry that does not open is left out and logged.
func (x *Session) Metadata(ctx context.Context, mbox MailboxID) ([]Entry, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	notes, err := own.svc.store.Metadata(ctx, own.id, mbox)
	if err != nil {
		return nil, fmt.Errorf("list metadata: %w", err)
	}
	var list []Entry
	for _, n := range notes {
		e, err := openEntry(own.keys, mbox, n)
		if err != nil {
			own.svc.log.Error("metadata entry does not open", "account", own.id, "mailbox", int64(mbox), "error", err)
			continue
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SetMetadata sets entries of a mailbox, or with 0 of the account, and removes
// those with a nil Value, all or none. Errors: ErrNoMailbox, ErrName for what can't
// be the name of an entry, ErrTooLarge, and ErrLimit beyond MaxEntries.
func (x *Session) SetMetadata(ctx context.Context, mbox MailboxID, entries ...Entry) error {
	own, err := x.use()
	if err != nil {
		return err
	}
	var notes []Annotation
	for _, e := range entries {
		name, err := EntryName(e.Name)
		if err != nil {
			return err
		}
		if len(e.Value) > MaxEntryValue {
			return ErrTooLarge
		}
		notes = append(notes, sealEntry(own.keys, mbox, Entry{name, e.Value}))
	}
	if err := own.svc.store.SetMetadata(ctx, own.id, mbox, notes, MaxEntries); err != nil {
		return fmt.Errorf("set metadata: %w", err)
	}
	return nil
}

// EntryName returns the one form of an entry's name, or ErrName (RFC 5464, 3.2 and
// 5): it is told apart without regard to case.
func EntryName(name string) (string, error) {
	below, private := cutPrefixFold(name, "/private/")
	if !private {
		var shared bool
		if below, shared = cutPrefixFold(name, "/shared/"); !shared {
			return "", ErrName
		}
	}
	if len(name) > maxEntryName || strings.ContainsFunc(name, notInEntries) {
		return "", ErrName
	}
	if strings.HasPrefix(below, "/") || strings.HasSuffix(name, "/") || strings.Contains(below, "//") {
		return "", ErrName
	}
	return strings.ToLower(name), nil
}

func notInEntries(r rune) bool { return r < ' ' || r > '~' || r == '*' || r == '%' }

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// sealEntry seals name and value as one part, bound to the MAC of the name.
func sealEntry(keys *seal.Keys, mbox MailboxID, e Entry) Annotation {
	mac := keys.EntryMAC(int64(mbox), e.Name)
	a := Annotation{MAC: mac[:], Generation: keys.Owner().Generation}
	if e.Value != nil {
		content := append(append([]byte(e.Name), 0), e.Value...)
		a.Sealed = keys.SealNote(entryLabel(mac), content)
	}
	return a
}

func openEntry(keys *seal.Keys, mbox MailboxID, a Annotation) (Entry, error) {
	if len(a.MAC) != len(seal.NameMAC{}) {
		return Entry{}, fmt.Errorf("%w: the MAC of an entry has %d bytes", ErrCorrupt, len(a.MAC))
	}
	mac := seal.NameMAC(a.MAC)
	content, err := keys.OpenNote(entryLabel(mac), a.Sealed)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	name, value, ok := bytes.Cut(content, []byte{0})
	if !ok || keys.EntryMAC(int64(mbox), string(name)) != mac {
		return Entry{}, fmt.Errorf("%w: an entry is not where it was put", ErrCorrupt)
	}
	return Entry{string(name), value}, nil
}

func entryLabel(mac seal.NameMAC) string { return "metadata " + hex.EncodeToString(mac[:]) }
