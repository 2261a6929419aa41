package storetest

import (
	"cmp"
	"slices"

	"github.com/restante/restante/mailbox"
)

var houseCases = []testCase{
	{"house/ages", houseAges},
	{"house/seen", houseSeen},
	{"house/calendar", houseCalendar},
}

func houseAges(e *env) {
	e.accounts()
	first := e.message(mailbox.Flagged)
	first.Day = 100
	e.accept(first, e.message(0))
	e.accept(e.delivery(bob, inbox, bodySize))
	e.copy(inbox, sent, false, 1)
	got, err := e.s.Ages(e.ctx, alice)
	e.must(err)
	slices.SortFunc(got, func(a, b mailbox.Aged) int {
		return cmp.Or(cmp.Compare(a.Mailbox, b.Mailbox), cmp.Compare(a.UID, b.UID))
	})
	for i := range got {
		if got[i].Mailbox == sent {
			got[i].Saved = 0 // the store's own day
		}
	}
	equal(e, "ages", got, []mailbox.Aged{
		{Mailbox: inbox, UID: 1, Flags: mailbox.Flagged, Size: rowSize, Day: 100, Saved: 100},
		{Mailbox: inbox, UID: 2, Size: rowSize, Day: e.message(0).Day, Saved: e.message(0).Day},
		{Mailbox: sent, UID: 1, Flags: mailbox.Flagged, Size: rowSize, Day: 100},
	})
	none, err := e.s.Ages(e.ctx, 999)
	e.must(err)
	equal(e, "ages of no account", none, []mailbox.Aged(nil))
}

func houseSeen(e *env) {
	e.accounts()
	created := newAccount(alice).Created
	equal(e, "seen at first", e.getAccount(alice).Seen, created)
	before := e.getAccount(alice).Change
	hints := make(chan struct{}, 9)
	defer e.s.Watch(func([]mailbox.AccountID) { hints <- struct{}{} })()
	for _, c := range []struct{ day, want mailbox.Day }{{created + 7, created + 7}, {created + 5, created + 7}, {created + 8, created + 8}} {
		e.must(e.s.MarkSeen(e.ctx, []mailbox.AccountID{alice, 999}, c.day))
		equal(e, "seen", e.getAccount(alice).Seen, c.want)
	}
	equal(e, "seen of another", e.getAccount(bob).Seen, newAccount(bob).Created)
	equal(e, "change", e.getAccount(alice).Change, before)
	if len(hints) != 0 {
		e.Errorf("MarkSeen gave %d hints", len(hints))
	}
}

func houseCalendar(e *env) {
	for _, c := range []struct{ day, want mailbox.Day }{{0, 0}, {20000, 20000}, {20000, 20000}, {19990, 19990}, {20001, 20001}} {
		e.must(e.s.SetCalendar(e.ctx, c.day))
		got, err := e.s.Calendar(e.ctx)
		e.must(err)
		equal(e, "calendar", got, c.want)
	}
}
