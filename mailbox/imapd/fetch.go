package imapd

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// fetch is FETCH (RFC 9051, 6.4.5).
func (c *conn) fetch(d *wire.Decoder) error { return c.runFetch(d, false) }

// uidFetch is UID FETCH (RFC 9051, 6.4.9).
func (c *conn) uidFetch(d *wire.Decoder) error { return c.runFetch(d, true) }

func (c *conn) runFetch(d *wire.Decoder, byUID bool) error {
	d.SP()
	set := d.Set()
	d.SP()
	want := d.Fetch()
	if err := d.End(); err != nil {
		return err
	}
	f, err := c.newFetching(&want, byUID)
	if err != nil {
		return err
	}
	uids, asked, err := c.target(set, byUID)
	if err != nil {
		return err
	}
	if !want.Partial.IsZero() {
		uids, asked = c.sel.part(want.Partial, uids, asked)
	}
	if want.Vanished {
		gone, err := c.vanishedSince(mailbox.ModSeq(want.ChangedSince), set)
		if err != nil {
			return err
		}
		c.writeEarlier(gone)
	}
	return f.run(uids, asked)
}

// fetching is one FETCH.
type fetching struct {
	*conn
	*wire.Fetch
	seen map[mailbox.UID]bool // messages this FETCH has made \Seen
	gone int                  // messages that were not there any more
	bad  int                  // messages that are damaged
	err  error                // why some message could not be told
}

// These come from the table, without a look into the store.
const inTable = wire.FetchUID | wire.FetchFlags | wire.FetchModSeq

func (c *conn) newFetching(want *wire.Fetch, byUID bool) (*fetching, error) {
	if !want.Partial.IsZero() && !byUID { // RFC 9394, 3.3
		return nil, bad("PARTIAL is for UID FETCH")
	}
	if want.Vanished && (!byUID || !c.enabled.qresync) { // RFC 7162, 3.2.6
		return nil, bad("VANISHED is for UID FETCH after ENABLE QRESYNC")
	}
	if (byUID || c.enabled.qresync) && !c.enabled.uidOnly {
		want.Items |= wire.FetchUID
	}
	if want.ChangedSince >= 0 {
		want.Items |= wire.FetchModSeq // RFC 7162, 3.1.4.1
	}
	if want.Items.Has(wire.FetchModSeq) {
		c.enableCondstore()
	}
	return &fetching{conn: c, Fetch: want}, nil
}

func (f *fetching) run(uids []mailbox.UIDRange, asked int) error {
	if err := f.markSeen(uids); err != nil {
		return err
	}
	if err := f.tellAll(uids, asked); err != nil {
		return err
	}
	switch {
	case f.bad > 0:
		f.done = completion{text: "Some of the messages are damaged"}
	case f.gone > 0:
		// What is left was told. A NO would make clients take the whole FETCH
		// for failed (RFC 2180, 4.1.3 leaves the choice; Dovecot says OK too).
		f.done = completion{code: func() { f.writeCode(codeExpungeIssued) }, text: "Some of the messages are gone"}
	}
	return f.err
}

// maxDamaged is how many damaged messages are told one by one.
const maxDamaged = 20

// damaged tells which message can't be read. The others are told all the same, and
// the FETCH has not failed: a NO would keep clients from all of them.
func (f *fetching) damaged(uid mailbox.UID, err error) {
	f.log().Error("message not fetched", "error", err)
	if f.bad++; f.bad <= maxDamaged {
		f.untaggedStatus(imap.StatusResponseTypeNo, func() { f.writeCode(imap.ResponseCodeCorruption) },
			fmt.Sprintf("The message with UID %d is damaged, tell the operator of the relay", uid))
	}
}

// tellAll writes a response for each message.
func (f *fetching) tellAll(uids []mailbox.UIDRange, asked int) error {
	var inStore uidSet
	for number, row := range f.sel.rows(uids) {
		asked--
		switch {
		case f.w.Err() != nil:
			return nil
		case int64(row.ModSeq) <= f.ChangedSince:
		case f.Items&^inTable == 0 && len(f.Sections) == 0:
			f.tellRow(number, row)
		default:
			inStore.add(row.UID)
		}
	}
	f.gone += asked
	if len(inStore) == 0 {
		return nil
	}
	return f.tellStored(inStore)
}

// tellRow tells what the table knows.
func (f *fetching) tellRow(number uint32, row mailbox.Row) {
	f.start(number, row)
	f.finish(row)
}

// errStopped ends a walk over messages whose client is gone.
var errStopped = errors.New("the client is gone")

// tellStored tells of messages what is in the store.
func (f *fetching) tellStored(uids []mailbox.UIDRange) error {
	left := 0
	for range f.sel.rows(uids) {
		left++
	}
	fetch := f.session.Fetch
	if f.opensBodies() {
		fetch = f.session.FetchBodies
	}
	err := fetch(f.ctx, f.sel.id, uids, func(i *mailbox.Item) error {
		left--
		return f.tellItem(i)
	})
	if errors.Is(err, errStopped) {
		return nil // the connection ends with the command
	}
	if err == nil {
		f.gone += left
	}
	return err
}

// tellItem tells one message. If it can't be read, the others are told all the
// same.
func (f *fetching) tellItem(i *mailbox.Item) error {
	at, known := f.sel.index(i.UID)
	row, there := f.sel.table.Row(i.UID)
	if !known || !there {
		f.gone++
		return nil
	}
	m := &opened{ctx: f.ctx, item: i}
	defer m.release()
	mark := f.w.Mark()
	f.start(uint32(at)+1, row)
	err := f.items(m)
	if err == nil {
		err = f.sections(m)
	}
	if err != nil {
		_ = f.w.Rollback(mark) // what was sent already, f.w remembers
		err = f.left(i.UID, err)
	} else {
		f.finish(row)
		f.count()
	}
	if f.w.Err() != nil {
		return errStopped
	}
	return err
}

// count counts a message whose body was sent.
func (f *fetching) count() {
	if f.opensBodies() {
		f.srv.counts.messages.Add(1)
	}
}

// left takes the error of a message that could not be told.
func (f *fetching) left(uid mailbox.UID, err error) error {
	switch {
	case errors.Is(err, mailbox.ErrGone):
		f.gone++
		return nil
	case errors.Is(err, mailbox.ErrCorrupt):
		f.damaged(uid, err)
		return nil
	case errors.Is(err, errUnknownCTE):
		if f.err == nil {
			f.err = err
		}
		return nil
	}
	return err
}

// markSeen sets \Seen on the messages whose text is fetched without PEEK, all at
// once. Where that can't be done, the mail can be read all the same.
func (f *fetching) markSeen(uids []mailbox.UIDRange) error {
	if f.sel.readOnly || !f.sets() {
		return nil
	}
	var unseen uidSet
	for _, row := range f.sel.rows(uids) {
		if row.Flags&mailbox.Seen == 0 && int64(row.ModSeq) > f.ChangedSince {
			unseen.add(row.UID)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	r, err := f.session.StoreFlags(f.ctx, f.sel.id, mailbox.FlagChange{Set: unseen, Mode: mailbox.AddFlags, Flags: mailbox.Seen})
	if err != nil {
		f.log().Warn("messages not marked as seen", "error", err)
		return nil
	}
	f.seen = map[mailbox.UID]bool{}
	for _, row := range r.Rows {
		f.seen[row.UID] = true
	}
	return f.sel.table.Refresh(f.ctx)
}

// sets reports whether the FETCH sets \Seen.
func (f *fetching) sets() bool {
	for i := range f.Sections {
		if !f.Sections[i].Peek {
			return true
		}
	}
	return false
}
