package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var watchCases = []testCase{
	{"watch/hints", watchHints},
	{"watch/failures", watchFailures},
	{"watch/stop", watchStop},
}

var lifeCases = []testCase{
	{"life/id", lifeID},
	{"life/cancelled", lifeCancelled},
	{"life/closed", lifeClosed},
	{"life/close waits", lifeCloseWaits},
}

var reopenCases = []testCase{
	{"everything persists", reopenPersists},
	{"again and again", reopenOften},
}

// hints collects what watchers are told.
type hints struct {
	mu  sync.Mutex
	ids map[mailbox.AccountID]int
}

func (h *hints) hint(ids []mailbox.AccountID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		h.ids[id]++
	}
}

// take returns how many hints an account had since the last time.
func (h *hints) take(id mailbox.AccountID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.ids[id]
	delete(h.ids, id)
	return n
}

func (e *env) watch() (*hints, func()) {
	h := &hints{ids: make(map[mailbox.AccountID]int)}
	return h, e.s.Watch(h.hint)
}

// watchHints: when a change returns, or soon after, its hint has been given. The
// next change of the same writer comes after it in any case.
func watchHints(e *env) {
	e.accounts()
	one, stopOne := e.watch()
	two, stopTwo := e.watch()
	defer stopTwo()
	e.fill(inbox, 1)
	e.accept(e.delivery(bob, inbox, bodySize), e.message(0))
	e.must(e.s.SetState(e.ctx, bob, mailbox.Disabled))
	stopOne()
	for name, h := range map[string]*hints{"one": one, "two": two} {
		if a, b := h.take(alice), h.take(bob); a < 1 || b < 1 {
			e.Errorf("watcher %s had %d hints of alice, %d of bob", name, a, b)
		}
	}
}

func watchFailures(e *env) {
	e.account(alice)
	h, stop := e.watch()
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{e.message(0), e.delivery(bob, inbox, bodySize)})
	e.wantErr(err, mailbox.ErrNoAccount)
	e.wantErr(e.s.DeleteMailbox(e.ctx, alice, 99), mailbox.ErrNoMailbox)
	_, err = e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()})
	e.must(err)
	stop()
	if n := h.take(alice); n != 0 {
		e.Errorf("got %d hints although nothing changed", n)
	}
}

func watchStop(e *env) {
	e.account(alice)
	h, stop := e.watch()
	stop()
	e.fill(inbox, 1)
	if n := h.take(alice); n != 0 {
		e.Errorf("got %d hints after stop", n)
	}
}

func lifeID(e *env) {
	if e.s.ID() == (seal.StoreID{}) {
		e.Error("the store has no identity")
	}
}

// calls has one of each kind of method.
func (e *env) calls(ctx context.Context) map[string]func() error {
	return map[string]func() error{
		"CreateAccount": func() error { return e.s.CreateAccount(ctx, newAccount(bob)) },
		"Account":       func() error { _, err := e.s.Account(ctx, alice); return err },
		"Accounts":      func() error { return e.s.Accounts(ctx, func(mailbox.Account) error { return nil }) },
		"Accept":        func() error { _, err := e.s.Accept(ctx, nil); return err },
		"CreateMailbox": func() error { _, err := e.s.CreateMailbox(ctx, alice, newMailbox("x"), 9); return err },
		"TakeRecent":    func() error { _, err := e.s.TakeRecent(ctx, alice, inbox); return err },
		"Changes":       func() error { _, err := e.s.Changes(ctx, alice, inbox, 0); return err },
		"Messages":      func() error { _, err := e.s.Messages(ctx, alice, inbox, mailbox.AllUIDs(), 1); return err },
		"SmallBodies":   func() error { _, err := e.s.SmallBodies(ctx, alice, inbox, mailbox.AllUIDs()); return err },
		"Pages":         func() error { _, err := e.s.Pages(ctx, alice, inbox, 0, 9, 9); return err },
		"AddPages":      func() error { return e.s.AddPages(ctx, alice, inbox, nil) },
		"OpenBody":      func() error { _, err := e.s.OpenBody(ctx, alice, seal.BlobID{}); return err },
		"Copy": func() error {
			_, err := e.s.Copy(ctx, alice, mailbox.CopyRequest{From: inbox, To: sent, Set: mailbox.AllUIDs()}, reseal)
			return err
		},
	}
}

func lifeCancelled(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for name, call := range e.calls(ctx) {
		if err := call(); !errors.Is(err, context.Canceled) {
			e.Errorf("%s: got error %v, want that of the context", name, err)
		}
	}
	equal(e, "UIDs", e.uids(inbox), upTo(1))
}

func lifeClosed(e *env) {
	e.account(alice)
	e.finish()
	e.closed = true
	calls := e.calls(e.ctx)
	calls["Close"] = e.s.Close
	calls["CreateBody"] = func() error {
		_, err := e.s.CreateBody(e.ctx, alice, seal.NewBlobID(), 10)
		return err
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, mailbox.ErrClosed) {
			e.Errorf("%s: got error %v, want ErrClosed", name, err)
		}
	}
}

// lifeCloseWaits: a call that is under way when Close comes either happens
// whole or is refused.
func lifeCloseWaits(e *env) {
	e.account(alice)
	var all sync.WaitGroup
	for range 16 {
		d := e.message(0)
		all.Go(func() {
			if _, err := e.s.Accept(e.ctx, []mailbox.Delivery{d}); err != nil && !errors.Is(err, mailbox.ErrClosed) {
				e.Errorf("got error %v", err)
			}
		})
	}
	e.must(e.s.Close())
	e.closed = true
	all.Wait()
}

func reopenPersists(e *env) {
	secret, recovery := e.withCredentials()
	a := e.create("a")
	large := e.delivery(alice, a.ID, 150<<10)
	e.accept(large)
	small := e.fill(inbox, 3)
	e.accept(e.identified("x"))
	word := e.addKeyword("word")
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("a"), true, 9))
	_, err := e.s.TakeRecent(e.ctx, alice, inbox)
	e.must(err)
	e.storeFlags(mailbox.FlagChange{Set: set(1), Flags: mailbox.Flagged | mailbox.KeywordFlag(word.N)})
	since := e.getMailbox(inbox).HighestModSeq
	_, err = e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(2)})
	e.must(err)
	id, account, box := e.s.ID(), e.getAccount(alice), e.getMailbox(inbox)
	changes, messages := e.changes(inbox, since), e.messages(inbox)

	e.again()
	equal(e, "identity", e.s.ID(), id)
	equal(e, "account", e.getAccount(alice), account)
	equal(e, "mailbox", e.getMailbox(inbox), box)
	equal(e, "changes", e.changes(inbox, since), changes)
	equal(e, "messages", e.messages(inbox), messages)
	e.hasBody(alice, large.Blob, 150<<10)
	e.hasBody(alice, small[0].Blob, bodySize)
	e.wantCredentials(secret, recovery)
	e.wantSubscriptions("a")
	equal(e, "keyword", e.addKeyword("word"), word)
	e.wantNames("INBOX", "Sent", "a")
	if !e.accept(e.identified("x"))[0].Duplicate {
		e.Error("a delivery was forgotten")
	}
	equal(e, "next UID", e.accept(e.message(0))[0].UID, 5)
}

func reopenOften(e *env) {
	e.account(alice)
	for i := range 5 {
		equal(e, "UID", e.accept(e.message(0))[0].UID, mailbox.UID(i+1))
		e.again()
	}
	equal(e, "UIDs", e.uids(inbox), upTo(5))
}
