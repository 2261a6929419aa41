package wire

import "github.com/restante/restante/internal/mime"

// Envelope writes the value of ENVELOPE (RFC 9051, 7.5.2). A field that is
// empty or missing is NIL.
func (e *Encoder) Envelope(v *mime.Envelope) {
	e.Open()
	e.stringOrNil(v.Date)
	e.stringOrNil(v.Subject)
	e.addresses(v.From)
	e.addresses(v.Sender)
	e.addresses(v.ReplyTo)
	e.addresses(v.To)
	e.addresses(v.Cc)
	e.addresses(v.Bcc)
	e.stringOrNil(v.InReplyTo)
	e.stringOrNil(v.MessageID)
	e.Close()
}

func (e *Encoder) stringOrNil(s string) { e.NString(s, s != "") }

// addresses writes a list of addresses. Between addresses there is no space.
func (e *Encoder) addresses(list []mime.Address) {
	if len(list) == 0 {
		e.Nil()
		return
	}
	e.Open()
	for i := range list {
		e.address(&list[i])
		e.tight = true
	}
	e.Close()
}

// address writes name, source route, mailbox and host. A group starts with an
// address that has no host and ends with one that has nothing.
func (e *Encoder) address(a *mime.Address) {
	e.Open()
	e.stringOrNil(a.Name)
	e.stringOrNil(a.Route)
	e.stringOrNil(a.Mailbox)
	e.stringOrNil(a.Host)
	e.Close()
}
