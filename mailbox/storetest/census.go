package storetest

import "github.com/restante/restante/mailbox"

var censusCases = []testCase{
	{"census/accounts", censusAccounts},
	{"census/queue", censusQueue},
}

func censusAccounts(e *env) {
	got, err := e.s.Census(e.ctx)
	e.must(err)
	equal(e, "census of nothing", got, mailbox.Census{})
	e.accounts()
	e.accept(e.message(0), e.message(0))
	e.accept(e.delivery(bob, inbox, bodySize))
	a, b := e.getAccount(alice).Used, e.getAccount(bob).Used
	got, err = e.s.Census(e.ctx)
	e.must(err)
	equal(e, "census", got, mailbox.Census{Accounts: 2, Messages: 3, Bytes: a.Bytes + b.Bytes})
}

func censusQueue(e *env) {
	got, err := e.s.Waiting(e.ctx)
	e.must(err)
	equal(e, "an empty queue", got, mailbox.Waiting{})
	for id := range mailbox.JobID(5) {
		e.send(e.outbound(id+1, dest(byte(id%2)), noon, bodySize))
	}
	e.must(e.s.Drop(e.ctx, 1))
	got, err = e.s.Waiting(e.ctx)
	e.must(err)
	equal(e, "the queue", got, mailbox.Waiting{Jobs: 4, Destinations: 2})
}
