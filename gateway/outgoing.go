package gateway

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/restante/restante/internal/addr"
	"github.com/restante/restante/internal/mime"
	"github.com/restante/restante/pgp"
)

// Why a client's mail can't go out as it is.
var (
	errSender    = errors.New("the sender is not this account, nor an identity of the user's")
	errEncrypted = errors.New("the mail is encrypted already")
	errMalformed = errors.New("the mail is malformed")
	errNobody    = errors.New("the mail has no recipient")
)

// outgoing is a mail of the user's client on its way out.
type outgoing struct {
	from    addr.Address
	to      []addr.Address // those of the SMTP envelope
	visible []addr.Address // those of To and Cc
	group   *Group         // that the mail is to, or nil
	id      string         // its Message-ID, the same in each message that it becomes
	client  string         // what the user's client calls it, if that is another id
	apart   *disguise      // of an identity apart; nil for the account's own address
	message *mime.Message
	content *spool
}

// readOutgoing reads a client's mail from r to its end and checks it. mayWrite says
// whether the user has an address. The caller closes content.
func readOutgoing(r io.Reader, mayWrite func(addr.Address) bool, to []addr.Address, dir string) (*outgoing, error) {
	o := &outgoing{content: newSpool(dir)}
	w := mime.NewWalker(mime.Options{})
	_, err := io.Copy(io.MultiWriter(w, o.content), newCRLF(r))
	if err == nil {
		o.message, err = w.Close()
	}
	if err == nil {
		err = o.content.finish()
	}
	if err == nil {
		err = o.check(mayWrite, to)
	}
	if err != nil {
		return nil, errors.Join(err, o.content.close())
	}
	return o, nil
}

// check sorts the recipients, and refuses what can't be encrypted as a whole.
func (o *outgoing) check(mayWrite func(addr.Address) bool, to []addr.Address) error {
	e := &o.message.Envelope
	author := addresses(e.From)
	if len(author) != 1 || !mayWrite(author[0]) {
		return errSender
	}
	o.from = author[0]
	if o.message.Root.Is("multipart/encrypted") {
		return errEncrypted
	}
	if o.message.Has(mime.HeaderTooLong, mime.BadField, mime.DuplicateField) {
		return errMalformed
	}
	for _, a := range to {
		if !containsAddress(o.to, a) {
			o.to = append(o.to, a)
		}
	}
	if len(o.to) == 0 {
		return errNobody
	}
	o.visible = addresses(e.To, e.Cc)
	if o.id = e.MessageID; o.id == "" {
		o.id = newMessageID(o.from)
	}
	return nil
}

// A message is one of the messages that a mail becomes: one for those whom its
// header names, and one for each other recipient, of whom the others must not learn.
type message struct {
	to []addr.Address // of its SMTP envelope
}

// messages returns what the mail becomes.
func (o *outgoing) messages() []message {
	var open message
	var hidden []message
	for _, a := range o.to {
		if containsAddress(o.visible, a) {
			open.to = append(open.to, a)
			continue
		}
		hidden = append(hidden, message{to: []addr.Address{a}})
	}
	if len(open.to) == 0 {
		return hidden
	}
	return append([]message{open}, hidden...)
}

// keys is what encrypting a mail needs.
type keys struct {
	own   *Identity
	certs map[string]*pgp.Cert // by address key, for every recipient and each gossiped address
	greet map[string]bool      // by address key: those who may not have our key
	now   time.Time
}

// compose writes one message of the mail, encrypted to its recipients and the user.
func (o *outgoing) compose(w io.Writer, m message, k keys) error {
	own := k.own.Current.Cert()
	certs := []*pgp.Cert{own}
	greet := false
	for _, a := range m.to {
		certs = append(certs, k.certs[a.Key()])
		greet = greet || k.greet[a.Key()]
	}
	header, autocrypt, err := o.header(k, own)
	if err != nil {
		return err
	}
	d := pgp.Draft{
		From: o.from, Header: header, Certs: unique(certs),
		Entity: io.MultiReader(strings.NewReader(entityHeader(o.message.Root)), o.body()),
	}
	d.Encrypt.Now = func() time.Time { return k.now }
	d.Encrypt.Anonymous = true
	if !pgp.ReadsSEIPDv2(d.Certs, k.now) {
		d.To = o.outerTo(m)
	}
	if greet {
		d.Outer = []pgp.Field{autocrypt}
	}
	if err := k.own.Current.Compose(w, d); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	return nil
}

// outerTo returns who stands in the header that everybody sees, for recipients whose
// software wants to find them there. One who is in neither To nor Cc stands in none.
func (o *outgoing) outerTo(m message) []addr.Address {
	if containsAddress(o.visible, m.to[0]) {
		return o.visible
	}
	return nil
}

// header returns the protected header: the client's, our certificate, and those of
// the recipients whom it names, so that each of them can answer all.
func (o *outgoing) header(k keys, own *pgp.Cert) (header []pgp.Field, autocrypt pgp.Field, err error) {
	header = outgoingHeader(o.message.Root, o.id, k.now)
	if o.apart != nil {
		header = o.apart.header(header)
	}
	if o.group != nil {
		header = o.group.replaceTo(header, o.from)
	}
	value, err := pgp.Autocrypt{Addr: o.from, Mutual: true, Cert: own}.Value()
	if err != nil {
		return nil, pgp.Field{}, err
	}
	autocrypt = pgp.Field{Name: "Autocrypt", Value: value}
	header = append(header, autocrypt)
	if len(o.visible) < 2 && o.group == nil {
		return header, autocrypt, nil
	}
	gossip, err := k.gossip(o.visible)
	return append(header, gossip...), autocrypt, err
}

// body returns the content as the recipients get it.
func (o *outgoing) body() io.Reader {
	body := o.content.reader(o.message.HeaderLen)
	if o.apart == nil {
		return body
	}
	return o.apart.body(o.message.Root, body)
}

// unique returns each certificate once.
func unique(certs []*pgp.Cert) []*pgp.Cert {
	seen := map[pgp.Fingerprint]bool{}
	var list []*pgp.Cert
	for _, c := range certs {
		if f := c.Fingerprint(); !seen[f] {
			seen[f] = true
			list = append(list, c)
		}
	}
	return list
}
