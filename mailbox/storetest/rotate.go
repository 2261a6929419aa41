package storetest

import (
	"bytes"
	"errors"

	"github.com/restante/restante/mailbox"
)

var rotateCases = []testCase{
	{"rotate/all at once", rotateAll},
	{"rotate/refused", rotateRefused},
	{"rotate/due", rotateDue},
	{"rotate/messages follow", rotateMessages},
	{"rotate/former keys", rotateFormer},
	{"rotate/pages", rotatePages},
	{"rotate/writers of the former key", rotateLateWriters},
}

// withBelongings makes alice's account with one or more of all that a rotation seals
// anew, and the mail of both mailboxes.
func (e *env) withBelongings() (secret, recovery mailbox.Credential) {
	e.Helper()
	secret, recovery = e.withCredentials()
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("INBOX"), true, 10))
	e.must(e.s.SetSubscription(e.ctx, alice, sealedName("Sent"), true, 10))
	_, err := e.s.AddKeyword(e.ctx, alice, sealedName("$work"))
	e.must(err)
	for _, mbox := range []mailbox.MailboxID{0, inbox} {
		e.must(e.s.SetMetadata(e.ctx, alice, mbox, []mailbox.Annotation{{MAC: []byte("comment"), Sealed: []byte("a comment")}}, 10))
	}
	e.must(e.s.Block(e.ctx, alice, mailbox.Blocked{MAC: [16]byte{1}, Sealed: []byte("spammer")}, 10))
	e.fill(inbox, 3)
	e.fill(sent, 1)
	return secret, recovery
}

// anew returns what stands for b sealed anew.
func anew(b []byte) []byte { return append([]byte("anew: "), b...) }

// sealAnew does with belongings what a session does.
func sealAnew(b *mailbox.Belongings) error {
	name := func(n *mailbox.SealedName) { n.MAC, n.Sealed = anew(n.MAC), anew(n.Sealed) }
	for i := range b.Credentials {
		c := &b.Credentials[i]
		c.Wrapped, c.Label, c.Public = anew(c.Wrapped), anew(c.Label), []byte("public")
	}
	for i := range b.Mailboxes {
		name(&b.Mailboxes[i].Name)
	}
	for i := range b.Subscriptions {
		name(&b.Subscriptions[i])
	}
	for i := range b.Keywords {
		name(&b.Keywords[i].Name)
	}
	for i := range b.Entries {
		b.Entries[i].MAC, b.Entries[i].Sealed = anew(b.Entries[i].MAC), anew(b.Entries[i].Sealed)
	}
	for i := range b.Blocked {
		b.Blocked[i].Sealed = anew(b.Blocked[i].Sealed)
	}
	for i := range b.Former {
		b.Former[i].Sealed = anew(b.Former[i].Sealed)
	}
	b.Former = append(b.Former, mailbox.FormerKey{Generation: uint32(len(b.Former)), Sealed: []byte("former")})
	return nil
}

func keyChange(generation uint32) *mailbox.KeyChange {
	return &mailbox.KeyChange{
		AccountKey: mailbox.AccountKey{Public: bytes.Repeat([]byte{byte(generation)}, 9), Generation: generation},
		Addresses:  []mailbox.Address{{MAC: addressOf(alice).MAC, Entry: []byte{byte(generation)}}},
	}
}

// rotate gives alice the key of a generation.
func (e *env) rotate(generation uint32) {
	e.Helper()
	e.must(e.s.Rotate(e.ctx, alice, keyChange(generation), sealAnew))
}

// belongings reads what Rotate hands to its reseal.
func (e *env) belongings() mailbox.Belongings {
	e.Helper()
	var got mailbox.Belongings
	stop := errors.New("stop")
	e.wantErr(e.s.Rotate(e.ctx, alice, keyChange(e.getAccount(alice).Key.Generation+1), func(b *mailbox.Belongings) error {
		got = *b
		return stop
	}), stop)
	return got
}

func rotateAll(e *env) {
	secret, recovery := e.withBelongings()
	boxes, mail := e.getMailbox(inbox), e.messages(inbox)
	change := e.getAccount(alice).Change
	e.rotate(2)
	equal(e, "key", e.getAccount(alice).Key, keyChange(2).AccountKey)
	equal(e, "entry", e.lookUp(alice).Entry, []byte{2})
	if got := e.getAccount(alice).Change; got <= change {
		e.Errorf("change went from %d to %d", change, got)
	}
	for _, c := range []*mailbox.Credential{&secret, &recovery} {
		c.Wrapped, c.Label, c.Public = anew(c.Wrapped), anew(c.Label), []byte("public")
	}
	e.wantCredentials(secret, recovery)
	now := e.getMailbox(inbox)
	equal(e, "name", now.Name, mailbox.SealedName{MAC: anew(boxes.Name.MAC), Sealed: anew(boxes.Name.Sealed)})
	now.Name = boxes.Name
	equal(e, "all else of the mailbox", now, boxes)
	equal(e, "messages", e.messages(inbox), mail)

	subscribed, err := e.s.Subscriptions(e.ctx, alice)
	e.must(err)
	equal(e, "subscriptions", len(subscribed), 2)
	words, err := e.s.Keywords(e.ctx, alice)
	e.must(err)
	equal(e, "keywords", words, []mailbox.Keyword{{N: 0, Name: mailbox.SealedName{MAC: anew(sealedName("$work").MAC), Sealed: anew(sealedName("$work").Sealed)}}})
	notes, err := e.s.Metadata(e.ctx, alice, inbox)
	e.must(err)
	equal(e, "metadata", notes, []mailbox.Annotation{{MAC: anew([]byte("comment")), Sealed: anew([]byte("a comment"))}})
	blocked, err := e.s.BlockedBy(e.ctx, alice)
	e.must(err)
	equal(e, "blocked", blocked, []mailbox.Blocked{{MAC: [16]byte{1}, Sealed: anew([]byte("spammer"))}})
	former, err := e.s.FormerKeys(e.ctx, alice)
	e.must(err)
	equal(e, "former keys", former, []mailbox.FormerKey{{Generation: 0, Sealed: []byte("former")}})
}

// rotateRefused: what fails has changed nothing.
func rotateRefused(e *env) {
	e.withBelongings()
	e.account(bob)
	before, account := e.belongings(), e.lookUp(alice)
	two := keyChange(2)
	for name, k := range map[string]*mailbox.KeyChange{
		"the same generation": keyChange(1), "a generation left out": keyChange(3), "no address": {AccountKey: two.AccountKey},
		"another's address": {AccountKey: two.AccountKey, Addresses: []mailbox.Address{addressOf(bob)}},
	} {
		e.Log(name)
		e.wantErr(e.s.Rotate(e.ctx, alice, k, sealAnew), mailbox.ErrGone)
	}
	e.wantErr(e.s.Rotate(e.ctx, 99, two, sealAnew), mailbox.ErrNoAccount)
	equal(e, "belongings", e.belongings(), before)
	equal(e, "account", e.lookUp(alice), account)
}

func rotateDue(e *env) {
	e.withCredentials()
	due := func() bool { return e.lookUp(alice).RotateDue }
	equal(e, "at first", due(), false)
	e.must(e.s.RequestRotation(e.ctx, alice, true))
	e.must(e.s.RequestRotation(e.ctx, alice, true))
	equal(e, "asked for", due(), true)
	e.must(e.s.RequestRotation(e.ctx, alice, false))
	equal(e, "taken back", due(), false)
	e.must(e.s.RequestRotation(e.ctx, alice, true))
	e.rotate(2)
	equal(e, "once done", due(), false)
	e.wantErr(e.s.RequestRotation(e.ctx, 99, true), mailbox.ErrNoAccount)
}

// rotateMessages: messages of a former key are among those to wrap until each was
// wrapped under the present one, and that is not undone by who has the former.
func rotateMessages(e *env) {
	e.withBelongings()
	e.rewrap(1)
	e.rotate(2)
	fresh := e.message(0)
	fresh.Generation = 2
	e.accept(fresh)
	all := func() []mailbox.UID {
		ms, err := e.s.Unwrapped(e.ctx, alice, inbox, 0, 10)
		e.must(err)
		var us []mailbox.UID
		for _, m := range ms {
			us = append(us, m.UID)
		}
		return us
	}
	equal(e, "to wrap", all(), upTo(4))
	wrap := func(uid mailbox.UID, generation uint32, key string) error {
		return e.s.Rewrap(e.ctx, alice, inbox, []mailbox.Rewrapped{{UID: uid, Generation: generation, Key: []byte(key), Envelope: []byte("e")}})
	}
	e.wantErr(wrap(3, 1, "late"), mailbox.ErrGone)
	equal(e, "still to wrap", all(), upTo(4))
	for uid := mailbox.UID(1); uid <= 4; uid++ {
		e.must(wrap(uid, 2, "second"))
	}
	equal(e, "still to wrap", all(), nil)
	e.wantErr(wrap(1, 1, "late"), mailbox.ErrGone)
	e.must(wrap(2, 2, "late"))
	for _, m := range e.messages(inbox) {
		equal(e, "generation", m.Generation, 2)
		equal(e, "key", string(m.Key), "second")
	}
	moved := func(generation uint32) error {
		_, err := e.s.Copy(e.ctx, alice, mailbox.CopyRequest{From: sent, To: inbox, Set: mailbox.AllUIDs(), Move: true},
			func(m *mailbox.Message, to mailbox.MailboxID, uid mailbox.UID) (key, envelope []byte, err error) {
				m.Generation = generation
				return []byte("moved"), []byte("e"), nil
			})
		return err
	}
	e.wantErr(moved(7), mailbox.ErrGone)
	e.must(moved(1)) // as it is: its key is kept while it is there
	stale := e.message(0)
	_, err := e.s.Accept(e.ctx, []mailbox.Delivery{stale})
	e.wantErr(err, mailbox.ErrGone)
}

// rotateFormer: a former key is kept for as long as a message is sealed to it.
func rotateFormer(e *env) {
	e.withBelongings()
	e.rotate(2) // keeps generation 0
	e.rotate(3) // keeps 0 and 1
	e.account(bob)
	drop := func() int {
		left, err := e.s.DropFormerKeys(e.ctx, alice)
		e.must(err)
		return left
	}
	generations := func() (gs []uint32) {
		list, err := e.s.FormerKeys(e.ctx, alice)
		e.must(err)
		for _, f := range list {
			gs = append(gs, f.Generation)
		}
		return gs
	}
	equal(e, "left with all mail", drop(), 1)
	for uid := mailbox.UID(1); uid <= 3; uid++ {
		e.must(e.s.Rewrap(e.ctx, alice, inbox, []mailbox.Rewrapped{{UID: uid, Generation: 3, Key: []byte("k"), Envelope: []byte("e")}}))
	}
	equal(e, "left with one message", drop(), 1)
	equal(e, "kept", generations(), []uint32{0, 1})
	_, err := e.s.Expunge(e.ctx, alice, sent, mailbox.ExpungeRequest{Set: mailbox.AllUIDs()})
	e.must(err)
	equal(e, "left without", drop(), 0)
	equal(e, "kept for good", generations(), []uint32{0})
	e.must(e.s.ReplaceCredentials(e.ctx, alice, nil, nil, keyChange(4)))
	equal(e, "after a reset", generations(), nil)
	e.must(e.s.RemoveAccount(e.ctx, alice))
	_, err = e.s.DropFormerKeys(e.ctx, alice)
	e.wantErr(err, mailbox.ErrNoAccount)
}

// rotateLateWriters: what a session that has not heard of the new key writes is
// refused, and changes nothing.
func rotateLateWriters(e *env) {
	e.withBelongings()
	e.rotate(2)
	before := e.belongings()
	old, fresh := sealedName("x"), sealedName("x")
	old.Generation, fresh.Generation = 1, 2
	cred := credential(50, mailbox.DeviceSecret)
	cred.Generation = 1
	for name, write := range map[string]func() error{
		"mailbox": func() error {
			_, err := e.s.CreateMailbox(e.ctx, alice, mailbox.NewMailbox{Name: old}, 100)
			return err
		},
		"rename":       func() error { return e.s.RenameMailboxes(e.ctx, alice, []mailbox.Rename{{ID: sent, Name: old}}) },
		"subscription": func() error { return e.s.SetSubscription(e.ctx, alice, old, true, 100) },
		"keyword": func() error {
			_, err := e.s.AddKeyword(e.ctx, alice, old)
			return err
		},
		"metadata": func() error {
			return e.s.SetMetadata(e.ctx, alice, inbox, []mailbox.Annotation{{MAC: []byte("x"), Sealed: []byte("x"), Generation: 1}}, 100)
		},
		"blocked":    func() error { return e.s.Block(e.ctx, alice, mailbox.Blocked{MAC: [16]byte{2}, Generation: 1}, 100) },
		"credential": func() error { return e.s.ReplaceCredentials(e.ctx, alice, nil, []mailbox.Credential{cred}, nil) },
	} {
		e.Log(name)
		e.wantErr(write(), mailbox.ErrGone)
	}
	equal(e, "belongings", e.belongings(), before)
	e.must(e.s.SetSubscription(e.ctx, alice, fresh, true, 100))
}

// rotatePages: pages are sealed to the owner's key and go with it; none comes back.
func rotatePages(e *env) {
	e.account(alice)
	e.fill(inbox, 130)
	page := pageOf(1, 64)
	e.must(e.s.AddPages(e.ctx, alice, inbox, []mailbox.Page{page}))
	e.rotate(2)
	there := func() int {
		list, err := e.s.Pages(e.ctx, alice, inbox, 0, 9, 9)
		e.must(err)
		return len(list)
	}
	equal(e, "pages after new keys", there(), 0)
	page.Generation = 1
	e.wantErr(e.s.AddPages(e.ctx, alice, inbox, []mailbox.Page{page}), mailbox.ErrGone)
	equal(e, "pages of the former key", there(), 0)
	page.Generation = 2
	e.must(e.s.AddPages(e.ctx, alice, inbox, []mailbox.Page{page}))
	equal(e, "pages of the present key", there(), 1)
}
