package imapd

import (
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/mailbox"
	"github.com/restante/restante/mailbox/imapd/wire"
)

// appending is one APPEND: a mailbox, and the messages that are to go into it
// together (RFC 9051, 6.3.12; several at once are MULTIAPPEND, RFC 3502).
type appending struct {
	*conn
	name string
	to   mailbox.Folder
	room func(size int64) error // judges the next message by its size
	ms   []appended
	old  *mailbox.Item // what the message replaces, for REPLACE
}

// appended is one message of an APPEND.
type appended struct {
	names   []imap.Flag
	date    time.Time
	message *mailbox.Spooled
}

// maxAppended bounds the messages of one APPEND.
const maxAppended = 100

// append is APPEND. Whatever can be refused is refused before the client is asked
// for the message; if it comes all the same, it is skipped and never parsed.
func (c *conn) append(d *wire.Decoder) error {
	a := &appending{conn: c}
	defer a.release()
	d.SP()
	a.name = d.Mailbox()
	for first := true; first || d.Special(' '); first = false {
		if first {
			d.SP()
		}
		if err := a.next(d); err != nil {
			return err
		}
	}
	if err := d.End(); err != nil {
		return err
	}
	return a.store()
}

// next reads one message with what stands before it.
func (a *appending) next(d *wire.Decoder) error {
	var m appended
	if d.Peek() == '(' {
		m.names = a.flags(d)
		d.SP()
	}
	if d.Peek() == '"' {
		m.date = d.DateTime()
		d.SP()
	}
	utf8 := a.utf8Extension(d)
	lit := d.Literal(a.accept)
	if lit == nil {
		return d.Err()
	}
	var err error
	if m.message, err = a.receive(lit); err != nil {
		return err
	}
	a.ms = append(a.ms, m)
	if utf8 {
		d.Expect(')')
	}
	return nil
}

// receive takes a message in, in a form that can be fetched again.
func (a *appending) receive(lit *wire.Literal) (*mailbox.Spooled, error) {
	o := mailbox.ReceiveOptions{Gate: a.srv.o.Gate}
	m, err := a.srv.o.Service.Receive(a.ctx, lit, o)
	if err != nil || !m.Message.Has(mime.NUL) {
		return m, err
	}
	defer m.Close()
	text, err := withoutNUL(m, m.Message)
	if err == nil {
		var plain *mailbox.Spooled
		if plain, err = a.srv.o.Service.Receive(a.ctx, text, o); err == nil && !plain.Message.Has(mime.NUL) {
			return plain, nil
		}
		if err == nil {
			err = errors.Join(errNotBinary, plain.Close())
		}
	}
	if errors.Is(err, errNotBinary) {
		return nil, no(imap.ResponseCodeUnknownCTE, "The message holds NUL outside of its binary parts: send it in base64")
	}
	return nil, err
}

// flags reads the flags of a message. \Recent, which some clients copy from
// elsewhere, goes without saying.
func (a *appending) flags(d *wire.Decoder) []imap.Flag {
	names := slices.DeleteFunc(d.Flags(), func(f imap.Flag) bool { return f == wire.FlagRecent })
	if err := checkFlags(names); err != nil {
		d.Fail(err)
	}
	return names
}

// utf8Extension reads the "UTF8 (" that may stand before a literal8 (RFC 6855, 4).
func (a *appending) utf8Extension(d *wire.Decoder) bool {
	if c := d.Peek(); c != 'U' && c != 'u' {
		return false
	}
	if d.Keyword() != "UTF8" || !a.enabled.utf8 {
		d.Fail(bad("Expected a literal; UTF8 has to be enabled before it is used"))
	}
	d.SP()
	d.Expect('(')
	return true
}

// accept decides about a message by its size, before it is sent.
func (a *appending) accept(l wire.LiteralInfo) error {
	switch {
	case l.Size > a.srv.o.Limits.Message:
		return mailbox.ErrTooLarge
	case l.Size == 0:
		return no(imap.ResponseCodeCannot, "The message is empty")
	case len(a.ms) == maxAppended:
		return mailbox.ErrLimit
	}
	if a.room == nil {
		if err := a.prepare(); err != nil {
			return err
		}
	}
	return a.room(l.Size)
}

// prepare finds the mailbox, and what the quota leaves.
func (a *appending) prepare() error {
	var err error
	if a.to, err = a.destination(a.name); err != nil {
		return err
	}
	quota, used, err := a.session.Usage(a.ctx)
	if err != nil {
		return err
	}
	if a.old != nil { // only the difference counts (RFC 8508, 3.4)
		used.Bytes -= a.old.Size
		used.Messages--
	}
	a.room = func(size int64) error {
		used.Bytes += size
		used.Messages++
		if quota.Bytes > 0 && used.Bytes > quota.Bytes || quota.Messages > 0 && used.Messages > quota.Messages {
			return mailbox.ErrOverQuota
		}
		return nil
	}
	return nil
}

// store puts the messages into the mailbox, all or none.
func (a *appending) store() error {
	list := make([]mailbox.Append, len(a.ms))
	for i := range a.ms {
		var err error
		if list[i], err = a.message(&a.ms[i]); err != nil {
			return err
		}
	}
	receipts, err := a.session.Append(a.ctx, a.to.ID, list...)
	if errors.Is(err, mailbox.ErrGone) {
		return errNewKeys
	}
	if err != nil {
		return destinationError(err)
	}
	if a.sel != nil && a.sel.id == a.to.ID {
		for _, r := range receipts {
			a.own.uids = append(a.own.uids, r.UID)
		}
	}
	a.done.code = func() { a.writeAppended(receipts) }
	return nil
}

// errNewKeys answers what was sealed to a key that the account had until a moment
// ago. The session is about to end.
var errNewKeys = no(imap.ResponseCodeUnavailable, "The account has got new keys: log in again, then send it once more")

// message is what the domain is given.
func (a *appending) message(m *appended) (mailbox.Append, error) {
	flags, err := a.flagsOf(m.names, false)
	return mailbox.Append{Message: m.message, Flags: flags, Date: m.date}, err
}

func (a *appending) writeAppended(receipts []mailbox.Receipt) {
	uids := make([]uint32, len(receipts))
	for i, r := range receipts {
		uids[i] = uint32(r.UID)
	}
	a.w.OpenCode("APPENDUID")
	a.w.Number(uint64(receipts[0].UIDValidity))
	a.w.Nums(uids)
	a.w.CloseCode()
}

// release forgets the messages as they came in.
func (a *appending) release() {
	for _, m := range a.ms {
		if err := m.message.Close(); err != nil {
			a.log().Warn("spool not closed", "error", err)
		}
	}
}
