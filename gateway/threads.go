package gateway

import (
	"slices"
	"strings"
	"sync"

	"github.com/restante/restante/gateway/vault"
	"github.com/restante/restante/internal/addr"
)

// threadKind is where the vault keeps which mails came and went by which address of the
// user's, a record for each address.
const threadKind = "thread"

// maxThreadMails is how many mails are remembered for each address.
const maxThreadMails = 500

// maxThreadID is the longest Message-ID that is remembered.
const maxThreadID = 500

// threads remember by which of the user's addresses mails have come and gone, so that an
// answer goes out by the same one; and the ids that the user's mail client has given to
// mails that went out with others. They are safe for concurrent use.
type threads struct {
	vault *vault.Vault

	mu        sync.Mutex
	byAddress map[string]thread // by addr.Address.Key
}

// thread is what is remembered of one address.
type thread struct {
	Address string       `json:"address"`
	Mails   []threadMail `json:"mails"` // the last ones
}

type threadMail struct {
	ID     string `json:"id"`
	Client string `json:"client,omitempty"` // what the user's client calls it, if it does so by another id
}

func openThreads(v *vault.Vault) (*threads, error) {
	t := &threads{vault: v, byAddress: map[string]thread{}}
	err := eachRecord(v, threadKind, func(name string, x thread) error {
		t.byAddress[name] = x
		return nil
	})
	return t, err
}

// note remembers a mail that came or goes by an address. client is its id in the user's
// mail client, "" if that is the same.
func (t *threads) note(a addr.Address, id, client string) error {
	if id == "" || len(id) > maxThreadID {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.byAddress[a.Key()]
	if slices.ContainsFunc(x.Mails, func(m threadMail) bool { return m.ID == id }) {
		return nil
	}
	mails := append(slices.Clone(x.Mails), threadMail{id, client})
	if n := len(mails) - maxThreadMails; n > 0 {
		mails = slices.Delete(mails, 0, n)
	}
	x = thread{a.String(), mails}
	if err := putRecord(t.vault, threadKind, a.Key(), x); err != nil {
		return err
	}
	t.byAddress[a.Key()] = x
	return nil
}

// address returns by which address the mails with those ids came and went, the zero
// Address if none is known. Of several the one that is named last counts: References ends
// with the mail that is answered. The error is ErrLinks if that came by two addresses:
// somebody wants to see which of them answers.
func (t *threads) address(ids []string) (addr.Address, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range slices.Backward(ids) {
		switch found := t.withLocked(id); len(found) {
		case 0:
		case 1:
			return addr.Parse(found[0])
		default:
			return addr.Address{}, ErrLinks
		}
	}
	return addr.Address{}, nil
}

// withLocked returns the addresses by which a mail came and went.
func (t *threads) withLocked(id string) (list []string) {
	for _, x := range t.byAddress {
		if slices.ContainsFunc(x.Mails, func(m threadMail) bool { return m.ID == id || m.Client == id }) {
			list = append(list, x.Address)
		}
	}
	return list
}

// outward puts the ids that mails went out with in the place of those of the user's client.
func (t *threads) outward(value string) string {
	return t.rename(value, func(m threadMail) (string, string) { return m.Client, m.ID })
}

// inward is the reverse of outward.
func (t *threads) inward(value string) string {
	return t.rename(value, func(m threadMail) (string, string) { return m.ID, m.Client })
}

func (t *threads) rename(value string, names func(threadMail) (from, to string)) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.byAddress {
		for _, m := range x.Mails {
			if m.Client == "" {
				continue
			}
			from, to := names(m)
			value = strings.ReplaceAll(value, from, to)
		}
	}
	return value
}
