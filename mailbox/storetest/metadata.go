package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/seal"
)

var metadataCases = []testCase{
	{"metadata/set", metadataSet},
	{"metadata/limit", metadataLimit},
	{"metadata/goes with its mailbox", metadataGoes},
	{"push/tokens", pushTokens},
	{"push/limit", pushLimit},
	{"push/expire", pushExpire},
}

// note makes an entry, or what removes it if the value is "".
func note(name, value string) mailbox.Annotation {
	a := mailbox.Annotation{MAC: []byte("mac of " + name)}
	if value != "" {
		a.Sealed = []byte("sealed " + value)
	}
	return a
}

func (e *env) setNotes(id mailbox.AccountID, mbox mailbox.MailboxID, notes ...mailbox.Annotation) {
	e.Helper()
	e.must(e.s.SetMetadata(e.ctx, id, mbox, notes, 99))
}

func (e *env) wantNotes(id mailbox.AccountID, mbox mailbox.MailboxID, want ...mailbox.Annotation) {
	e.Helper()
	got, err := e.s.Metadata(e.ctx, id, mbox)
	e.must(err)
	slices.SortFunc(got, func(a, b mailbox.Annotation) int { return bytes.Compare(a.MAC, b.MAC) })
	equal(e, "notes", got, want)
}

func metadataSet(e *env) {
	e.accounts()
	e.setNotes(alice, 0, note("a", "1"), note("b", "2"))
	e.setNotes(alice, inbox, note("a", "3"))
	e.setNotes(alice, 0, note("b", "4"), note("c", "5"), note("a", ""), note("d", ""))
	e.wantNotes(alice, 0, note("b", "4"), note("c", "5"))
	e.wantNotes(alice, inbox, note("a", "3"))
	e.wantNotes(alice, sent)
	e.wantNotes(alice, 99)
	e.wantNotes(bob, 0)
	e.wantErr(e.s.SetMetadata(e.ctx, alice, 99, []mailbox.Annotation{note("a", "1")}, 99), mailbox.ErrNoMailbox)
	e.wantErr(e.s.SetMetadata(e.ctx, 999, 0, []mailbox.Annotation{note("a", "1")}, 99), mailbox.ErrNoAccount)
}

func metadataLimit(e *env) {
	e.account(alice)
	set := func(mbox mailbox.MailboxID, notes ...mailbox.Annotation) error {
		return e.s.SetMetadata(e.ctx, alice, mbox, notes, 3)
	}
	e.must(set(0, note("a", "1"), note("b", "1")))
	e.wantErr(set(inbox, note("a", "1"), note("b", "1")), mailbox.ErrLimit)
	e.wantNotes(alice, inbox)
	e.must(set(inbox, note("a", "1")))
	e.wantErr(set(0, note("c", "1"), note("a", "2")), mailbox.ErrLimit)
	e.wantNotes(alice, 0, note("a", "1"), note("b", "1"))
	e.must(set(0, note("c", "1"), note("a", "")))
	e.wantNotes(alice, 0, note("b", "1"), note("c", "1"))
}

func metadataGoes(e *env) {
	e.accounts()
	m, err := e.s.CreateMailbox(e.ctx, alice, newMailbox("a"), 9)
	e.must(err)
	e.setNotes(alice, m.ID, note("a", "1"))
	e.setNotes(alice, sent, note("a", "2"))
	e.must(e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{{ID: m.ID, Name: sealedName("b")}}))
	e.wantNotes(alice, m.ID, note("a", "1"))
	e.must(e.s.DeleteMailbox(e.ctx, alice, m.ID))
	e.wantNotes(alice, m.ID)
	e.wantNotes(alice, sent, note("a", "2"))
	e.must(e.s.AddPushToken(e.ctx, alice, token("a", 9), 9))
	e.must(e.s.RemoveAccount(e.ctx, alice))
	e.account(alice)
	e.wantNotes(alice, sent)
	e.wantTokens(alice)
}

func token(name string, day mailbox.Day) mailbox.PushTokenRow {
	t := mailbox.PushTokenRow{Sealed: fmt.Appendf(nil, "token %s of %d", name, day), Day: day}
	copy(t.MAC[:], name)
	return t
}

func (e *env) wantTokens(id mailbox.AccountID, want ...mailbox.PushTokenRow) {
	e.Helper()
	got, err := e.s.PushTokens(e.ctx, id)
	e.must(err)
	equal(e, "push tokens", got, want)
}

func pushTokens(e *env) {
	e.accounts()
	for _, t := range []mailbox.PushTokenRow{token("a", 5), token("b", 6), token("a", 6)} {
		if e.changed(func() { e.must(e.s.AddPushToken(e.ctx, alice, t, 9)) }) {
			e.Error("a push token is a change of the account")
		}
	}
	e.wantTokens(alice, token("a", 6), token("b", 6))
	e.wantTokens(bob)
	for range 2 {
		e.must(e.s.DropPushToken(e.ctx, alice, token("a", 0).MAC))
		e.wantTokens(alice, token("b", 6))
	}
	e.must(e.s.DropPushToken(e.ctx, bob, token("b", 0).MAC))
	e.wantTokens(alice, token("b", 6))
	e.wantErr(e.s.AddPushToken(e.ctx, 999, token("a", 5), 9), mailbox.ErrNoAccount)
	e.must(e.s.DropPushToken(e.ctx, 999, seal.TokenMAC{}))
}

func pushLimit(e *env) {
	e.accounts()
	e.must(e.s.AddPushToken(e.ctx, bob, token("a", 1), 2))
	for _, name := range []string{"a", "b", "a", "c"} {
		e.must(e.s.AddPushToken(e.ctx, alice, token(name, 7), 2))
	}
	e.wantTokens(alice, token("c", 7), token("a", 7))
	e.wantTokens(bob, token("a", 1))
}

func pushExpire(e *env) {
	e.accounts()
	for day := mailbox.Day(1); day <= 3; day++ {
		e.must(e.s.AddPushToken(e.ctx, alice, token(fmt.Sprint(day), day), 9))
	}
	e.must(e.s.AddPushToken(e.ctx, bob, token("1", 1), 9))
	e.must(e.s.ExpirePushTokens(e.ctx, 3))
	e.wantTokens(alice, token("3", 3))
	e.wantTokens(bob)
}
