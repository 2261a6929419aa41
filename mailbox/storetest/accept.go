package storetest

import (
	"errors"
	"sync"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var acceptCases = []testCase{
	{"accept/receipts", acceptReceipts},
	{"accept/several accounts", acceptSeveral},
	{"accept/nothing", acceptNothing},
	{"accept/what is stored", acceptStored},
	{"accept/replaced key", acceptReplacedKey},
	{"accept/bound", acceptBound},
	{"accept/bound in vain", acceptUnbound},
}

var refuseCases = []testCase{
	{"accept/all or nothing", acceptAllOrNothing},
	{"accept/quota of bytes", acceptQuotaBytes},
	{"accept/quota of messages", acceptQuotaMessages},
	{"accept/bodies not ready", acceptNotReady},
}

var dedupCases = []testCase{
	{"dedup/again", dedupAgain},
	{"dedup/after the message is gone", dedupGone},
	{"dedup/in one slice", dedupSlice},
	{"dedup/window", dedupWindow},
	{"dedup/over quota", dedupOverQuota},
	{"dedup/at once", dedupAtOnce},
}

func acceptReceipts(e *env) {
	e.account(alice)
	validity := e.getMailbox(inbox).UIDValidity
	for i, f := range []mailbox.Flags{0, mailbox.Seen, mailbox.Seen | mailbox.Deleted, mailbox.Deleted} {
		got := e.accept(e.message(f))
		equal(e, "receipt", got, []mailbox.Receipt{{UIDValidity: validity, UID: mailbox.UID(i + 1), ModSeq: mailbox.ModSeq(i + 2)}})
	}
	m := e.getMailbox(inbox)
	equal(e, "mailbox", m, mailbox.Mailbox{ID: inbox, Name: m.Name, UIDValidity: validity, UIDNext: 5, HighestModSeq: 5,
		Messages: 4, Unseen: 2, Deleted: 2, Size: 4 * rowSize, Recent: 1})
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{Bytes: 4 * rowSize, Messages: 4})
}

func acceptSeveral(e *env) {
	e.accounts()
	rs := e.accept(e.delivery(alice, inbox, bodySize), e.delivery(bob, inbox, bodySize),
		e.delivery(alice, inbox, bodySize), e.delivery(alice, sent, bodySize))
	var uids []mailbox.UID
	for _, r := range rs {
		uids = append(uids, r.UID)
	}
	equal(e, "UIDs", uids, []mailbox.UID{1, 1, 2, 1})
	equal(e, "bob's", e.getAccount(bob).Used.Messages, int64(1))
}

// acceptBound: what the owner's session brings is at stage 1 in its place at once.
func acceptBound(e *env) {
	e.account(alice)
	e.fill(inbox, 2)
	d := e.message(0)
	d.Key, d.Envelope = nil, nil
	d.Bind = func(uid mailbox.UID) (key, envelope []byte, err error) {
		return []byte(resealed(d.Blob, inbox, uid)), []byte("envelope " + resealed(d.Blob, inbox, uid)), nil
	}
	equal(e, "UID", e.accept(d)[0].UID, 3)
	m := e.messages(inbox)[2]
	equal(e, "stage", m.Stage, mailbox.StageWrapped)
	equal(e, "key", string(m.Key), resealed(d.Blob, inbox, 3))
	equal(e, "envelope", string(m.Envelope), "envelope "+resealed(d.Blob, inbox, 3))
}

func acceptUnbound(e *env) {
	e.account(alice)
	wrong := errors.New("it can't be bound")
	d, other := e.message(0), e.message(0)
	d.Bind = func(mailbox.UID) (key, envelope []byte, err error) { return nil, nil, wrong }
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{other, d})
	e.wantErr(err, wrong)
	e.noBody(alice, d.Blob)
	equal(e, "UIDs", e.uids(inbox), nil)
	equal(e, "next UID", e.accept(e.message(0))[0].UID, 1)
}

func acceptNothing(e *env) {
	e.account(alice)
	if e.changed(func() { e.accept() }) {
		e.Error("accepting nothing changed the account")
	}
}

func acceptStored(e *env) {
	a := newAccount(alice)
	a.Key.Generation = 7
	e.must(e.s.CreateAccount(e.ctx, a))
	d := e.message(mailbox.Flagged | mailbox.KeywordFlag(mailbox.MaxKeywords-1))
	d.Generation, d.Day = 7, today+3
	e.accept(d)
	equal(e, "message", e.messages(inbox), []mailbox.Message{{
		Row:     mailbox.Row{UID: 1, Flags: d.Flags, ModSeq: 2},
		Mailbox: inbox, Generation: 7, Blob: d.Blob, Stage: mailbox.StageSealed,
		Key: d.Key, Envelope: d.Envelope, Size: rowSize, Day: today + 3, Saved: today + 3,
	}})
	e.hasBody(alice, d.Blob, bodySize)
}

// acceptReplacedKey: what is sealed to a key that was replaced could not be opened.
func acceptReplacedKey(e *env) {
	e.account(alice)
	repeated := e.message(0)
	repeated.DeliveryID = []byte("sent twice")
	e.accept(repeated)
	late := e.message(0)
	key := &mailbox.KeyChange{
		AccountKey: mailbox.AccountKey{Public: []byte("new"), Generation: 2},
		Addresses:  []mailbox.Address{addressOf(alice)},
	}
	e.must(e.s.ReplaceCredentials(e.ctx, alice, nil, nil, key))
	used := e.getAccount(alice).Used
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{late})
	e.wantErr(err, mailbox.ErrGone)
	e.noBody(alice, late.Blob)
	equal(e, "used", e.getAccount(alice).Used, used)
	again := e.message(0)
	again.DeliveryID = repeated.DeliveryID
	if !e.accept(again)[0].Duplicate {
		e.Error("a delivery from before the key was replaced is stored twice")
	}
	fresh := e.message(0)
	fresh.Generation = 2
	e.accept(fresh)
	equal(e, "UIDs", e.uids(inbox), upTo(2))
}

// acceptAllOrNothing: a delivery that fails takes those before it along, and
// the bodies of all of them.
func acceptAllOrNothing(e *env) {
	e.accounts()
	e.must(e.s.SetState(e.ctx, bob, mailbox.Disabled))
	for name, c := range map[string]struct {
		id   mailbox.AccountID
		mbox mailbox.MailboxID
		want error
	}{
		"no mailbox": {alice, 99, mailbox.ErrNoMailbox},
		"no account": {12345, inbox, mailbox.ErrNoAccount},
		"disabled":   {bob, inbox, mailbox.ErrDisabled},
	} {
		small, large := e.message(0), e.delivery(alice, inbox, 100<<10)
		small.DeliveryID = []byte(name)
		_, err := e.s.Accept(e.ctx, []mailbox.Delivery{small, large, e.delivery(c.id, c.mbox, bodySize)})
		e.wantErr(err, c.want)
		e.noBody(alice, small.Blob)
		e.noBody(alice, large.Blob)
		again := e.message(0)
		again.DeliveryID = []byte(name)
		if e.accept(again)[0].Duplicate {
			e.Errorf("%s: the delivery that was undone is remembered", name)
		}
	}
	equal(e, "UIDs", e.uids(inbox), upTo(3))
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{Bytes: 3 * rowSize, Messages: 3})
}

func (e *env) withQuota(q mailbox.Quota) {
	e.Helper()
	n := newAccount(alice)
	n.Quota = q
	e.must(e.s.CreateAccount(e.ctx, n))
}

func acceptQuotaBytes(e *env) {
	e.withQuota(mailbox.Quota{Bytes: 2 * rowSize})
	e.fill(inbox, 2) // exactly full
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0)})
	e.wantErr(err, mailbox.ErrOverQuota)
	equal(e, "UIDs", e.uids(inbox), upTo(2))
	equal(e, "UIDNEXT", e.getMailbox(inbox).UIDNext, 3)
	_, err = e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(1)})
	e.must(err)
	e.fill(inbox, 1)
}

func acceptQuotaMessages(e *env) {
	e.withQuota(mailbox.Quota{Messages: 3})
	e.fill(inbox, 2)
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0), e.message(0)})
	e.wantErr(err, mailbox.ErrOverQuota)
	equal(e, "UIDs", e.uids(inbox), upTo(2))
	e.fill(sent, 1)
}

// acceptNotReady: what isn't there whole can't be stored.
func acceptNotReady(e *env) {
	e.account(alice)
	for _, size := range []int64{bodySize, 100 << 10} {
		blob := seal.NewBlobID()
		w, err := e.s.CreateBody(e.ctx, alice, blob, size)
		e.must(err)
		_, err = w.Write(contents(blob, int(size)))
		e.must(err)
		d := mailbox.Delivery{Account: alice, Mailbox: inbox, Blob: blob, Body: w, Size: rowSize, Day: today}
		if _, err := e.s.Accept(e.ctx, []mailbox.Delivery{d}); err == nil {
			e.Errorf("a body of %d bytes was accepted before Commit", size)
		}
		e.noBody(alice, blob)
	}
	other := e.message(0)
	other.Blob = seal.NewBlobID()
	if _, err := e.s.Accept(e.ctx, []mailbox.Delivery{other}); err == nil {
		e.Error("a delivery was accepted with the body of another")
	}
	equal(e, "UIDs", e.uids(inbox), nil)
}

func (e *env) identified(id string) mailbox.Delivery {
	e.Helper()
	d := e.message(0)
	d.DeliveryID = []byte(id)
	return d
}

func dedupAgain(e *env) {
	e.accounts()
	first := e.accept(e.identified("x"))[0]
	again := e.identified("x")
	large := e.delivery(alice, inbox, 100<<10)
	large.DeliveryID = []byte("x")
	want := first
	want.Duplicate = true
	equal(e, "receipts", e.accept(again, large), []mailbox.Receipt{want, want})
	e.noBody(alice, again.Blob)
	e.noBody(alice, large.Blob)
	others := e.delivery(bob, inbox, bodySize)
	others.DeliveryID = []byte("x")
	rs := e.accept(e.identified("y"), others, e.message(0), e.message(0))
	for i, r := range rs {
		if r.Duplicate {
			e.Errorf("delivery %d is taken for a duplicate", i)
		}
	}
	equal(e, "UIDs", e.uids(inbox), upTo(4))
}

func dedupGone(e *env) {
	e.account(alice)
	first := e.accept(e.identified("x"))[0]
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(first.UID)})
	e.must(err)
	got := e.accept(e.identified("x"))[0]
	if !got.Duplicate || got.UID != first.UID {
		e.Errorf("got receipt %+v for a message that was read and deleted, want a duplicate of %+v", got, first)
	}
	equal(e, "UIDs", e.uids(inbox), nil)
}

func dedupSlice(e *env) {
	e.account(alice)
	rs := e.accept(e.identified("x"), e.identified("x"))
	if rs[0].Duplicate || !rs[1].Duplicate || rs[0].UID != rs[1].UID {
		e.Errorf("got receipts %+v, want a message and its duplicate", rs)
	}
	equal(e, "UIDs", e.uids(inbox), upTo(1))
}

func dedupWindow(e *env) {
	e.account(alice)
	for _, c := range []struct {
		day  mailbox.Day
		want bool
	}{{today, false}, {today + mailbox.DedupDays - 1, true}, {today + mailbox.DedupDays, false}, {today + mailbox.DedupDays + 3, true}} {
		d := e.identified("x")
		d.Day = c.day
		if got := e.accept(d)[0].Duplicate; got != c.want {
			e.Errorf("day %d: duplicate %v, want %v", c.day-today, got, c.want)
		}
	}
}

// dedupOverQuota: a sender that missed its answer must not be told that the
// mailbox is full, when it is this message that filled it.
func dedupOverQuota(e *env) {
	e.withQuota(mailbox.Quota{Messages: 1})
	e.accept(e.identified("x"))
	if !e.accept(e.identified("x"))[0].Duplicate {
		e.Error("the message was stored twice")
	}
}

func dedupAtOnce(e *env) {
	e.account(alice)
	var mu sync.Mutex
	var all sync.WaitGroup
	originals := 0
	for range 16 {
		d := e.identified("x")
		all.Go(func() {
			rs, err := e.s.Accept(e.ctx, []mailbox.Delivery{d})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || rs[0].UID != 1 {
				e.Error(errors.Join(err, errors.New("or another UID than 1")))
				return
			}
			if !rs[0].Duplicate {
				originals++
			}
		})
	}
	all.Wait()
	if originals != 1 {
		e.Errorf("%d of 16 deliveries were the first", originals)
	}
	equal(e, "UIDs", e.uids(inbox), upTo(1))
}
