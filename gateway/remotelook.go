package gateway

import (
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// look is what a mailbox on the server holds. With mod-sequences only what has changed
// since the last time was read; all else is as the ledger has it.
type look struct {
	seen
	keeps func(flag string) bool

	since    *ledger            // that of the last time; nil: all was read
	messages map[imap.UID]flags // those that were read
	gone     map[imap.UID]bool  // those of since that are there no longer
	told     bool               // the server said which, by QRESYNC
}

// flags returns the flags of a message, and false if there is none.
func (k *look) flags(uid imap.UID) (flags, bool) {
	if f, ok := k.messages[uid]; ok {
		return f, true
	}
	if k.since == nil || k.gone[uid] {
		return "", false
	}
	e := k.since.remote[uid]
	if e == nil {
		return "", false
	}
	return e.Flags, true
}

func (k *look) has(uid imap.UID) bool {
	_, ok := k.flags(uid)
	return ok
}

// put and take enter what we did ourselves.
func (k *look) put(uid imap.UID, f flags) {
	k.messages[uid] = f
	delete(k.gone, uid)
}

func (k *look) take(uid imap.UID) {
	delete(k.messages, uid)
	k.gone[uid] = true
}

// look reads a mailbox. Of messages that did not change since the ledger was written, it
// takes the flags from there.
func (r *remote) look(local string, l *ledger) (*look, error) {
	condstore := r.client.Caps().Has(imap.CapCondStore)
	selected, err := r.client.Select(r.name(local), &imap.SelectOptions{CondStore: condstore}).Wait()
	if err != nil {
		return nil, fmt.Errorf("select mailbox: %w", err)
	}
	r.open, r.valid = local, selected.UIDValidity
	k := &look{seen: seenOf(selected), messages: map[imap.UID]flags{}, gone: map[imap.UID]bool{}, keeps: permanent(selected.PermanentFlags)}
	if local == inboxName {
		r.inbox = k.seen
	}
	if !condstore || k.modseq == 0 || k.validity != l.Validity || l.ModSeq == 0 {
		return k, r.lookAll(k)
	}
	k.since = l
	if k.seen == (seen{l.Validity, l.Messages, l.Next, l.ModSeq}) && l.Whole {
		return k, nil
	}
	return k, r.lookSince(k, l)
}

// lookAll reads the flags of all messages.
func (r *remote) lookAll(k *look) error {
	if k.count == 0 {
		return nil
	}
	return r.flags(k, 0)
}

// lookSince reads what has come, changed and gone. What the server says of the last is
// believed if it adds up: all that the ledger knows, what has come, and what is gone make
// as many messages as there are. Else they are searched.
func (r *remote) lookSince(k *look, l *ledger) error {
	if k.count > 0 {
		r.qresync.ask()
		err := r.flags(k, l.ModSeq)
		gone, told := r.qresync.told()
		if err != nil {
			return err
		}
		k.vanish(l, gone, told)
		if err := r.arrived(k, l); err != nil {
			return err
		}
	}
	unknown := 0
	for uid := range k.messages {
		if l.remote[uid] == nil {
			unknown++
		}
	}
	if l.Whole && int(k.count) == len(l.remote)-len(k.gone)+unknown {
		return nil
	}
	clear(k.gone)
	k.told = false
	return r.vanished(k, l)
}

// vanish enters what the server told to be gone.
func (k *look) vanish(l *ledger, gone imap.UIDSet, told bool) {
	k.told = told
	for uid := range l.remote {
		if gone.Contains(uid) {
			k.gone[uid] = true
		}
	}
}

// arrived fills in which messages have come. Some servers give them no mod-sequence of
// their own.
func (r *remote) arrived(k *look, l *ledger) error {
	if k.next == l.Next {
		return nil
	}
	uids, err := r.search(&imap.SearchCriteria{UID: []imap.UIDSet{{{Start: l.Next, Stop: 0}}}})
	for _, uid := range uids {
		// "n:*" always names the last message, even if it is below n.
		if _, known := k.messages[uid]; !known && uid >= l.Next {
			k.messages[uid] = ""
		}
	}
	return err
}

// vanished fills in which messages of the ledger are there no longer.
func (r *remote) vanished(k *look, l *ledger) error {
	uids, err := r.search(&imap.SearchCriteria{})
	if err != nil {
		return err
	}
	slices.Sort(uids)
	for uid := range l.remote {
		if _, there := slices.BinarySearch(uids, uid); !there {
			k.gone[uid] = true
		}
	}
	for _, uid := range uids { // one that the ledger has lost
		if l.remote[uid] == nil && !k.has(uid) {
			k.messages[uid] = ""
		}
	}
	return nil
}

// search returns which messages are found. Where it can (RFC 4731), the server answers with ranges.
func (r *remote) search(c *imap.SearchCriteria) ([]imap.UID, error) {
	var o *imap.SearchOptions
	if r.client.Caps().Has(imap.CapESearch) {
		o = &imap.SearchOptions{ReturnAll: true}
	}
	found, err := r.client.UIDSearch(c, o).Wait()
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return found.AllUIDs(), nil
}

// flags fills in the flags that have changed since a mod-sequence, or all.
func (r *remote) flags(k *look, since uint64) error {
	cmd := r.client.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true, ChangedSince: since})
	var fault error
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		data, err := m.Collect()
		if err != nil {
			fault = errors.Join(fault, err)
			continue
		}
		k.messages[data.UID] = flagSetOf(data.Flags).flags()
	}
	if err := errors.Join(fault, cmd.Close()); err != nil {
		return fmt.Errorf("fetch flags: %w", err)
	}
	return nil
}

// permanent returns which flags the server keeps (RFC 9051, 7.1). A server that does
// not say keeps all; so does one that takes new keywords, though some of those list
// only flags that are in use.
func permanent(list []imap.Flag) func(string) bool {
	if len(list) == 0 {
		return func(string) bool { return true }
	}
	s := flagSetOf(list)
	return func(name string) bool { return s[name] || s[`\*`] }
}
