package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

// The vault's kinds for outgoing mail: an item for each mail, which is what makes it
// ours, and a blob for each message that it becomes.
const (
	outboxKind = "outbox"
	outgoKind  = "outgoing message"
)

// Outgoing is a mail that was accepted from the user's client and is not yet with
// the provider. It is in the vault from before the client hears "250" until the
// provider has said it.
type Outgoing struct {
	ID       string    `json:"id"`
	From     string    `json:"from"`
	Subject  string    `json:"subject"` // as in the header
	Accepted time.Time `json:"accepted"`
	Parts    []Part    `json:"parts"`

	Attempts int       `json:"attempts,omitempty"`
	Next     time.Time `json:"next"`              // not before
	Trouble  string    `json:"trouble,omitempty"` // of the last attempt, for the user
}

// Part is one message of an outgoing mail, with its recipients.
type Part struct {
	To   []string `json:"to"`
	Blob string   `json:"blob"`
	Done bool     `json:"done,omitempty"` // the provider has it
	Lost string   `json:"lost,omitempty"` // why it never will
}

func (p Part) settled() bool { return p.Done || p.Lost != "" }

// outbox keeps outgoing mail in the vault.
type outbox struct {
	vault *vault.Vault
	dir   string // for spools
}

// draft is one message of a mail before it is encrypted.
type draft struct {
	to    []addr.Address
	write func(io.Writer) error // writes it, encrypted
}

// put keeps a mail of the user's client: every message encrypted, or, after an error,
// none.
func (b *outbox) put(o *outgoing, k keys) (Outgoing, error) {
	var drafts []draft
	for _, m := range o.messages() {
		drafts = append(drafts, draft{m.to, func(w io.Writer) error { return o.compose(w, m, k) }})
	}
	return b.add(o.from, o.message.Envelope.Subject, drafts, k.now)
}

// add keeps a mail, durably: every message of it, or, after an error, none.
func (b *outbox) add(from addr.Address, subject string, drafts []draft, now time.Time) (Outgoing, error) {
	item := Outgoing{ID: rand.Text(), From: from.String(), Subject: subject, Accepted: now, Next: now}
	for _, d := range drafts {
		part := Part{Blob: item.ID + "/" + rand.Text()}
		for _, a := range d.to {
			part.To = append(part.To, a.String())
		}
		item.Parts = append(item.Parts, part) // so that drop finds a blob half written
		if err := b.putMessage(part.Blob, d); err != nil {
			return Outgoing{}, errors.Join(err, b.drop(item))
		}
	}
	if err := b.save(item); err != nil {
		return Outgoing{}, errors.Join(err, b.drop(item))
	}
	return item, nil
}

func (b *outbox) putMessage(blob string, d draft) error {
	s := newSpool(b.dir)
	err := d.write(s)
	if err == nil {
		err = s.finish()
	}
	if err == nil {
		err = b.vault.PutBlob(outgoKind, blob, s.reader(0), s.size)
	}
	return errors.Join(err, s.close())
}

// save writes the item's state.
func (b *outbox) save(item Outgoing) error {
	content, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	if err := b.vault.Put(outboxKind, item.ID, content); err != nil {
		return fmt.Errorf("write outbox: %w", err)
	}
	return nil
}

// drop removes an item: first what names its messages, then those.
func (b *outbox) drop(item Outgoing) error {
	err := b.vault.Delete(outboxKind, item.ID)
	for _, p := range item.Parts {
		err = errors.Join(err, b.vault.Delete(outgoKind, p.Blob))
	}
	return err
}

// list returns all items, the oldest first.
func (b *outbox) list() ([]Outgoing, error) {
	var list []Outgoing
	err := b.vault.Each(outboxKind, func(_ string, content []byte) error {
		var item Outgoing
		if err := json.Unmarshal(content, &item); err != nil {
			return fmt.Errorf("%w: a mail in the outbox can't be read: %w", vault.ErrDamaged, err)
		}
		list = append(list, item)
		return nil
	})
	slices.SortFunc(list, func(x, y Outgoing) int {
		return cmp.Or(x.Accepted.Compare(y.Accepted), cmp.Compare(x.ID, y.ID))
	})
	return list, err
}

// sweep removes messages that no item names: a crash came before the item was
// written, or after it was removed.
func (b *outbox) sweep() error {
	items, err := b.list()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, item := range items {
		for _, p := range item.Parts {
			wanted[p.Blob] = true
		}
	}
	return b.vault.SweepBlobs(outgoKind, func(name string) bool { return wanted[name] })
}

// recipients returns the addresses of a part.
func (p Part) recipients() ([]addr.Address, error) {
	var list []addr.Address
	for _, text := range p.To {
		a, err := addr.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: a recipient in the outbox", vault.ErrDamaged)
		}
		list = append(list, a)
	}
	return list, nil
}
