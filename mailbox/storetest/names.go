package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/restante/restante/mailbox"
)

var nameCases = []testCase{
	{"names/subscriptions", subscriptions},
	{"names/subscription limit", subscriptionLimit},
	{"names/keywords", keywords},
	{"names/keyword reclaim", keywordReclaim},
}

func (e *env) wantSubscriptions(names ...string) {
	e.Helper()
	got, err := e.s.Subscriptions(e.ctx, alice)
	e.must(err)
	var want []mailbox.SealedName
	for _, n := range names {
		want = append(want, sealedName(n))
	}
	slices.SortFunc(got, func(a, b mailbox.SealedName) int { return bytes.Compare(a.MAC, b.MAC) })
	equal(e, "subscriptions", got, want)
}

func subscriptions(e *env) {
	e.accounts()
	for range 2 { // idempotent
		e.must(e.s.SetSubscription(e.ctx, alice, sealedName("INBOX"), true, 9))
		e.must(e.s.SetSubscription(e.ctx, alice, sealedName("no such mailbox"), true, 9))
		e.wantSubscriptions("INBOX", "no such mailbox")
	}
	for range 2 {
		e.must(e.s.SetSubscription(e.ctx, alice, sealedName("INBOX"), false, 9))
		e.wantSubscriptions("no such mailbox")
	}
	got, err := e.s.Subscriptions(e.ctx, bob)
	e.must(err)
	if len(got) != 0 {
		e.Errorf("bob has %d subscriptions of alice", len(got))
	}
}

func subscriptionLimit(e *env) {
	e.account(alice)
	for _, n := range []string{"a", "b"} {
		e.must(e.s.SetSubscription(e.ctx, alice, sealedName(n), true, 2))
	}
	e.wantErr(e.s.SetSubscription(e.ctx, alice, sealedName("c"), true, 2), mailbox.ErrLimit)
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("a"), true, 2)) // is there
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("c"), false, 2))
	e.wantSubscriptions("a", "b")
}

func (e *env) addKeyword(name string) mailbox.Keyword {
	e.Helper()
	k, err := e.s.AddKeyword(e.ctx, alice, sealedName(name))
	e.must(err)
	equal(e, "keyword's name", k.Name, sealedName(name))
	if k.N < 0 || k.N >= mailbox.MaxKeywords {
		e.Fatalf("keyword %q has number %d", name, k.N)
	}
	return k
}

func keywords(e *env) {
	e.account(alice)
	a, b := e.addKeyword("a"), e.addKeyword("b")
	if a.N == b.N {
		e.Fatalf("two keywords share number %d", a.N)
	}
	equal(e, "keyword asked for again", e.addKeyword("a"), a)
	got, err := e.s.Keywords(e.ctx, alice)
	e.must(err)
	slices.SortFunc(got, func(x, y mailbox.Keyword) int { return bytes.Compare(x.Name.MAC, y.Name.MAC) })
	equal(e, "dictionary", got, []mailbox.Keyword{a, b})
}

// keywordReclaim: a full dictionary gives away what no message carries, in
// whatever mailbox, and nothing else.
func keywordReclaim(e *env) {
	e.account(alice)
	var all []mailbox.Keyword
	for i := range mailbox.MaxKeywords {
		all = append(all, e.addKeyword(fmt.Sprint("keyword ", i)))
	}
	carried := mailbox.Flags(0)
	for _, k := range all {
		carried |= mailbox.KeywordFlag(k.N)
	}
	const free = 17
	rest := mailbox.KeywordFlag(all[3].N)
	inInbox := e.message(carried &^ mailbox.KeywordFlag(all[free].N) &^ rest)
	inSent := e.delivery(alice, sent, bodySize)
	inSent.Flags = rest
	e.accept(inInbox, inSent)

	got := e.addKeyword("new")
	if got.N != all[free].N {
		e.Errorf("got number %d, want %d, which nobody uses", got.N, all[free].N)
	}
	words, err := e.s.Keywords(e.ctx, alice)
	e.must(err)
	if len(words) != mailbox.MaxKeywords {
		e.Errorf("the dictionary has %d entries", len(words))
	}
	used := mailbox.FlagChange{Set: set(1), Mode: mailbox.AddFlags, Flags: mailbox.KeywordFlag(got.N)}
	_, err = e.s.StoreFlags(e.ctx, alice, inbox, used)
	e.must(err)
	_, err = e.s.AddKeyword(e.ctx, alice, sealedName("one more"))
	e.wantErr(err, mailbox.ErrLimit)
}
