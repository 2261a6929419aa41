package storetest

import (
	"github.com/restante/restante/mailbox"
)

var hiddenCases = []testCase{
	{"hidden/states", hiddenStates},
	{"hidden/goes with the message", hiddenGoes},
	{"hidden/goes with the device", hiddenDevice},
	{"hidden/change", hiddenChange},
}

const phone, tablet = mailbox.CredentialID(71), mailbox.CredentialID(72)

func (e *env) hide(device mailbox.CredentialID, to mailbox.HiddenState, uids ...mailbox.UID) {
	e.Helper()
	e.must(e.s.Hide(e.ctx, alice, device, inbox, set(uids...), to))
}

func (e *env) wantHidden(device mailbox.CredentialID, want ...mailbox.Hidden) {
	e.Helper()
	got, err := e.s.Hidden(e.ctx, alice, device, inbox)
	e.must(err)
	equal(e, "hidden", got, want)
}

func hiddenStates(e *env) {
	e.accounts()
	e.fill(inbox, 4)
	e.wantHidden(phone)
	e.hide(phone, mailbox.Marked, 1, 3, 9) // there is no 9
	e.hide(tablet, mailbox.Gone, 2)
	marked := func(uid mailbox.UID) mailbox.Hidden { return mailbox.Hidden{UID: uid, State: mailbox.Marked} }
	gone := func(uid mailbox.UID) mailbox.Hidden { return mailbox.Hidden{UID: uid, State: mailbox.Gone} }
	e.wantHidden(phone, marked(1), marked(3))
	e.hide(phone, mailbox.Gone, 3, 4)
	e.hide(phone, mailbox.Marked, 3) // it stays gone
	e.hide(phone, mailbox.Shown, 1, 3)
	e.wantHidden(phone, gone(3), gone(4))
	e.wantHidden(tablet, gone(2))
	equal(e, "messages for others", e.uids(inbox), upTo(4))
	other, err := e.s.Hidden(e.ctx, bob, phone, inbox)
	e.must(err)
	equal(e, "hidden from bob", other, nil)
	e.wantErr(e.s.Hide(e.ctx, 999, phone, inbox, set(1), mailbox.Gone), mailbox.ErrNoAccount)
}

func hiddenGoes(e *env) {
	e.account(alice)
	e.fill(inbox, 5)
	e.hide(phone, mailbox.Gone, 1, 2, 3, 4, 5)
	_, err := e.s.Expunge(e.ctx, alice, inbox, mailbox.ExpungeRequest{Set: set(1, 2)})
	e.must(err)
	e.copy(inbox, sent, true, 3)
	e.wantHidden(phone, mailbox.Hidden{UID: 4, State: mailbox.Gone}, mailbox.Hidden{UID: 5, State: mailbox.Gone})
	there, err := e.s.Hidden(e.ctx, alice, phone, sent)
	e.must(err)
	equal(e, "hidden where it was moved to", there, nil)
	e.must(e.s.RemoveAccount(e.ctx, alice))
	e.account(alice)
	e.wantHidden(phone)
}

func hiddenDevice(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, nil, []mailbox.Credential{credential(phone, mailbox.KeepingSecret)}, nil))
	e.hide(phone, mailbox.Gone, 1)
	e.hide(tablet, mailbox.Gone, 1)
	e.must(e.s.ReplaceCredentials(e.ctx, alice, []mailbox.CredentialID{phone}, nil, nil))
	e.wantHidden(phone)
	e.wantHidden(tablet, mailbox.Hidden{UID: 1, State: mailbox.Gone})
}

func hiddenChange(e *env) {
	e.account(alice)
	e.fill(inbox, 1)
	for _, c := range []struct {
		to   mailbox.HiddenState
		want bool
	}{{mailbox.Shown, false}, {mailbox.Marked, true}, {mailbox.Marked, false}, {mailbox.Shown, true}, {mailbox.Gone, true}, {mailbox.Marked, false}} {
		if got := e.changed(func() { e.hide(phone, c.to, 1) }); got != c.want {
			e.Errorf("to state %d: Account.Change rose: %v, want %v", c.to, got, c.want)
		}
	}
}
