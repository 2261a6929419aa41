package mailbox

import (
	"context"
	"fmt"
	"maps"

	"github.com/restante/restante/mailbox/seal"
)

// dictionary is an account's keywords as of some moment. It never changes; entries
// of the store's dictionary are only ever replaced when no message carries them.
type dictionary struct {
	epoch uint64 // of the account, before it was read
	names [MaxKeywords]string
	bits  map[seal.NameMAC]int
}

// KeywordNames lists the keywords of the account's dictionary, each spelled as it
// was first.
func (x *Session) KeywordNames(ctx context.Context) ([]string, error) {
	own, err := x.use()
	if err != nil {
		return nil, err
	}
	if err := own.loadWords(ctx); err != nil {
		return nil, err
	}
	return own.words.Load().spell(^Flags(0)), nil
}

// FlagsOf returns the flags of keywords, which are told apart without regard to
// case, and adds those that are new to the dictionary. The error is ErrLimit
// when that is full, ErrName for a word that can't be a keyword.
func (x *Session) FlagsOf(ctx context.Context, keywords []string) (Flags, error) {
	own, err := x.use()
	if err != nil {
		return 0, err
	}
	var flags Flags
	for _, w := range keywords {
		f, err := own.flagOf(ctx, w)
		if err != nil {
			return 0, err
		}
		flags |= f
	}
	return flags, nil
}

// Names returns the names of the keywords among f, in order of their bits. It
// reads no store: Open, Refresh and FlagsOf keep the dictionary fresh.
func (x *Session) Names(f Flags) []string { return x.own.words.Load().spell(f) }

func (own *owner) flagOf(ctx context.Context, word string) (Flags, error) {
	folded, err := cleanKeyword(word)
	if err != nil {
		return 0, err
	}
	own.wordsMu.Lock()
	defer own.wordsMu.Unlock()
	if err := own.loadWordsLocked(ctx); err != nil {
		return 0, err
	}
	mac := own.keys.KeywordMAC(folded) // and it is sealed as it is spelled
	if n, ok := own.words.Load().bits[mac]; ok {
		return KeywordFlag(n), nil
	}
	k, err := own.svc.store.AddKeyword(ctx, own.id, sealKeyword(own.keys, folded, word))
	if err != nil {
		return 0, fmt.Errorf("add keyword: %w", err)
	}
	d := own.words.Load().clone()
	d.put(own, k)
	own.words.Store(d)
	return KeywordFlag(k.N), nil
}

// sealKeyword seals a spelling of a keyword, to be found by its folded form.
func sealKeyword(keys *seal.Keys, folded, word string) SealedName {
	mac := keys.KeywordMAC(folded)
	return SealedName{MAC: mac[:], Sealed: keys.SealKeyword(mac, word), Generation: keys.Owner().Generation}
}

// learnWords reads the dictionary if any of the messages has a keyword.
func (own *owner) learnWords(ctx context.Context, rows []Row) error {
	var flags Flags
	for i := range rows {
		flags |= rows[i].Flags
	}
	if flags&^SystemFlags == 0 {
		return nil
	}
	return own.loadWords(ctx)
}

// loadWords reads the dictionary if the account has changed since the last time.
func (own *owner) loadWords(ctx context.Context) error {
	own.wordsMu.Lock()
	defer own.wordsMu.Unlock()
	return own.loadWordsLocked(ctx)
}

func (own *owner) loadWordsLocked(ctx context.Context) error {
	d := &dictionary{epoch: own.epoch.Load(), bits: map[seal.NameMAC]int{}}
	if own.words.Load().epoch == d.epoch {
		return nil
	}
	list, err := own.svc.store.Keywords(ctx, own.id)
	if err != nil {
		return fmt.Errorf("list keywords: %w", err)
	}
	for _, k := range list {
		d.put(own, k)
	}
	own.words.Store(d)
	return nil
}

func (d *dictionary) clone() *dictionary {
	c := *d
	c.bits = maps.Clone(d.bits)
	return &c
}

// put takes an entry of the store's dictionary in. One that does not open is left
// out: its messages are shown without that keyword.
func (d *dictionary) put(own *owner, k Keyword) {
	if len(k.Name.MAC) != len(seal.NameMAC{}) || k.N < 0 || k.N >= MaxKeywords {
		own.svc.log.Error("keyword entry is damaged", "account", own.id, "entry", k.N)
		return
	}
	mac := seal.NameMAC(k.Name.MAC)
	word, err := own.keys.OpenKeyword(mac, k.Name.Sealed)
	if err != nil {
		own.svc.log.Error("keyword entry does not open", "account", own.id, "entry", k.N, "error", err)
		return
	}
	maps.DeleteFunc(d.bits, func(_ seal.NameMAC, n int) bool { return n == k.N })
	d.names[k.N], d.bits[mac] = word, k.N
}

func (d *dictionary) spell(f Flags) []string {
	if f&^SystemFlags == 0 {
		return nil
	}
	var list []string
	for n, name := range d.names {
		if name != "" && f&KeywordFlag(n) != 0 {
			list = append(list, name)
		}
	}
	return list
}
