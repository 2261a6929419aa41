package storetest

import (
	"fmt"

	"github.com/restante/restante/mailbox"
)

var pageCases = []testCase{
	{"page/added and read", pageAdded},
	{"page/that might be", pageUnpaged},
	{"page/of other messages than there are", pageLate},
	{"page/goes with a message", pageGoes},
	{"page/is no change", pageNoChange},
}

// paged fills alice's INBOX with three pages and one begun, and wraps all messages.
// The first page has no UID 0.
func (e *env) paged() {
	e.Helper()
	e.accounts()
	e.fill(inbox, 63+64+64+5)
	e.rewrap(e.uids(inbox)...)
}

func pageOf(n mailbox.PageNumber, messages int) mailbox.Page {
	return mailbox.Page{Number: n, Messages: messages, Sealed: fmt.Appendf(nil, "page %d of %d messages", n, messages)}
}

func (e *env) addPages(pages ...mailbox.Page) {
	e.Helper()
	e.must(e.s.AddPages(e.ctx, alice, inbox, pages))
}

func (e *env) wantPages(want ...mailbox.Page) {
	e.Helper()
	got, err := e.s.Pages(e.ctx, alice, inbox, 0, mailbox.PageOf(1<<32-1), 99)
	e.must(err)
	equal(e, "pages", got, want)
}

func (e *env) wantUnpaged(least int, want ...mailbox.PageNumber) {
	e.Helper()
	got, err := e.s.Unpaged(e.ctx, alice, inbox, least)
	e.must(err)
	equal(e, "pages that might be", got, want)
}

func pageAdded(e *env) {
	e.paged()
	e.wantPages()
	e.addPages(pageOf(0, 63), pageOf(1, 64), pageOf(2, 64))
	e.wantPages(pageOf(0, 63), pageOf(1, 64), pageOf(2, 64))
	some, err := e.s.Pages(e.ctx, alice, inbox, 1, 9, 1)
	e.must(err)
	equal(e, "first page from 1", some, []mailbox.Page{pageOf(1, 64)})
	other := mailbox.Page{Number: 1, Messages: 64, Sealed: []byte("another")}
	e.addPages(other)
	e.wantPages(pageOf(0, 63), other, pageOf(2, 64))
	of := func(id mailbox.AccountID, box mailbox.MailboxID) []mailbox.Page {
		list, err := e.s.Pages(e.ctx, id, box, 0, 9, 9)
		e.must(err)
		return list
	}
	equal(e, "pages of others", append(of(bob, inbox), of(alice, sent)...), nil)
	e.wantErr(e.s.AddPages(e.ctx, alice, 99, nil), mailbox.ErrNoMailbox)
	_, err = e.s.Unpaged(e.ctx, alice, 99, 1)
	e.wantErr(err, mailbox.ErrNoMailbox)
}

func pageUnpaged(e *env) {
	e.paged()
	e.wantUnpaged(1, 0, 1, 2) // to the last one messages can still be added
	e.wantUnpaged(64, 1, 2)
	e.addPages(pageOf(1, 64))
	e.wantUnpaged(1, 0, 2)
	e.fill(inbox, 64) // at stage 0
	e.wantUnpaged(1, 0, 2)
	e.rewrap(e.uids(inbox)...)
	e.wantUnpaged(1, 0, 2, 3)
}

func pageLate(e *env) {
	e.paged()
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(70)})
	e.must(err)
	e.addPages(pageOf(0, 63), pageOf(1, 64), pageOf(3, 5), pageOf(7, 0))
	e.wantPages(pageOf(0, 63))
	e.addPages(pageOf(1, 63))
	e.wantPages(pageOf(0, 63), pageOf(1, 63))
}

func pageGoes(e *env) {
	e.paged()
	all := []mailbox.Page{pageOf(0, 63), pageOf(1, 64), pageOf(2, 64)}
	e.addPages(all...)
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: []mailbox.UIDRange{{Low: 63, High: 64}}})
	e.must(err)
	e.wantPages(pageOf(2, 64))
	e.addPages(pageOf(0, 62), pageOf(1, 63))
	e.copy(inbox, sent, false, 2)
	e.wantPages(pageOf(0, 62), pageOf(1, 63), pageOf(2, 64))
	e.copy(inbox, sent, true, 2)
	e.wantPages(pageOf(1, 63), pageOf(2, 64))
	e.replace(inbox, 130, e.message(0))
	e.wantPages(pageOf(1, 63))
	e.must(e.s.RemoveAccount(e.ctx, alice))
	e.account(alice)
	e.wantPages()
}

func pageNoChange(e *env) {
	e.paged()
	before := e.getMailbox(inbox)
	if e.changed(func() { e.addPages(pageOf(0, 63)) }) {
		e.Error("a page is a change of the account")
	}
	equal(e, "mailbox", e.getMailbox(inbox), before)
}

// stepPages adds every page that might be. What changes later takes them away again,
// which is checked when the store is.
func (w *walk) stepPages() {
	id := w.box()
	numbers, err := w.s.Unpaged(w.ctx, alice, id, 1)
	w.must(err)
	var pages []mailbox.Page
	for _, n := range numbers {
		pages = append(pages, pageOf(n, len(w.env.messages(id, n.UIDs()))))
	}
	w.must(w.s.AddPages(w.ctx, alice, id, pages))
	left, err := w.s.Unpaged(w.ctx, alice, id, 1)
	w.must(err)
	equal(w.env, "pages not added", left, nil)
}
