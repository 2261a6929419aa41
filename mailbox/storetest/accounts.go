package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var accountCases = []testCase{
	{"account/create", accountCreate},
	{"account/address taken", accountAddressTaken},
	{"account/taken at once", accountTakenAtOnce},
	{"account/id taken", accountIDTaken},
	{"account/unknown", accountUnknown},
	{"account/lookup", accountLookup},
	{"account/list", accountList},
	{"account/list stops", accountListStops},
	{"account/state", accountState},
	{"account/remove", accountRemove},
	{"account/change", accountChange},
}

func accountCreate(e *env) {
	n := newAccount(alice)
	n.Quota = mailbox.Quota{Bytes: 1 << 40, Messages: 7}
	e.must(e.s.CreateAccount(e.ctx, n))
	got := e.getAccount(alice)
	if got.Change == 0 {
		e.Error("a new account has Change 0")
	}
	want := mailbox.Account{ID: alice, Key: n.Key, Quota: n.Quota, Created: today, Seen: today, Change: got.Change}
	equal(e, "account", got, want)

	boxes, err := e.s.Mailboxes(e.ctx, alice)
	e.must(err)
	if len(boxes) != 2 {
		e.Fatalf("got %d mailboxes, want INBOX and Sent", len(boxes))
	}
	equal(e, "INBOX", boxes[0], mailbox.Mailbox{ID: inbox, Name: n.Inbox.Name, UIDNext: 1,
		HighestModSeq: 1, Recent: 1, UIDValidity: boxes[0].UIDValidity})
	equal(e, "Sent", boxes[1], mailbox.Mailbox{ID: sent, Name: sealedName("Sent"), Use: mailbox.UseSent, UIDNext: 1,
		HighestModSeq: 1, Recent: 1, UIDValidity: boxes[1].UIDValidity})

	addresses, err := e.s.Addresses(e.ctx, alice)
	e.must(err)
	equal(e, "addresses", addresses, []mailbox.Address{n.Address})
}

func accountAddressTaken(e *env) {
	e.account(alice)
	n := newAccount(bob)
	n.Address = addressOf(alice)
	e.wantErr(e.s.CreateAccount(e.ctx, n), mailbox.ErrExists)
	_, err := e.s.Account(e.ctx, bob)
	e.wantErr(err, mailbox.ErrNoAccount)
	_, err = e.s.Mailboxes(e.ctx, bob)
	e.wantErr(err, mailbox.ErrNoAccount)
	e.account(bob)
}

// accountTakenAtOnce: whoever hears that an address is taken finds whose it is,
// also if that was made a moment ago.
func accountTakenAtOnce(e *env) {
	const rounds, each = 20, 8
	for round := range mailbox.AccountID(rounds) {
		address := addressOf(1000 + round)
		var makers sync.WaitGroup
		var made atomic.Int32
		for i := range mailbox.AccountID(each) {
			makers.Go(func() {
				n := newAccount(2000 + round*each + i)
				n.Address = address
				err := e.s.CreateAccount(e.ctx, n)
				switch {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, mailbox.ErrExists):
					e.Error(err)
				default:
					if _, err := e.s.Lookup(e.ctx, address.MAC); err != nil {
						e.Errorf("the address is taken, but looking it up gives %v", err)
					}
				}
			})
		}
		makers.Wait()
		if made.Load() != 1 {
			e.Errorf("%d accounts have one address", made.Load())
		}
	}
}

func accountIDTaken(e *env) {
	e.account(alice)
	n := newAccount(alice)
	n.Address = addressOf(bob)
	e.wantErr(e.s.CreateAccount(e.ctx, n), mailbox.ErrExists)
	_, err := e.s.Lookup(e.ctx, n.Address.MAC)
	e.wantErr(err, mailbox.ErrNoAccount)
}

func accountUnknown(e *env) {
	for name, f := range map[string]func() error{
		"Account":            func() error { _, err := e.s.Account(e.ctx, alice); return err },
		"Lookup":             func() error { _, err := e.s.Lookup(e.ctx, seal.AddressMAC{1}); return err },
		"Addresses":          func() error { _, err := e.s.Addresses(e.ctx, alice); return err },
		"Mailboxes":          func() error { _, err := e.s.Mailboxes(e.ctx, alice); return err },
		"SetState":           func() error { return e.s.SetState(e.ctx, alice, mailbox.Disabled) },
		"RemoveAccount":      func() error { return e.s.RemoveAccount(e.ctx, alice) },
		"ReplaceCredentials": func() error { return e.s.ReplaceCredentials(e.ctx, alice, nil, nil, nil) },
		"CreateMailbox":      func() error { _, err := e.s.CreateMailbox(e.ctx, alice, newMailbox("a"), 9); return err },
		"AddKeyword":         func() error { _, err := e.s.AddKeyword(e.ctx, alice, sealedName("k")); return err },
		"SetSubscription":    func() error { return e.s.SetSubscription(e.ctx, alice, sealedName("a"), true, 9) },
	} {
		if err := f(); !errors.Is(err, mailbox.ErrNoAccount) {
			e.Errorf("%s: got error %v, want ErrNoAccount", name, err)
		}
	}
}

func accountLookup(e *env) {
	e.accounts()
	for _, id := range []mailbox.AccountID{alice, bob} {
		want := e.getAccount(id)
		want.Entry = addressOf(id).Entry
		equal(e, "account found", e.lookUp(id), want)
	}
}

func accountList(e *env) {
	const n = 600
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := e.s.CreateAccount(e.ctx, newAccount(mailbox.AccountID(1+i*7%n))); err != nil {
				e.Error(err)
			}
		})
	}
	all.Wait()
	next := mailbox.AccountID(1)
	e.must(e.s.Accounts(e.ctx, func(a mailbox.Account) error {
		if a.ID != next {
			e.Fatalf("got account %d, want %d", a.ID, next)
		}
		next++
		return e.s.SetState(e.ctx, a.ID, mailbox.Active) // the store can be used meanwhile
	}))
	if next != n+1 {
		e.Errorf("listed %d accounts, want %d", next-1, n)
	}
}

func accountListStops(e *env) {
	e.accounts()
	stop, calls := errors.New("enough"), 0
	err := e.s.Accounts(e.ctx, func(mailbox.Account) error {
		calls++
		return stop
	})
	e.wantErr(err, stop)
	if calls != 1 {
		e.Errorf("f was called %d times", calls)
	}
}

func accountState(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	e.must(e.s.SetState(e.ctx, alice, mailbox.Disabled))
	if got := e.getAccount(alice).State; got != mailbox.Disabled {
		e.Errorf("got state %v, want disabled", got)
	}
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0)})
	e.wantErr(err, mailbox.ErrDisabled)
	equal(e, "messages of a disabled account", e.uids(inbox), upTo(1))
	e.must(e.s.SetState(e.ctx, alice, mailbox.Active))
	e.accept(e.message(0))
}

func accountRemove(e *env) {
	e.accounts()
	small, large := e.message(0), e.delivery(alice, inbox, 200<<10)
	small.DeliveryID, large.DeliveryID = []byte("one"), []byte("two")
	other := e.delivery(bob, inbox, 200<<10)
	e.accept(small, large, other)
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("x"), true, 9))
	_, err := e.s.AddKeyword(e.ctx, alice, sealedName("k"))
	e.must(err)

	e.must(e.s.RemoveAccount(e.ctx, alice))
	_, err = e.s.Account(e.ctx, alice)
	e.wantErr(err, mailbox.ErrNoAccount)
	_, err = e.s.Lookup(e.ctx, addressOf(alice).MAC)
	e.wantErr(err, mailbox.ErrNoAccount)
	_, err = e.s.Mailbox(e.ctx, alice, inbox)
	e.wantErr(err, mailbox.ErrNoMailbox)
	e.noBody(alice, small.Blob)
	e.noBody(alice, large.Blob)
	e.hasBody(bob, other.Blob, 200<<10)

	e.account(alice) // as if nothing had been
	subscriptions, err := e.s.Subscriptions(e.ctx, alice)
	e.must(err)
	words, err := e.s.Keywords(e.ctx, alice)
	e.must(err)
	if len(subscriptions)+len(words) != 0 {
		e.Error("a new account has the subscriptions or keywords of the removed one")
	}
	d := e.message(0)
	d.DeliveryID = []byte("one")
	if e.accept(d)[0].Duplicate {
		e.Error("a delivery to the removed account counts for the new one")
	}
}

// accountChange: whatever is changed raises Change, and what changes nothing
// leaves it.
func accountChange(e *env) {
	e.account(alice)
	e.fill(inbox, 3)
	ignore := func(_ any, err error) error { return err }
	keep := func(m *mailbox.Message, _ mailbox.MailboxID, _ mailbox.UID) ([]byte, []byte, error) {
		return m.Key, m.Envelope, nil
	}
	flag := mailbox.FlagChange{Set: set(1), Mode: mailbox.AddFlags, Flags: mailbox.Deleted}
	for _, c := range []struct {
		name string
		want bool
		f    func() error
	}{
		{"Accept", true, func() error { return ignore(e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0)})) }},
		{"CreateMailbox", true, func() error { return ignore(e.s.CreateMailbox(e.ctx, alice, newMailbox("a"), 9)) }},
		{"RenameMailboxes", true, func() error {
			return e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{{ID: 3, Name: sealedName("b")}})
		}},
		{"DeleteMailbox", true, func() error { return e.s.DeleteMailbox(e.ctx, alice, 3) }},
		{"SetSubscription", true, func() error { return e.s.SetSubscription(e.ctx, alice, sealedName("a"), true, 9) }},
		{"AddKeyword", true, func() error { return ignore(e.s.AddKeyword(e.ctx, alice, sealedName("k"))) }},
		{"AddKeyword again", false, func() error { return ignore(e.s.AddKeyword(e.ctx, alice, sealedName("k"))) }},
		{"SetMetadata", true, func() error {
			return e.s.SetMetadata(e.ctx, alice, 0, []mailbox.Annotation{note("a", "1")}, 9)
		}},
		{"TakeRecent", true, func() error { return ignore(e.s.TakeRecent(e.ctx, alice, inbox)) }},
		{"TakeRecent again", false, func() error { return ignore(e.s.TakeRecent(e.ctx, alice, inbox)) }},
		{"StoreFlags", true, func() error { return ignore(e.s.StoreFlags(e.ctx, alice, inbox, flag)) }},
		{"StoreFlags again", false, func() error { return ignore(e.s.StoreFlags(e.ctx, alice, inbox, flag)) }},
		{"Copy", true, func() error {
			return ignore(e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: set(1)}, keep))
		}},
		{"Copy of nothing", false, func() error {
			return ignore(e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: set(99)}, keep))
		}},
		{"Replace", true, func() error { return ignore(e.s.Replace(e.ctx, inbox, 2, e.message(0))) }},
		{"Expunge", true, func() error {
			return ignore(e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(1), Need: mailbox.Deleted}))
		}},
		{"Expunge of nothing", false, func() error {
			return ignore(e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(1), Need: mailbox.Deleted}))
		}},
		{"SetState", true, func() error { return e.s.SetState(e.ctx, alice, mailbox.Disabled) }},
	} {
		if got := e.changed(func() { e.must(c.f()) }); got != c.want {
			e.Errorf("%s: Account.Change rose: %v, want %v", c.name, got, c.want)
		}
	}
}
