package storetest

import (
	"github.com/restante/restante/mailbox"
)

var treeCases = []testCase{
	{"tree/create", treeCreate},
	{"tree/taken", treeTaken},
	{"tree/limit", treeLimit},
	{"tree/uidvalidity grows", treeUIDValidity},
	{"tree/delete", treeDelete},
	{"tree/delete refused", treeDeleteRefused},
	{"tree/rename", treeRename},
	{"tree/exchange names", treeExchange},
	{"tree/rename refused", treeRenameRefused},
	{"tree/recent", treeRecent},
}

func (e *env) create(name string) mailbox.Mailbox {
	e.Helper()
	m, err := e.s.CreateMailbox(e.ctx, alice, newMailbox(name), 100)
	e.must(err)
	return m
}

// wantNames compares the tree with names in order of id.
func (e *env) wantNames(want ...string) {
	e.Helper()
	boxes, err := e.s.Mailboxes(e.ctx, alice)
	e.must(err)
	var got, sealed []mailbox.SealedName
	for i, m := range boxes {
		if i > 0 && m.ID <= boxes[i-1].ID {
			e.Errorf("mailbox %d is listed after %d", m.ID, boxes[i-1].ID)
		}
		got = append(got, m.Name)
	}
	for _, n := range want {
		sealed = append(sealed, sealedName(n))
	}
	equal(e, "mailbox names", got, sealed)
}

func treeCreate(e *env) {
	e.account(alice)
	n := newMailbox("Drafts")
	n.Use, n.UIDValidity = mailbox.UseDrafts, 1_700_000_000
	got, err := e.s.CreateMailbox(e.ctx, alice, n, 100)
	e.must(err)
	equal(e, "mailbox", got, mailbox.Mailbox{ID: 3, Name: n.Name, Use: n.Use, UIDValidity: 1_700_000_000,
		UIDNext: 1, HighestModSeq: 1, Recent: 1})
	equal(e, "the same, read", e.getMailbox(3), got)
	_, err = e.s.Mailbox(e.ctx, alice, 4)
	e.wantErr(err, mailbox.ErrNoMailbox)
	_, err = e.s.Mailbox(e.ctx, bob, inbox)
	e.wantErr(err, mailbox.ErrNoMailbox)
}

func treeTaken(e *env) {
	e.accounts()
	_, err := e.s.CreateMailbox(e.ctx, alice, newMailbox("INBOX"), 100)
	e.wantErr(err, mailbox.ErrExists)
	second := newMailbox("Also sent")
	second.Use = mailbox.UseSent
	_, err = e.s.CreateMailbox(e.ctx, alice, second, 100)
	e.wantErr(err, mailbox.ErrExists)
	e.wantNames("INBOX", "Sent")
	e.create("Also sent")
	_, err = e.s.CreateMailbox(e.ctx, bob, newMailbox("Also sent"), 100)
	e.must(err) // names are an account's own
}

func treeLimit(e *env) {
	e.account(alice)
	_, err := e.s.CreateMailbox(e.ctx, alice, newMailbox("third"), 3)
	e.must(err)
	_, err = e.s.CreateMailbox(e.ctx, alice, newMailbox("fourth"), 3)
	e.wantErr(err, mailbox.ErrLimit)
	e.wantNames("INBOX", "Sent", "third")
}

// treeUIDValidity: a client that finds the old value believes its old cache.
func treeUIDValidity(e *env) {
	e.account(alice)
	seen := e.getMailbox(sent).UIDValidity
	ids := map[mailbox.MailboxID]bool{inbox: true, sent: true}
	for _, least := range []uint32{0, 0, 500, 500, 3, 1_700_000_000, 0} {
		n := newMailbox("a")
		n.UIDValidity = least
		m, err := e.s.CreateMailbox(e.ctx, alice, n, 100)
		e.must(err)
		if m.UIDValidity <= seen || m.UIDValidity < least {
			e.Errorf("got UIDVALIDITY %d after %d, asked for at least %d", m.UIDValidity, seen, least)
		}
		if ids[m.ID] {
			e.Errorf("mailbox id %d is given twice", m.ID)
		}
		seen, ids[m.ID] = m.UIDValidity, true
		e.must(e.s.DeleteMailbox(e.ctx, alice, m.ID))
	}
}

func treeDelete(e *env) {
	e.account(alice)
	e.fill(inbox, 2)
	m := e.create("a")
	small, large := e.delivery(alice, m.ID, bodySize), e.delivery(alice, m.ID, 100<<10)
	e.accept(small, large)
	_, err := e.s.Expunge(e.ctx, alice, m.ID, mailbox.ExpungeRequest{Set: set(1)})
	e.must(err)
	e.must(e.s.DeleteMailbox(e.ctx, alice, m.ID))
	e.wantNames("INBOX", "Sent")
	e.noBody(alice, small.Blob)
	e.noBody(alice, large.Blob)
	_, err = e.s.Changes(e.ctx, alice, m.ID, 0)
	e.wantErr(err, mailbox.ErrNoMailbox)
	equal(e, "used", e.getAccount(alice).Used, mailbox.Quota{Bytes: 2 * rowSize, Messages: 2})
}

func treeDeleteRefused(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	e.wantErr(e.s.DeleteMailbox(e.ctx, alice, inbox), mailbox.ErrInbox)
	e.wantErr(e.s.DeleteMailbox(e.ctx, alice, 99), mailbox.ErrNoMailbox)
	equal(e, "INBOX", e.uids(inbox), upTo(1))
}

func treeRename(e *env) {
	e.account(alice)
	a, b := e.create("a"), e.create("a/b")
	e.accept(e.delivery(alice, b.ID, bodySize))
	before := e.getMailbox(b.ID)
	e.must(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{
		{ID: a.ID, Name: sealedName("c")}, {ID: b.ID, Name: sealedName("c/b")},
	}))
	e.wantNames("INBOX", "Sent", "c", "c/b")
	before.Name = sealedName("c/b")
	equal(e, "the rest of a renamed mailbox", e.getMailbox(b.ID), before)
	e.create("a")
}

func treeExchange(e *env) {
	e.account(alice)
	a, b := e.create("a"), e.create("b")
	e.must(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{
		{ID: a.ID, Name: sealedName("b")}, {ID: b.ID, Name: sealedName("a")},
	}))
	e.wantNames("INBOX", "Sent", "b", "a")
}

func treeRenameRefused(e *env) {
	e.account(alice)
	a, b := e.create("a"), e.create("b")
	e.wantErr(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{
		{ID: a.ID, Name: sealedName("free")}, {ID: b.ID, Name: sealedName("Sent")},
	}), mailbox.ErrExists)
	e.wantErr(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{
		{ID: a.ID, Name: sealedName("free")}, {ID: 99, Name: sealedName("c")},
	}), mailbox.ErrNoMailbox)
	e.wantErr(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{
		{ID: a.ID, Name: sealedName("free")}, {ID: b.ID, Name: sealedName("free")},
	}), mailbox.ErrExists)
	e.wantNames("INBOX", "Sent", "a", "b")
}

func treeRecent(e *env) {
	e.account(alice)
	take := func(want mailbox.UID) {
		e.Helper()
		got, err := e.s.TakeRecent(e.ctx, alice, inbox)
		e.must(err)
		if got != want {
			e.Errorf("got lowest recent UID %d, want %d", got, want)
		}
	}
	take(1)
	e.fill(inbox, 3)
	if got := e.getMailbox(inbox).Recent; got != 1 {
		e.Errorf("got Recent %d before anybody was told, want 1", got)
	}
	take(1)
	take(4)
	e.fill(inbox, 2)
	take(4)
	take(6)
	_, err := e.s.TakeRecent(e.ctx, alice, 99)
	e.wantErr(err, mailbox.ErrNoMailbox)
}
