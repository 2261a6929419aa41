package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var addressCases = []testCase{
	{"address/add", addressAdd},
	{"address/taken", addressTaken},
	{"address/limits", addressLimits},
	{"address/limits at once", addressLimitsAtOnce},
	{"address/retire", addressRetire},
	{"address/entry", addressEntry},
	{"address/unknown", addressUnknown},
	{"published/publish", publishedPublish},
	{"published/one of each", publishedOneOfEach},
	{"published/gone", publishedGone},
	{"blocked/block", blockedBlock},
	{"blocked/limit", blockedLimit},
	{"days/set", daysSet},
	{"spent/spend", spentSpend},
	{"spent/at once", spentAtOnce},
}

// alias is the nth further address.
func alias(n byte) mailbox.Address {
	return mailbox.Address{MAC: seal.AddressMAC{0xff, n}, Entry: []byte{n}}
}

func (e *env) wantAddresses(id mailbox.AccountID, want ...mailbox.Address) {
	e.Helper()
	got, err := e.s.Addresses(e.ctx, id)
	e.must(err)
	equal(e, "addresses", got, want)
}

func addressAdd(e *env) {
	e.accounts()
	if !e.changed(func() { e.must(e.s.AddAddress(e.ctx, alice, alias(1), 9, 9)) }) {
		e.Error("AddAddress does not raise Account.Change")
	}
	e.must(e.s.AddAddress(e.ctx, alice, alias(2), 9, 9))
	e.wantAddresses(alice, addressOf(alice), alias(1), alias(2))
	e.wantAddresses(bob, addressOf(bob))
	found, err := e.s.Lookup(e.ctx, alias(2).MAC)
	e.must(err)
	if found.ID != alice || !bytes.Equal(found.Entry, alias(2).Entry) {
		e.Errorf("the alias leads to account %v with entry %q", found.ID, found.Entry)
	}
	e.must(e.s.RemoveAccount(e.ctx, alice))
	_, err = e.s.Lookup(e.ctx, alias(1).MAC)
	e.wantErr(err, mailbox.ErrNoAccount)
	e.must(e.s.AddAddress(e.ctx, bob, alias(1), 9, 9)) // that of a removed account is free
}

func addressTaken(e *env) {
	e.accounts()
	e.wantErr(e.s.AddAddress(e.ctx, alice, addressOf(bob), 9, 9), mailbox.ErrExists)
	e.wantErr(e.s.AddAddress(e.ctx, alice, addressOf(alice), 9, 9), mailbox.ErrExists)
	e.wantAddresses(alice, addressOf(alice))
}

func addressLimits(e *env) {
	e.account(alice)
	e.must(e.s.AddAddress(e.ctx, alice, alias(1), 2, 3))
	e.wantErr(e.s.AddAddress(e.ctx, alice, alias(2), 2, 3), mailbox.ErrLimit)
	e.must(e.s.RetireAddress(e.ctx, alice, alias(1).MAC))
	e.must(e.s.AddAddress(e.ctx, alice, alias(2), 2, 3)) // what was refused doesn't count
	e.must(e.s.RetireAddress(e.ctx, alice, alias(2).MAC))
	e.wantErr(e.s.AddAddress(e.ctx, alice, alias(3), 2, 3), mailbox.ErrLimit)
	e.wantAddresses(alice, addressOf(alice))
}

func addressLimitsAtOnce(e *env) {
	e.account(alice)
	var all sync.WaitGroup
	var made atomic.Int32
	for n := range byte(8) {
		all.Go(func() {
			if e.s.AddAddress(e.ctx, alice, alias(n), 4, 99) == nil {
				made.Add(1)
			}
		})
	}
	all.Wait()
	if made.Load() != 3 {
		e.Errorf("%d addresses were added, want 3", made.Load())
	}
}

// addressRetire: an address that was given up receives nothing, and nobody gets it.
func addressRetire(e *env) {
	e.accounts()
	e.must(e.s.AddAddress(e.ctx, alice, alias(1), 9, 9))
	e.must(e.s.Publish(e.ctx, alice, certOf(alias(1), 1)))
	e.wantErr(e.s.RetireAddress(e.ctx, bob, alias(1).MAC), mailbox.ErrGone)
	e.must(e.s.RetireAddress(e.ctx, alice, alias(1).MAC))
	_, err := e.s.Lookup(e.ctx, alias(1).MAC)
	e.wantErr(err, mailbox.ErrNoAccount)
	_, _, err = e.s.FindPublished(e.ctx, certOf(alias(1), 1).WKD)
	e.wantErr(err, mailbox.ErrNoAccount)
	for _, id := range []mailbox.AccountID{alice, bob} {
		e.wantErr(e.s.AddAddress(e.ctx, id, alias(1), 9, 9), mailbox.ErrExists)
	}
	n := newAccount(3003)
	n.Address = alias(1)
	e.wantErr(e.s.CreateAccount(e.ctx, n), mailbox.ErrExists)
	e.wantErr(e.s.RetireAddress(e.ctx, alice, alias(1).MAC), mailbox.ErrGone)
	e.wantErr(e.s.RetireAddress(e.ctx, alice, addressOf(alice).MAC), mailbox.ErrLimit)
	e.wantAddresses(alice, addressOf(alice))
}

func addressEntry(e *env) {
	e.accounts()
	old := addressOf(alice)
	e.wantErr(e.s.SetEntry(e.ctx, alice, old.MAC, []byte("another"), []byte("new")), mailbox.ErrGone)
	e.wantErr(e.s.SetEntry(e.ctx, bob, old.MAC, old.Entry, []byte("new")), mailbox.ErrGone)
	e.must(e.s.SetEntry(e.ctx, alice, old.MAC, old.Entry, []byte("new")))
	e.wantAddresses(alice, mailbox.Address{MAC: old.MAC, Entry: []byte("new")})
}

func addressUnknown(e *env) {
	for name, f := range map[string]func() error{
		"AddAddress":    func() error { return e.s.AddAddress(e.ctx, alice, alias(1), 9, 9) },
		"RetireAddress": func() error { return e.s.RetireAddress(e.ctx, alice, alias(1).MAC) },
		"SetEntry":      func() error { return e.s.SetEntry(e.ctx, alice, alias(1).MAC, nil, nil) },
		"Publish":       func() error { return e.s.Publish(e.ctx, alice, certOf(alias(1), 1)) },
		"Unpublish":     func() error { return e.s.Unpublish(e.ctx, alice, alias(1).MAC) },
		"Block":         func() error { return e.s.Block(e.ctx, alice, blocked(1), 9) },
		"Unblock":       func() error { return e.s.Unblock(e.ctx, alice, blocked(1).MAC) },
		"SetDays":       func() error { return e.s.SetDays(e.ctx, alice, inbox, 1) },
	} {
		e.Log(name)
		e.wantErr(f(), mailbox.ErrNoAccount)
	}
}

// certOf is the nth certificate, published by an address.
func certOf(a mailbox.Address, n byte) mailbox.Published {
	p := mailbox.Published{MAC: a.MAC, Fingerprint: seal.FingerprintMAC{n}, Cert: fmt.Appendf(nil, "certificate %d", n)}
	copy(p.WKD[:], a.MAC[:])
	return p
}

func publishedPublish(e *env) {
	e.accounts()
	first := certOf(addressOf(alice), 1)
	e.must(e.s.Publish(e.ctx, alice, first))
	id, got, err := e.s.FindPublished(e.ctx, first.WKD)
	e.must(err)
	if id != alice {
		e.Errorf("it is published by account %v", id)
	}
	equal(e, "published", got, first)

	second := certOf(addressOf(alice), 2)
	e.must(e.s.Publish(e.ctx, alice, second))
	list, err := e.s.PublishedBy(e.ctx, alice)
	e.must(err)
	equal(e, "published by alice", list, []mailbox.Published{second})
	none, err := e.s.PublishedBy(e.ctx, bob)
	e.must(err)
	equal(e, "published by bob", none, nil)
	e.must(e.s.Publish(e.ctx, bob, certOf(addressOf(bob), 1))) // it is free again
}

// publishedOneOfEach: two addresses with one certificate would be known for one
// person's.
func publishedOneOfEach(e *env) {
	e.accounts()
	e.must(e.s.AddAddress(e.ctx, alice, alias(1), 9, 9))
	first := certOf(addressOf(alice), 1)
	e.must(e.s.Publish(e.ctx, alice, first))
	e.must(e.s.Publish(e.ctx, alice, first)) // by the same address again
	same := certOf(alias(1), 1)
	e.wantErr(e.s.Publish(e.ctx, alice, same), mailbox.ErrExists)
	e.wantErr(e.s.Publish(e.ctx, bob, certOf(addressOf(bob), 1)), mailbox.ErrExists)
	hash := certOf(addressOf(bob), 2)
	hash.WKD = first.WKD
	e.wantErr(e.s.Publish(e.ctx, bob, hash), mailbox.ErrExists)
	e.wantErr(e.s.Publish(e.ctx, bob, certOf(alias(1), 3)), mailbox.ErrGone)
	e.must(e.s.Publish(e.ctx, alice, certOf(alias(1), 4)))
	e.wantErr(e.s.Publish(e.ctx, alice, same), mailbox.ErrExists)
	list, err := e.s.PublishedBy(e.ctx, alice)
	e.must(err)
	slices.SortFunc(list, func(a, b mailbox.Published) int { return bytes.Compare(a.Cert, b.Cert) })
	equal(e, "published by alice", list, []mailbox.Published{first, certOf(alias(1), 4)})
}

func publishedGone(e *env) {
	e.account(alice)
	p := certOf(addressOf(alice), 1)
	gone := func() {
		e.Helper()
		_, _, err := e.s.FindPublished(e.ctx, p.WKD)
		e.wantErr(err, mailbox.ErrNoAccount)
	}
	gone()
	e.must(e.s.Publish(e.ctx, alice, p))
	e.must(e.s.SetState(e.ctx, alice, mailbox.Disabled))
	gone()
	e.must(e.s.SetState(e.ctx, alice, mailbox.Active))
	e.must(e.s.Unpublish(e.ctx, alice, p.MAC))
	gone()
	e.must(e.s.Unpublish(e.ctx, alice, p.MAC))
	e.must(e.s.Publish(e.ctx, alice, p))
	e.must(e.s.RemoveAccount(e.ctx, alice))
	gone()
}

// blocked is the nth sender.
func blocked(n byte) mailbox.Blocked {
	return mailbox.Blocked{MAC: seal.SenderMAC{n}, Sealed: []byte{n, n}}
}

func (e *env) wantBlocks(one, other byte, want bool) {
	e.Helper()
	got, err := e.s.Blocks(e.ctx, alice, blocked(one).MAC, blocked(other).MAC)
	e.must(err)
	if got != want {
		e.Errorf("sender %d or %d is blocked: %v, want %v", one, other, got, want)
	}
}

func blockedBlock(e *env) {
	e.accounts()
	e.must(e.s.Block(e.ctx, alice, blocked(1), 9))
	e.must(e.s.Block(e.ctx, alice, blocked(1), 9))
	e.must(e.s.Block(e.ctx, bob, blocked(2), 9))
	e.wantBlocks(1, 7, true)
	e.wantBlocks(7, 1, true)
	e.wantBlocks(2, 7, false)
	list, err := e.s.BlockedBy(e.ctx, alice)
	e.must(err)
	equal(e, "blocked", list, []mailbox.Blocked{blocked(1)})
	e.must(e.s.Unblock(e.ctx, alice, blocked(1).MAC))
	e.must(e.s.Unblock(e.ctx, alice, blocked(1).MAC))
	e.wantBlocks(1, 7, false)
	e.must(e.s.Block(e.ctx, alice, blocked(1), 9))
	e.must(e.s.RemoveAccount(e.ctx, alice))
	e.account(alice)
	e.wantBlocks(1, 7, false)
}

func blockedLimit(e *env) {
	e.account(alice)
	e.must(e.s.Block(e.ctx, alice, blocked(1), 1))
	e.wantErr(e.s.Block(e.ctx, alice, blocked(2), 1), mailbox.ErrLimit)
	e.must(e.s.Block(e.ctx, alice, blocked(1), 1))
	e.wantBlocks(2, 2, false)
}

func daysSet(e *env) {
	e.account(alice)
	e.must(e.s.SetDays(e.ctx, alice, sent, 12))
	equal(e, "days of Sent", e.getMailbox(sent).Days, 12)
	equal(e, "days of INBOX", e.getMailbox(inbox).Days, 0)
	e.must(e.s.SetDays(e.ctx, alice, sent, 0))
	equal(e, "days of Sent", e.getMailbox(sent).Days, 0)
	e.wantErr(e.s.SetDays(e.ctx, alice, 77, 1), mailbox.ErrNoMailbox)
}

// spentSpend gives days that are far off: the sweep at Open forgets those that are over.
func spentSpend(e *env) {
	one, other := mailbox.SpentToken{1}, mailbox.SpentToken{2}
	e.must(e.s.Spend(e.ctx, one, 0))
	e.wantErr(e.s.Spend(e.ctx, one, 0), mailbox.ErrExists)
	e.must(e.s.Spend(e.ctx, other, 50_000))
	e.wantErr(e.s.Spend(e.ctx, other, 60_000), mailbox.ErrExists)
	e.must(e.s.GiveBack(e.ctx, one))
	e.must(e.s.GiveBack(e.ctx, one))
	e.must(e.s.Spend(e.ctx, one, 0))
	e.wantErr(e.s.Spend(e.ctx, other, 0), mailbox.ErrExists)
}

func spentAtOnce(e *env) {
	var all sync.WaitGroup
	var spent atomic.Int32
	for range 8 {
		all.Go(func() {
			if e.s.Spend(e.ctx, mailbox.SpentToken{9}, 50_000) == nil {
				spent.Add(1)
			}
		})
	}
	all.Wait()
	if spent.Load() != 1 {
		e.Errorf("a token was spent %d times", spent.Load())
	}
}
