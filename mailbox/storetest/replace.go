package storetest

import "github.com/restante/restante/mailbox"

var replaceCases = []testCase{
	{"replace/in its mailbox", replaceHere},
	{"replace/into another mailbox", replaceThere},
	{"replace/refused", replaceRefused},
	{"replace/quota", replaceQuota},
}

func (e *env) replace(mbox mailbox.MailboxID, uid mailbox.UID, d mailbox.Delivery) mailbox.Receipt {
	e.Helper()
	r, err := e.s.Replace(e.ctx, mbox, uid, d)
	e.must(err)
	return r
}

func replaceHere(e *env) {
	e.accounts()
	old := e.fill(inbox, 3)
	before := e.getMailbox(inbox)
	d := e.message(mailbox.Draft)
	r := e.replace(inbox, 2, d)
	after := e.getMailbox(inbox)
	equal(e, "receipt", r, mailbox.Receipt{UIDValidity: after.UIDValidity, UID: 4, ModSeq: after.HighestModSeq})
	equal(e, "UIDs", e.uids(inbox), []mailbox.UID{1, 3, 4})
	equal(e, "messages", after.Messages, 3)
	equal(e, "vanished", e.changes(inbox, before.HighestModSeq).Vanished, []mailbox.UIDRange{{Low: 2, High: 2}})
	equal(e, "flags", e.messages(inbox, set(4)...)[0].Flags, mailbox.Draft)
	equal(e, "used", e.getAccount(alice).Used.Messages, 3)
	e.noBody(alice, old[1].Blob)
	e.hasBody(alice, d.Blob, bodySize)
}

func replaceThere(e *env) {
	e.account(alice)
	e.fill(inbox, 2)
	d := e.delivery(alice, sent, bodySize)
	e.replace(inbox, 1, d)
	equal(e, "UIDs left", e.uids(inbox), []mailbox.UID{2})
	equal(e, "UIDs there", e.uids(sent), []mailbox.UID{1})
	e.hasBody(alice, d.Blob, bodySize)
}

// replaceRefused: what fails changes nothing, and its body goes.
func replaceRefused(e *env) {
	e.accounts()
	e.fill(inbox, 2)
	stale := e.message(0)
	stale.Generation = 2
	for _, c := range []struct {
		name string
		mbox mailbox.MailboxID
		uid  mailbox.UID
		d    mailbox.Delivery
		want error
	}{
		{"no such message", inbox, 3, e.message(0), mailbox.ErrGone},
		{"no such message there", sent, 1, e.message(0), mailbox.ErrGone},
		{"no such mailbox", 99, 1, e.message(0), mailbox.ErrNoMailbox},
		{"no such destination", inbox, 1, e.delivery(alice, 99, bodySize), mailbox.ErrNoMailbox},
		{"another key", inbox, 1, stale, mailbox.ErrGone},
		{"a message of somebody else", inbox, 1, e.delivery(bob, inbox, bodySize), mailbox.ErrGone},
	} {
		e.Log(c.name)
		before := e.getMailbox(inbox)
		_, err := e.s.Replace(e.ctx, c.mbox, c.uid, c.d)
		e.wantErr(err, c.want)
		equal(e, c.name+": INBOX", e.getMailbox(inbox), before)
		e.noBody(c.d.Account, c.d.Blob)
	}
}

// replaceQuota: a full account may replace what it has by something no larger.
func replaceQuota(e *env) {
	n := newAccount(alice)
	n.Quota = mailbox.Quota{Bytes: 2 * rowSize, Messages: 2}
	e.must(e.s.CreateAccount(e.ctx, n))
	e.fill(inbox, 2)
	e.replace(inbox, 1, e.message(0))
	equal(e, "UIDs", e.uids(inbox), []mailbox.UID{2, 3})
	larger := e.message(0)
	larger.Size++
	_, err := e.s.Replace(e.ctx, inbox, 2, larger)
	e.wantErr(err, mailbox.ErrOverQuota)
	equal(e, "UIDs", e.uids(inbox), []mailbox.UID{2, 3})
}
