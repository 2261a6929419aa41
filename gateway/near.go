package gateway

import (
	"context"
	"strings"

	"github.com/restante/restante/mailbox"
)

// near is the local side of a mailbox. It is kept from one cycle to the next, and only
// what has changed is read.
type near struct {
	rows    map[mailbox.UID]mailbox.Flags
	seen    mailbox.ModSeq
	spelled map[mailbox.Flags]spelling
}

// spelling is what a message's flags stand for.
type spelling struct {
	flags  flags
	marked bool // with goneKeyword
}

func newNear() *near { return &near{rows: map[mailbox.UID]mailbox.Flags{}} }

// refresh reads what has changed. Errors: mailbox.ErrNoMailbox.
func (n *near) refresh(ctx context.Context, x *mailbox.Session, box mailbox.MailboxID) error {
	n.spelled = map[mailbox.Flags]spelling{} // words may have changed their bits
	ch, err := x.Changes(ctx, box, n.seen)
	if err != nil {
		return err
	}
	if !ch.Complete {
		clear(n.rows)
	}
	for _, r := range ch.Vanished {
		n.forget(r)
	}
	for _, row := range ch.Rows {
		n.rows[row.UID] = row.Flags
	}
	n.seen = ch.Mailbox.HighestModSeq
	for _, bits := range n.rows {
		n.spell(x, bits)
	}
	return nil
}

func (n *near) forget(r mailbox.UIDRange) {
	if int64(r.High)-int64(r.Low) < int64(len(n.rows)) {
		for uid := int64(r.Low); uid <= int64(r.High); uid++ {
			delete(n.rows, mailbox.UID(uid))
		}
		return
	}
	for uid := range n.rows {
		if r.Low <= uid && uid <= r.High {
			delete(n.rows, uid)
		}
	}
}

// spell makes ready what flags stand for.
func (n *near) spell(x *mailbox.Session, bits mailbox.Flags) {
	if _, ok := n.spelled[bits]; ok {
		return
	}
	s := spelling{flags: localFlags(x, bits).flags()}
	for _, word := range x.Names(bits) {
		s.marked = s.marked || strings.EqualFold(word, goneKeyword)
	}
	n.spelled[bits] = s
}

// here returns a message's flags and whether it is marked as gone from the server; false
// if there is no such message.
func (n *near) here(uid mailbox.UID) (spelling, bool) {
	bits, ok := n.rows[uid]
	return n.spelled[bits], ok
}

// put enters a message that came after refresh.
func (n *near) put(x *mailbox.Session, uid mailbox.UID, bits mailbox.Flags) {
	n.rows[uid] = bits
	n.spell(x, bits)
}
